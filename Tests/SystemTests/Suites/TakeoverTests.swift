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

        @Test func readersSeeNoErrorWhenWorkersAreKilled() throws {
            try Farm.run(everyKind, Farm.Options(limit: .seconds(300))) { farm, repository in
                let worktree = try repository.worktree(try repository.head())
                let wanted = try Program.shell(
                    "find . -name .git -prune -o -type f -print0 | sort -z | xargs -0 md5sum | md5sum", in: worktree)
                var kills = 0
                // More than five ends of one mount's workers within a minute count as a crash loop, so each mount gets four.
                for round in 0..<6 {
                    let mount = try farm.mount("round\(round)")
                    let output = try CapturedOutput()
                    let errors = try CapturedOutput()
                    let reader = try Program.start(
                        "/bin/bash", ["-euo", "pipefail", "-c", Self.readAll], output: output.raw, errors: errors.raw,
                        directory: mount.path)
                    var last: Int32 = 0
                    for _ in 0..<4 where !reader.waitForEnd(until: .now) {
                        let pid = try nextWorker(farm, mount, after: last)
                        (try? ChildProcess(adopting: pid))?.signal(SIGKILL)
                        last = pid
                        kills += 1
                    }
                    #expect(reader.waitForEnd(until: .after(.seconds(60))))
                    let complaint = Comment(rawValue: "round \(round): \(try errors.text())")
                    #expect(reader.reap() == .code(0), complaint)
                    #expect(try output.text() == wanted, complaint)
                    let restarts = try farm.status(mount)["worker"]["restarts"].number
                    #expect(try #require(restarts) >= 1)
                    #expect(try farm.status(mount)["worker"]["last_restart_cause"].text != nil)
                    try farm.unmount(mount)
                }
                #expect(kills >= 16)
            }
        }

        @Test func coldReadsSurviveTheirWorkers() throws {
            // Reads that wait for the origin are in flight when the worker dies; the next worker is asked again.
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "60s")) { farm, _ in
                let mount = try farm.mount("m")
                _ = try Directory.names(mount.path + "/many")
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                origin.signal(SIGSTOP)
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

        @Test func readsGoOnWhenTheCacheOwnerIsKilled() throws {
            try Farm.run(Repository.small) { farm, _ in
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
                let another = try farm.mount("another")
                #expect(try Program.run(another.path + "/bin/hello", []).output == "hello from the tree\n")
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
