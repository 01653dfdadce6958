import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    @Suite struct TakeoverTests {
        /// Reads everything in a mount once and prints the sum of all sums.
        private static let readAll = "find . -type f -print0 | sort -z | xargs -0 md5sum | md5sum"

        private func everyKind(_ directory: String) throws -> Repository {
            try Repository.ofEveryKind(in: directory, files: 1500)
        }

        @Test(arguments: Form.allCases) func readersSeeNoErrorWhenWorkersAreKilled(form: Form) throws {
            try Farm.run(everyKind, Farm.Options(limit: .seconds(300), form: form)) { farm, repository in
                let worktree = try repository.worktree(try repository.head())
                let wanted = try Program.shell(
                    "find . -name .git -prune -o -type f -print0 | sort -z | xargs -0 md5sum | md5sum", in: worktree)
                var kills = 0
                for round in 0..<(form == .lazy ? 6 : 3) {
                    // A sealed mount asks its worker for what is not in the cache only.
                    if form == .sealed { try farm.evictObjects() }
                    let mount = try farm.mount("round\(round)")
                    let output = try CapturedOutput()
                    let errors = try CapturedOutput()
                    let reader = try Program.start(
                        "/bin/bash", ["-euo", "pipefail", "-c", Self.readAll], output: output.raw, errors: errors.raw,
                        directory: mount.path)
                    var last: Int32 = 0
                    var served = 0
                    for _ in 0..<10 where !reader.waitForEnd(until: .now) {
                        // Workers that end before they have answered anything are a crash loop, which is another test.
                        let status = try farm.wait(for: mount, "an answer") {
                            let isNew = $0["worker"]["pid"].number.map { $0 != Int(last) } ?? false
                            return isNew && ($0["worker"]["served"].number ?? 0) > served
                                || reader.waitForEnd(until: .now)
                        }
                        guard let pid = status["worker"]["pid"].number else { break }
                        (try? ChildProcess(adopting: Int32(pid)))?.signal(SIGKILL)
                        (last, served) = (Int32(pid), status["worker"]["served"].number ?? 0)
                        kills += 1
                    }
                    #expect(reader.waitForEnd(until: .after(.seconds(60))))
                    let complaint = Comment(rawValue: "round \(round): \(try errors.text())")
                    #expect(reader.reap() == .code(0), complaint)
                    #expect(try output.text() == wanted, complaint)
                    // The reader may have come to its end without the worker that is on its way.
                    let status = try farm.wait(for: mount, "the next worker") {
                        $0["worker"]["pid"].number.map { $0 != Int(last) } ?? false
                    }
                    #expect(try #require(status["worker"]["restarts"].number) >= 1)
                    #expect(status["worker"]["last_restart_cause"].text != nil)
                    try farm.unmount(mount)
                }
                #expect(kills >= 16)
            }
        }

        @Test(arguments: Form.allCases) func coldReadsSurviveTheirWorkers(form: Form) throws {
            // Reads that wait for the origin are in flight when the worker dies; the next worker is asked again.
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "60s", form: form)) { farm, _ in
                let mount = try farm.mount("m")
                _ = try Directory.names(mount.path + "/many")
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let output = try CapturedOutput()
                let reader = try Program.start(
                    "/bin/cat", (0..<10).map { mount.path + "/many/file\($0)" }, output: output.raw)
                var last: Int32 = 0
                for _ in 0..<3 {
                    let pid = try nextWorker(farm, mount, after: last)
                    try waitForWaiting(farm, mount)
                    (try? ChildProcess(adopting: pid))?.signal(SIGKILL)
                    last = pid
                }
                origin.signal(SIGCONT)
                #expect(reader.waitForEnd(until: .after(.seconds(60))))
                #expect(reader.reap() == .code(0))
                #expect(try output.text().split(separator: "\n").count == 500)
            }
        }

        @Test func mappedFilesAndListingsSurviveTheirWorkers() throws {
            let size = 8 << 20
            let text = String(repeating: "0123456789abcdef", count: size / 16)
            func withBig(_ directory: String) throws -> Repository {
                try Repository(in: directory, Repository.smallEntries + [("big", .file(text))])
            }
            try Farm.run(withBig) { farm, _ in
                let mount = try farm.mount("m")
                let file = try File.open(mount.path + "/big", O_RDONLY)
                // Fetched before: what is asked for again is only what the kernel dropped.
                #expect(try File.contents(mount.path + "/big", limit: size).count == size)
                var last: Int32 = 0
                for _ in 0..<10 {
                    // Only a page that nobody maps is dropped.
                    posix_fadvise(file.raw, 0, 0, POSIX_FADV_DONTNEED)
                    let map = try #require(mmap(nil, size, PROT_READ, MAP_PRIVATE, file.raw, 0))
                    defer { munmap(map, size) }
                    let pid = try nextWorker(farm, mount, after: last)
                    let killer = try SystemThread.start(name: "killer") {
                        (try? ChildProcess(adopting: pid))?.signal(SIGKILL)
                    }
                    var wrong = 0
                    for offset in stride(from: 0, to: size, by: 4096)
                    where map.load(fromByteOffset: offset, as: UInt8.self) != UInt8(ascii: "0") { wrong += 1 }
                    #expect(wrong == 0)
                    killer.join()
                    #expect(try Directory.names(mount.path + "/many").count == 200)
                    last = pid
                }
                // Between two workers there is none to tell of.
                _ = try nextWorker(farm, mount, after: last)
                #expect(try #require(farm.status(mount)["worker"]["served"].number) > 100, "faults asked the worker")
            }
        }

        @Test(arguments: Form.allCases) func readsGoOnWhenTheCacheOwnerIsKilled(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, repository in
                let mount = try farm.mount("m")
                try Program.shell("cat many/file1 src/name", in: mount.path)
                for round in 0..<3 {
                    let owner = try #require(try farm.api.get("/health").body["cache_pid"].number)
                    (try? ChildProcess(adopting: Int32(owner)))?.signal(SIGKILL)
                    #expect(try File.text(mount.path + "/src/name") == "the tree\n", "warm")
                    #expect(
                        try File.text(mount.path + "/many/file\(10 + round)").hasPrefix("line \(10 + round)\n"), "cold")
                    try Program.shell(
                        """
                        for i in $(seq 200); do
                            now=$(curl -sS --unix-socket '\(farm.api.socket)' http://x/health | grep -o '"cache_pid":[0-9]*')
                            [[ -n $now && $now != '"cache_pid":\(owner)' ]] && exit; sleep 0.1
                        done; exit 1
                        """)
                }
                // Images that were not synced are made anew.
                if form == .sealed { try farm.seal(repository) }
                let another = try farm.mount("another")
                #expect(try Program.run(another.path + "/bin/hello", []).output == "hello from the tree\n")
            }
        }

        @Test func crashesEndProcessesAtOnce() throws {
            // Swift's runtime would keep a crashed process for the seconds that a backtrace takes.
            let crashes = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV].reduce(UInt64(0)) { $0 | 1 << ($1 - 1) }
            try Farm.run(Repository.small) { farm, _ in
                try farm.unmount(try farm.mount("m"))
                for program in ["antares-supervisor", "dicfuse-cache", "antares-worker"] {
                    let pids = try farm.processes.named(program)
                    #expect(!pids.isEmpty)
                    for pid in pids {
                        let lines = try File.text("/proc/\(pid)/status").split(separator: "\n")
                        let caught = lines.first { $0.hasPrefix("SigCgt:") }?.split(separator: "\t").last
                        let mask = try #require(caught.flatMap { UInt64($0, radix: 16) })
                        #expect(mask & crashes == 0, "\(program) catches \(String(mask, radix: 16))")
                    }
                }
            }
        }

        /// The worker that serves the mount now, once it is another one than `pid`.
        private func nextWorker(_ farm: Farm, _ mount: Farm.Mount, after pid: Int32) throws -> Int32 {
            let deadline = Deadline.after(.seconds(30))
            while !deadline.hasPassed {
                if let now = try farm.status(mount)["worker"]["pid"].number, now != Int(pid) { return Int32(now) }
            }
            throw Trouble("worker \(pid) was not replaced")
        }

        private func waitForWaiting(_ farm: Farm, _ mount: Farm.Mount) throws {
            let deadline = Deadline.after(.seconds(30))
            while !deadline.hasPassed {
                if try farm.status(mount)["worker"]["waiting"].number ?? 0 > 0 { return }
            }
            throw Trouble("nothing waits in the mount")
        }
    }
}
