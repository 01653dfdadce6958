import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    @Suite struct IsolationTests {
        /// What each client does, and checks; it prints its last word if all of it was right.
        private static let work = """
            n=$1
            test "$(cat src/name)" = 'the tree'
            echo "mine $n" >src/name; echo "appended $n" >>README.md; echo "new $n" >created
            mv many moved; test ! -e many; test "$(ls moved | wc -l)" = 200; grep -q 'line 7' moved/file7
            rm -r lib; test ! -e lib; mkdir lib; echo "again $n" >lib/one; test "$(ls lib)" = one
            ln src/deep/down/leaf hard; test "$(stat -c %h hard)" = 2; echo "linked $n" >>hard
            test "$(cat src/deep/down/leaf)" = "$(printf 'leaf\\nlinked %s' $n)"
            mv src/deep source; mkdir -p src/deep; mv source src/deep/moved; test -e src/deep/moved/down/leaf
            rm link; ln -s "to $n" link; test "$(readlink link)" = "to $n"
            chmod 755 empty; printf '#!/bin/sh\\necho built by %s\\n' $n >tool; chmod 755 tool
            test "$(./tool)" = "built by $n"; cp /bin/true program; ./program
            test "$(bin/hello)" = "hello from mine $n"
            truncate -s 100000 bin/hello; mkfifo pipe; touch -d @1000000000 created
            python3 -c 'import mmap; f = open("moved/file3", "r+b"); m = mmap.mmap(f.fileno(), 0); m[0:4] = b"MMAP"; m.flush()'
            head -c 4 moved/file3 | grep -q MMAP
            git init -q . && git add created && git -c user.name=t -c user.email=t@example.invalid commit -q -m x
            test "$(cat created README.md src/name)" = "$(printf 'new %s\\n# A repository for tests\\nappended %s\\nmine %s' $n $n $n)"
            echo "all right $n"
            """

        @Test(arguments: Form.allCases) func twentyClientsAtOnceDoNotSeeEachOther(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(limit: .seconds(240), form: form)) { farm, repository in
                let outcomes = Guarded<[String]>([])
                let threads = try (0..<20).map { number in
                    try SystemThread.start(name: "client", stackSize: 1 << 20) {
                        let outcome: String
                        do {
                            let mount = try farm.mount("client\(number)")
                            outcome = try Program.shell(
                                "set -- \(number)\n" + Self.work, in: mount.path, limit: .seconds(180))
                        } catch {
                            outcome = "client \(number): \(error)"
                        }
                        outcomes.with { $0.append(outcome) }
                    }
                }
                for thread in threads { thread.join() }
                #expect(Set(outcomes.with { $0 }) == Set((0..<20).map { "all right \($0)\n" }))
                let untouched = try farm.mount("untouched")
                let worktree = try repository.worktree(try repository.head())
                try Program.shell("diff -r --no-dereference --exclude=.git '\(untouched.path)' '\(worktree)'")
                #expect(try farm.antares("list").output.split(separator: "\n").count >= 21)
            }
        }

        @Test(arguments: Form.allCases) func theTreeBelongsToItsJob(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m", ["uid": 64123, "gid": 64124])
                let owners = try Program.shell(
                    "stat -c '%u:%g' . src src/name link bin/hello | sort -u", in: mount.path)
                #expect(owners == "64123:64124\n")
                let asJob = "setpriv --reuid=64123 --regid=64124 --clear-groups"
                try Program.shell(
                    "\(asJob) sh -c 'echo x >src/name && rm -r lib && mkdir lib && ./bin/hello'", in: mount.path)
                let other = try Program.run(
                    "/usr/bin/setpriv",
                    [
                        "--reuid=64200", "--regid=64200", "--clear-groups", "sh", "-c",
                        "cat README.md && echo x >README.md",
                    ],
                    directory: mount.path)
                #expect(!other.succeeded && other.output == "# A repository for tests\n")
            }
        }

        /// What ARCHITECTURE.md says about st_ino and st_dev.
        @Test(arguments: Form.allCases) func inodeNumbersAreWhatToolsRelyOn(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell(
                    """
                    import os, sys
                    def walk():
                        found = {}
                        for base, directories, files in os.walk("."):
                            for name in directories + files:
                                path = os.path.join(base, name)
                                status = os.lstat(path)
                                found[path] = (status.st_dev, status.st_ino)
                        return found
                    before = walk()
                    assert len(set(before.values())) == len(before), "unique"
                    assert before == walk(), "stable"
                    root = os.lstat(".").st_dev
                    for path, (device, inode) in before.items():
                        if os.path.isdir(path) and not os.path.islink(path):
                            assert device == root, "a directory is on the mount's device"
                        assert 0 < inode < 2**63, "fits a signed number"
                    with open("src/name", "a") as file: file.write("x")
                    os.chmod("bin/hello", 0o700)
                    os.rename("lib/one", "lib/renamed")
                    os.rename("src/deep", "src/deeper")
                    after = walk()
                    for old, new in (("./src/name",) * 2, ("./bin/hello",) * 2, ("./lib/one", "./lib/renamed"),
                                     ("./src/deep/down/leaf", "./src/deeper/down/leaf"), ("./src/deep", "./src/deeper")):
                        assert before[old] == after[new], f"{old}: {before[old]} {after[new]}"
                    assert len(set(after.values())) == len(after), "unique after changes"
                    os.link("src/name", "hard")
                    assert os.lstat("hard").st_ino == os.lstat("src/name").st_ino and os.lstat("hard").st_nlink == 2
                    """.asPython, in: mount.path)
                let other = try farm.mount("other")
                #expect(
                    try FileStatus(of: other.path).identity.device != FileStatus(of: mount.path).identity.device,
                    "two mounts are two filesystems")
            }
        }
    }
}

extension String {
    /// A shell command that runs this text as a Python program.
    var asPython: String {
        "python3 - <<'END_OF_PROGRAM'\n\(self)\nEND_OF_PROGRAM\n"
    }
}
