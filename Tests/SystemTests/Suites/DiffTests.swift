import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What a job wrote, told by `antares diff`.
    @Suite struct DiffTests {
        /// All that can happen to a tree, and what of it is no change.
        private static let job = """
            touch lib/one; chmod 600 lib/two; chmod +x README.md; chmod -x README.md; cp -p lib/one x; mv x lib/one
            echo new >src/new; printf 'the tree!' >src/name; chmod +x src/deep/down/leaf; rm many/file7; rm -r many/file1?
            ln -sfn lib link; mkdir -p made/empty; echo in >made/file; mv bin tools; echo more >tools/more; mv empty moved
            rmdir module; echo "odd" >"$(printf 'odd\\nD lib')"; mkdir many/inner; mv many/file2 many/inner/
            """

        private static let lines = """
            A made/empty
            A made/file
            D many/file10
            D many/file11
            D many/file12
            D many/file13
            D many/file14
            D many/file15
            D many/file16
            D many/file17
            D many/file18
            D many/file19
            D many/file7
            R many/file2 -> many/inner/file2
            D module
            R empty -> moved
            A "odd\\nD lib"
            M link
            M src/deep/down/leaf
            M src/name
            A src/new
            R bin -> tools
            A tools/more
            """

        /// Something to a part of all files, a change or none.
        private static let gitJob = """
            import os, shutil
            files = sorted(os.path.join(d, n) for d, _, ns in os.walk(b".") for n in ns)
            files = [f for f in files if os.path.isfile(f) and not os.path.islink(f)]
            for number, file in enumerate(files[:: max(1, len(files) // 600)]):
                what = number % 11
                if what == 1: os.unlink(file)
                if what == 2: open(file, "ab").write(b"more")
                if what == 3: os.utime(file)
                if what == 4: os.chmod(file, os.stat(file).st_mode ^ 0o111)
                if what == 5: shutil.copy2(file, file[:250] + b".new")
                if what == 6: os.unlink(file); os.symlink("nowhere", file)
                if what == 7: shutil.copy2(file, b"tmp"); os.unlink(file); os.rename(b"tmp", file)
                if what == 8: os.unlink(file); os.mkdir(file); open(file + b"/x", "w").write("x")
            """

        private func lines(_ farm: Farm, _ mount: Farm.Mount) throws -> [String] {
            let finished = try farm.antares("diff", mount.id)
            #expect(finished.succeeded, "\(finished.errors)")
            return finished.output.split(separator: "\n").map(String.init)
        }

        @Test(arguments: Form.allCases) func everyChangeIsTold(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try lines(farm, mount) == [])
                try Program.shell(Self.job, in: mount.path)
                let expected = Self.lines.split(separator: "\n").map(String.init)
                #expect(try Set(lines(farm, mount)) == Set(expected))
                // In the order of the paths, and by the job's name, too.
                let names = try farm.antares("diff", "m", "--name-only", "-z").output.split(separator: "\0")
                #expect(
                    names.map { Array($0.utf8) }
                        == names.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) })
                #expect(names.count == expected.count)
                let answer = try farm.api.get("/mounts/\(mount.id)/diff?limit=3")
                #expect(answer.body["total"].number == expected.count && answer.body["truncated"] == .boolean(true))
                // Who looked into a job's files is known.
                try farm.expectLogged("/mounts/{id}/diff")
                // The next supervisor tells the same.
                let told = try lines(farm, mount)
                try farm.killSupervisor()
                try farm.startSupervisor()
                #expect(try lines(farm, mount) == told)
                try farm.unmount(mount)
                #expect(try farm.antares("diff", mount.id).status == .code(5))
            }
        }

        /// git-status(1), which has nothing in common with us, looks at the mount.
        @Test(arguments: Form.allCases) func gitSeesTheSame(form: Form) throws {
            try Farm.run({ try Repository.ofEveryKind(in: $0, files: 400) }, Farm.Options(form: form)) {
                farm, repository in
                let mount = try farm.mount("m")
                try Program.shell("python3 - <<'EOF'\n\(Self.gitJob)\nEOF", in: mount.path, limit: .seconds(60))
                let git = try Program.shell(
                    """
                    export GIT_INDEX_FILE='\(farm.directory)/index' GIT_DIR='\(repository.path)' GIT_WORK_TREE="$PWD"
                    git config core.bare false; git read-tree HEAD
                    git -c core.fileMode=true -c safe.directory='*' -c core.excludesFile=/dev/null status --porcelain \
                        --no-renames --untracked-files=all -z --ignore-submodules=all | base64 -w0
                    """, in: mount.path, limit: .seconds(120))
                let ours = try Program.shell(
                    "'\(Program.built("antares"))' --socket '\(farm.api.socket)' diff m --name-only -z | base64 -w0",
                    limit: .seconds(120))
                let script = """
                    import base64, sys
                    git = {e[3:] for e in base64.b64decode(sys.argv[1]).split(b"\\0") if e}
                    ours = {e for e in base64.b64decode(sys.argv[2]).split(b"\\0") if e}
                    print(len(git), len(ours), sorted(git - ours)[:9], sorted(ours - git)[:9])
                    sys.exit(git != ours or len(git) < 50)
                    """
                let checker = farm.directory + "/check.py"
                try File.replace(checker, with: Array(script.utf8))
                let checked = try Program.run("/usr/bin/python3", [checker, git, ours])
                #expect(checked.succeeded, "\(checked.output) \(checked.errors)")
                try farm.unmount(mount)
            }
        }

        /// Taken to a checkout of the commit an archive makes the job's tree of it.
        @Test(arguments: Form.allCases) func anArchiveMakesTheTree(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, repository in
                let worktree = try repository.worktree(repository.head())
                let mount = try farm.mount("m")
                try Program.shell(
                    Self.job
                        + "\nmv lib swap; mv many lib; mv swap many; mv src/deep deep; rm -r src; mkdir src; echo s >src/s",
                    in: mount.path)
                let packed = try farm.antares("diff", "m", "--tar", farm.directory + "/a.tar")
                #expect(packed.succeeded, "\(packed.errors)")
                let piped =
                    "'\(Program.built("antares"))' --socket '\(farm.api.socket)' diff m --tar - | cmp - '\(farm.directory)/a.tar'"
                try Program.shell(piped)
                let listing = "find . -mindepth 1 -not -path './.git*' -printf '%P %y %m %l\\n' | sort"
                try Program.shell(
                    """
                    mkdir -p module
                    tar -tf '\(farm.directory)/a.tar' --quoting-style=literal | grep -a '\\.wh\\.' | while IFS= read -r mark; do
                        case $mark in
                        *.wh..wh..opq) rm -rf "${mark%.wh..wh..opq}" ;;
                        *) rm -rf "${mark/.wh./}" ;;
                        esac
                    done
                    tar --exclude='.wh.*' -xpf '\(farm.directory)/a.tar'
                    diff <(\(listing)) <(cd '\(mount.path)' && \(listing)) >&2
                    diff -r --no-dereference --exclude=.git . '\(mount.path)' >&2
                    """, in: worktree)
                try farm.unmount(mount)
            }
        }

        @Test func aChangelistIsBelow() throws {
            let make = { (directory: String) throws -> Repository in
                let repository = try Repository(in: directory, [("a/f", .file("f\n")), ("a/g", .file("g\n"))])
                try repository.git("update-ref", "refs/heads/change", "refs/heads/main")
                try repository.commit(
                    [("a/f", .file("changed\n")), ("a/n", .program("n\n")), ("b/new", .file("new\n"))], branch: "change"
                )
                try repository.git("update-ref", "refs/cl/CHANGE01", "refs/heads/change")
                return repository
            }
            try Farm.run(make, Farm.Options()) { farm, _ in
                let mount = try farm.mount("m", ["cl": "CHANGE01"])
                #expect(try lines(farm, mount) == [])
                try Program.shell("touch a/f; echo g >a/g; rm a/n; echo x >>b/new; mv b c", in: mount.path)
                #expect(try lines(farm, mount) == ["A a/g", "D a/n", "R b -> c", "M c/new"])
                try Program.shell("echo f >a/f", in: mount.path)
                #expect(try lines(farm, mount) == ["M a/f", "A a/g", "D a/n", "R b -> c", "M c/new"])
                try farm.unmount(mount)
            }
        }

        @Test(arguments: ["tmpfs", "image"]) func limitedUppers(storage: String) throws {
            let settings = "upper_storage = \"\(storage)\"\nupper_limit = \"64MiB\""
            try Farm.run(Repository.small, Farm.Options(settings: settings)) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell("echo new >new; rm lib/one; mv src source", in: mount.path)
                let expected = ["D lib/one", "A new", "R src -> source"]
                #expect(try lines(farm, mount) == expected)
                try farm.killSupervisor()
                try farm.startSupervisor()
                if storage == "image" {
                    #expect(try lines(farm, mount) == expected)
                } else {
                    let answer = try farm.api.get("/mounts/\(mount.id)/diff")
                    #expect(answer.status == 409 && answer.body["error"].text?.contains("in memory") == true)
                }
                try farm.unmount(mount)
            }
        }
    }
}
