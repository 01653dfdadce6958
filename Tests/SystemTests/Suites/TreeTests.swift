import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    @Suite struct TreeTests {
        @Test(arguments: [(Form.lazy, false), (.sealed, false), (.lazy, true)])
        func everyEntryIsTheCheckouts(form: Form, strictMega: Bool) throws {
            try Farm.run(
                { try Repository.ofEveryKind(in: $0, files: 100, textDirectories: strictMega) },
                Farm.Options(strictMega: strictMega, limit: .seconds(240), form: form)
            ) { farm, repository in
                let commit = try repository.head()
                let worktree = try repository.worktree(commit)
                func compare(_ mount: Farm.Mount) throws {
                    let script = "python3 '\(Sources.root)/scripts/lib/compare-trees.py' '\(mount.path)' '\(worktree)'"
                    let names = strictMega ? "--text-names" : ""
                    try Program.shell("\(script) \(Repository.time) \(names) >&2", limit: .seconds(120))
                }
                let first = try farm.mount("first", ["rev": .string(commit)])
                try compare(first)
                let counters = try farm.fetched()
                try Program.shell("echo x >>README.md; rm -r odd; mv many moved; mkdir new", in: first.path)
                let second = try farm.mount("second", ["rev": .string(commit)])
                try compare(second)
                #expect(try farm.fetched() == counters, "nothing is fetched again")
            }
        }

        @Test(arguments: Form.allCases) func aFileOver4GiBHasBothItsEnds(form: Form) throws {
            let size = (4 << 30) + 9
            try Farm.run(
                { directory in
                    let repository = try Repository(in: directory, [("seed", .file("x"))])
                    try Program.shell(
                        """
                        printf 'head' >huge; truncate -s \(size - 5) huge; printf 'tail\n' >>huge
                        export GIT_DIR='\(repository.path)' GIT_INDEX_FILE=index
                        huge=$(git -c core.compression=1 hash-object -w huge); rm huge
                        git update-index --add --cacheinfo 100644,$huge,huge
                        commit=$(git -c user.name=t -c user.email=t@example.invalid commit-tree -m x $(git write-tree))
                        git update-ref refs/heads/main $commit
                        """, in: directory, limit: .seconds(180))
                    return repository
                }, Farm.Options(limit: .seconds(400), form: form)
            ) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try FileStatus(of: mount.path + "/huge").size == size)
                let ends = try Program.shell(
                    "head -c 4 huge; tail -c 5 huge; cp huge copy; cmp huge copy; rm copy", in: mount.path,
                    limit: .seconds(300))
                #expect(ends == "headtail\n")
            }
        }

        @Test(arguments: Form.allCases) func largeFilesAndDirectoriesAreWhole(form: Form) throws {
            func make(_ directory: String) throws -> Repository {
                let repository = try Repository(in: directory, [("seed", .file("x"))])
                try Program.shell(
                    """
                    head -c 300000001 /dev/urandom >big
                    export GIT_DIR='\(repository.path)' GIT_INDEX_FILE=index
                    big=$(git hash-object -w big); one=$(echo 1 | git hash-object -w --stdin)
                    { printf '100644 blob %s\\tbig\\n' $big
                      for i in $(seq 100000); do printf '100644 blob %s\\twide/f%06d\\n' $one $i; done
                    } | git update-index --index-info
                    tree=$(git write-tree)
                    commit=$(git -c user.name=t -c user.email=t@example.invalid commit-tree -m x $tree)
                    git update-ref refs/heads/main $commit
                    sha256sum <big >'\(directory)/sum'
                    """, in: directory, limit: .seconds(120))
                return repository
            }
            try Farm.run(make, Farm.Options(form: form)) { farm, repository in
                let mount = try farm.mount("m")
                #expect(try FileStatus(of: mount.path + "/big").size == 300_000_001)
                let sum = try Program.shell("sha256sum <'\(mount.path)/big'", limit: .seconds(100))
                #expect(sum == (try File.text(farm.directory + "/sum")))
                #expect(try Directory.names(mount.path + "/wide").count == 100_000)
                #expect(try File.text(mount.path + "/wide/f099999") == "1\n")
                #expect(access(mount.path + "/wide/f100001", F_OK) == -1 && Errno.current == .notFound)
            }
        }

        @Test func namesAndTargetsThatLieAreNotServed() throws {
            try Farm.run({ directory in
                let repository = try Repository(in: directory, [("good", .file("good\n"))])
                // git itself refuses to write such trees, so they are written as objects.
                try Program.shell(
                    """
                    export GIT_DIR='\(repository.path)'
                    blob=$(echo evil | git hash-object -w --stdin)
                    raw=$(printf %s $blob | sed 's/../\\\\x&/g')
                    tree() { git hash-object --literally -w -t tree --stdin; }
                    dotdot=$(printf "100644 ..\\0$raw" | tree)
                    slash=$(printf "100644 a/b\\0$raw" | tree)
                    twice=$(printf "100644 a\\0${raw}100644 a\\0$raw" | tree)
                    long=$(printf "100644 $(printf 'n%.0s' $(seq 256))\\0$raw" | tree)
                    entry() { printf '40000 %s\\0' $1; printf "$(printf %s $2 | sed 's/../\\\\x&/g')"; }
                    top=$({ entry dotdot $dotdot; printf '100644 good\\0'; printf "$raw"; entry long $long
                        entry slash $slash; entry twice $twice; } | tree)
                    commit=$(git -c user.name=t -c user.email=t@example.invalid commit-tree -m x $top)
                    git update-ref refs/heads/main $commit
                    """)
                return repository
            }) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try File.text(mount.path + "/good") == "evil\n")
                for name in ["dotdot", "slash", "twice", "long"] {
                    let error = systemError { _ = try Directory.names(mount.path + "/" + name) }
                    #expect(error?.errno == .ioError, "\(name): \(String(describing: error))")
                }
                #expect(try File.text(mount.path + "/good") == "evil\n", "the mount goes on")
            }
        }
    }
}
