import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What is true of sealed mounts only; what both forms promise is tested with both, where `Form` is an argument.
    @Suite struct SealedTests {
        /// Contents and metadata of everything but the root, which is as old as its mount.
        private static let readAll = """
            find . -type f -exec md5sum {} + | sort | md5sum
            find . -mindepth 1 -printf '%p %y %m %T@ %U %l\\n' | sort | md5sum; bin/hello
            """

        @Test func theFirstMountIsLazyAndTheNextOnesAreSealed() throws {
            try Farm.run(Repository.small, Farm.Options(form: .sealed, awaitsImage: false)) { farm, repository in
                let first = try farm.mount("first", lower: .lazy)
                let job = try ReadingJob(farm, first)
                try farm.seal(repository)
                let second = try farm.mount("second")
                #expect(try farm.status(first)["lower"] == "lazy", "one that runs stays as it is")
                #expect(try Program.shell(Self.readAll, in: first.path) == Program.shell(Self.readAll, in: second.path))
                try job.waitForRounds(2)
                try job.finish()
            }
        }

        @Test func aTreeThatCannotBeSealedStaysLazy() throws {
            // The published protocol says no sizes.
            let options = Farm.Options(strictMega: true, form: .sealed, awaitsImage: false)
            try Farm.run(Repository.small, options) { farm, _ in
                _ = try farm.mount("first", lower: .lazy)
                try farm.expectLogged(" cache not-sealed ")
                let second = try farm.mount("second", lower: .lazy)
                #expect(try Program.run(second.path + "/bin/hello", []).output == "hello from the tree\n")
            }
        }

        /// Neither worker nor owner nor supervisor gets a processor, and everything that is cached is read, executed, mapped and listed.
        @Test func whatIsCachedNeedsNoProcessOfOurs() throws {
            try Farm.run(Repository.small, Farm.Options(form: .sealed)) { farm, _ in
                let first = try farm.mount("first")
                let wanted = try Program.shell(Self.readAll, in: first.path)
                let second = try farm.mount("second")
                let served = try farm.status(second)["worker"]["served"].number
                let ours = try farm.processes.all().filter { $0 != farm.originPID }.map {
                    try ChildProcess(adopting: $0)
                }
                defer { for process in ours { process.signal(SIGCONT) } }
                try ours.stop()
                #expect(try Program.shell(Self.readAll, in: second.path) == wanted)
                try Program.shell(
                    "echo x >>src/name; mv many moved; rm -r lib; ln README.md hard; chmod 700 bin/hello",
                    in: second.path)
                #expect(access(second.path + "/no/such/file", F_OK) == -1 && Errno.current == .notFound)
                for process in ours { process.signal(SIGCONT) }
                #expect(try farm.status(second)["worker"]["served"].number == served, "nothing was asked")
            }
        }

        /// A cold file costs one question of its own, and one the first time that its part of the objects is looked into.
        @Test func aColdFileIsAskedForOnce() throws {
            try Farm.run(Repository.small, Farm.Options(form: .sealed)) { farm, _ in
                let mount = try farm.mount("m")
                func served() throws -> Int { try #require(try farm.status(mount)["worker"]["served"].number) }
                let before = try served()
                try Program.shell("ls -lR . >/dev/null; find . -newer README.md", in: mount.path)
                #expect(try served() == before, "metadata is in the image")
                try Program.shell("cat many/*", in: mount.path)
                let cold = try served() - before
                #expect((200...401).contains(cold), "\(cold) questions for 200 files")
                try Program.shell("cat many/*", in: mount.path)
                #expect(try served() == before + cold)
                let other = try farm.mount("other")
                let begin = try farm.status(other)["worker"]["served"].number
                try Program.shell("cat many/*", in: other.path)
                #expect(try farm.status(other)["worker"]["served"].number == begin, "fetched for all")
            }
        }

        @Test func whatCannotBeHadSaysWhyWhateverIsDoneToIt() throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "1s", form: .sealed)) { farm, _ in
                let mount = try farm.mount("m")
                func errno(_ body: () throws -> Void) -> Errno? { systemError(body)?.errno }
                func file(_ number: Int) -> String { mount.path + "/many/file\(number)" }
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                #expect(errno { _ = try File.text(file(1)) } == .timedOut)
                #expect(errno { try check(truncate(file(2), 0), "truncate") } == .timedOut)
                #expect(errno { try check(chmod(file(3), 0o700), "chmod") } == .timedOut)
                #expect(try FileStatus(of: file(3)).size > 0, "what is known of it is shown")
                origin.signal(SIGCONT)
                try farm.stopOrigin()
                try until("the origin is known to be gone") { errno { _ = try File.text(file(4)) } == .ioError }
                #expect(access(mount.path + "/many/none", F_OK) == -1 && Errno.current == .notFound)
                try farm.startOrigin()
                for number in 1...4 {
                    try until("file \(number) is read") { (try? File.text(file(number)))?.hasPrefix("line") == true }
                }
            }
        }

        @Test func aLargeFileOpensBeforeItIsHere() throws {
            let size = 40 << 20
            func withBig(_ directory: String) throws -> Repository {
                let text = String(repeating: "0123456789abcdef", count: size / 16)
                return try Repository(in: directory, Repository.smallEntries + [("big", .file(text))])
            }
            try Farm.run(withBig, Farm.Options(requestTimeout: "60s", form: .sealed)) { farm, _ in
                let mount = try farm.mount("m")
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let file = try File.open(mount.path + "/big", O_RDONLY)
                #expect(try File.size(of: file.raw) == UInt64(size))
                let reader = try Program.start("/usr/bin/md5sum", [mount.path + "/big"])
                try farm.wait(for: mount, "the read waits") { ($0["worker"]["waiting"].number ?? 0) > 0 }
                try farm.signalWorker(mount, SIGKILL)
                origin.signal(SIGCONT)
                #expect(reader.waitForEnd(until: .after(.seconds(60))))
                #expect(reader.reap() == .code(0))
                #expect(try File.contents(mount.path + "/big", limit: size).count == size)
            }
        }

        @Test func evictionUnderReadersIsAFetchAndNeverAnError() throws {
            try Farm.run(Repository.small, Farm.Options(limit: .seconds(240), form: .sealed)) { farm, repository in
                let mounts = try (0..<3).map { try farm.mount("m\($0)") }
                let stop = farm.directory + "/stop"
                let output = try CapturedOutput()
                let errors = try CapturedOutput()
                let readers = try mounts.map { mount in
                    try Program.start(
                        "/bin/bash",
                        ["-euc", "until [[ -e '\(stop)' ]]; do { \(Self.readAll); } | md5sum; done | sort -u | wc -l"],
                        output: output.raw, errors: errors.raw, directory: mount.path)
                }
                let before = try farm.evictedObjects()
                for _ in 0..<5 {
                    #expect(try farm.antares("cache", "gc", "--to", "0").succeeded)
                    // Overlayfs forgets where the data was: each file is looked for anew.
                    try Program.shell("echo 2 >/proc/sys/vm/drop_caches")
                    try until("something is evicted") { try farm.evictedObjects() > before }
                }
                try Program.shell("touch '\(stop)'")
                for reader in readers {
                    #expect(reader.waitForEnd(until: .after(.seconds(60))))
                    #expect(reader.reap() == .code(0))
                }
                #expect(try errors.text() == "")
                #expect(try output.text() == "1\n1\n1\n", "every reading is the same")
                // The image went, too, and is made anew.
                try farm.seal(repository)
                #expect(
                    try Program.run(try farm.mount("next").path + "/bin/hello", []).output == "hello from the tree\n")
            }
        }

        /// What waits for a fetch while there is no worker can be killed, whatever it does.
        @Test func jobsThatWaitForAFetchEndWithoutAWorker() throws {
            try Farm.run(Repository.small, Farm.Options(form: .sealed)) { farm, _ in
                let mount = try farm.mount("m")
                let supervisor = try #require(farm.supervisor)
                let worker = try ChildProcess(adopting: farm.workerPID(mount))
                let warm = try Program.start("/usr/bin/tail", ["-f", mount.path + "/src/name"])
                try until("it is open") {
                    (try? File.linkTarget("/proc/\(warm.pid)/fd/3"))?.hasSuffix("/src/name") == true
                }
                try supervisor.stop()
                defer { supervisor.signal(SIGCONT) }
                worker.signal(SIGKILL)
                #expect(worker.waitForEnd(until: .after(.seconds(10))))
                let scripts = [
                    "exec cat many/file1", "exec chmod 700 many/file2", "exec bin/hello",
                    "exec truncate -s 3 many/file3",
                ]
                let jobs = try scripts.map { try Program.start("/bin/sh", ["-c", $0], directory: mount.path) }
                for job in jobs {
                    try until("it waits") {
                        ((try? File.text("/proc/\(job.pid)/wchan")) ?? "").contains("request_wait_answer")
                    }
                }
                for job in jobs + [warm] {
                    job.signal(SIGKILL)
                    #expect(job.waitForEnd(until: .after(.seconds(5))))
                    #expect(job.reap() == .signal(SIGKILL))
                }
                #expect(try Program.shell("ls many | wc -l; stat -c %a many/file2", in: mount.path) == "200\n644\n")
                supervisor.signal(SIGCONT)
                #expect(try File.text(mount.path + "/many/file1").hasPrefix("line 1\n"))
            }
        }

        @Test func aContainersOverlayStandsOnASealedMount() throws {
            try Farm.run(Repository.small, Farm.Options(form: .sealed)) { farm, _ in
                let mount = try farm.mount("m")
                let place = farm.directory + "/container"
                try Program.shell(
                    """
                    mkdir -p '\(place)'/{upper,work,root}
                    mount -t overlay -o lowerdir='\(mount.path)',upperdir='\(place)/upper',workdir='\(place)/work' none '\(place)/root'
                    trap "umount '\(place)/root'; rm -rf '\(place)'" EXIT
                    cd '\(place)/root'; test "$(bin/hello)" = 'hello from the tree'; echo mine >>many/file1; rm -r lib; cd /
                    """)
                #expect(try File.text(mount.path + "/lib/one") == "1\n")
            }
        }

    }
}

extension Farm {
    /// How many objects the owner has evicted since it began.
    fileprivate func evictedObjects() throws -> Int {
        try api.get("/cache").body["counters"]["evictedObjects"].number ?? 0
    }
}
