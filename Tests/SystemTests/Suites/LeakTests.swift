import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Many mounts come and go, with kills, clients that go away and holders in the way; afterwards everything is as at the start.
    @Suite struct LeakTests {
        /// ANTARES_LEAK_CYCLES and ANTARES_LEAK_SEED choose how many and which.
        private static func setting(_ name: String, _ standard: Int) -> Int {
            getenv(name).flatMap { Int(String(cString: $0)) } ?? standard
        }

        /// xorshift64*: the same seed is the same run.
        private struct Dice {
            var state: UInt64

            mutating func roll(_ sides: UInt64) -> UInt64 {
                state ^= state >> 12
                state ^= state << 25
                state ^= state >> 27
                return (state &* 0x2545_F491_4F6C_DD1D) >> 33 % sides
            }
        }

        /// What a process and the machine have of the things that could leak.
        private struct Census: Equatable {
            var descriptors: [String: Int] = [:]
            /// Of the supervisor, by name.
            var threads: [String: Int] = [:]
            var mounts = 0
            var directories = 0
            var sockets = 0
            var zombies = 0
            var workers = 0

            /// What there is more of than `before`. A connection that a client has left is closed after a minute, so there may be less.
            func leaks(since before: Census) -> [String] {
                func more(_ what: String, _ old: [String: Int], _ new: [String: Int]) -> [String] {
                    new.filter { $0.value > old[$0.key] ?? 0 }
                        .map { "\(what) \($0.key): \(old[$0.key] ?? 0) before, \($0.value) after" }.sorted()
                }
                func counts(_ census: Census) -> [String: Int] {
                    [
                        "mounts": census.mounts, "directories": census.directories, "sockets": census.sockets,
                        "zombies": census.zombies, "workers": census.workers,
                    ]
                }
                return more("descriptor", before.descriptors, descriptors) + more("thread", before.threads, threads)
                    + more("number of", counts(before), counts(self))
            }
        }

        private func census(_ farm: Farm) throws -> Census {
            var census = Census()
            let supervisor = try #require(farm.supervisorPID)
            let owner = try #require(try farm.api.get("/health").body["cache_pid"].number)
            for pid in [supervisor, Int32(owner)] {
                for name in try Directory.names("/proc/\(pid)/fd") {
                    let link = (try? File.linkTarget("/proc/\(pid)/fd/\(String(decoding: name, as: UTF8.self))")) ?? ""
                    // The connections of clients come and go with them; object files are a bounded cache.
                    // So are the user namespaces of the owners that sealed mounts were mapped to.
                    if link.contains("/objects/") || link.hasPrefix("user:") { continue }
                    census.descriptors["\(pid) " + link.prefix { $0 != ":" && $0 != "[" }.prefix(60), default: 0] += 1
                }
            }
            for thread in try Directory.names("/proc/\(supervisor)/task").map({ String(decoding: $0, as: UTF8.self) }) {
                let name = (try? File.text("/proc/\(supervisor)/task/\(thread)/comm"))?.dropLast() ?? "?"
                // Those of Swift's pool (libdispatch) come and go with the load.
                if name.hasSuffix("-qos") || name.hasSuffix("-qos.overcommit") { continue }
                census.threads[String(name), default: 0] += 1
            }
            census.mounts = try farm.mounts().count
            census.directories =
                try Program.shell(
                    "find '\(farm.directory)'/mnt '\(farm.directory)'/upper '\(farm.builds)' -mindepth 1 | wc -l"
                ).split(separator: "\n").first.flatMap { Int($0) } ?? -1
            census.sockets = try Directory.names(farm.directory + "/run/workers").count
            census.workers = try farm.processes.named("antares-worker").count
            census.zombies =
                try Program.shell("ps -o stat= --ppid \(supervisor) | grep -c Z || true")
                .split(separator: "\n").first.flatMap { Int($0) } ?? -1
            return census
        }

        /// Waits until spares are there and the trash is empty: then two looks at the same machine must be equal, and show nothing more than `wanted`.
        private func settled(_ farm: Farm, like wanted: Census?) throws -> Census {
            // Longer than the API keeps a connection on which nothing happens (60 s).
            let deadline = Deadline.after(.seconds(90))
            var last = try census(farm)
            while !deadline.hasPassed {
                usleep(200_000)
                let now = try census(farm)
                if now == last, now.workers == 4, wanted.map({ now.leaks(since: $0).isEmpty }) ?? true { return now }
                last = now
            }
            return last
        }

        private func residentKB(_ farm: Farm) throws -> Int {
            let status = try File.text("/proc/\(try #require(farm.supervisorPID))/status")
            let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
            return Int(line.filter(\.isNumber)) ?? 0
        }

        @Test(arguments: Form.allCases) func afterManyMountsEverythingIsAsItWas(form: Form) throws {
            let cycles = Self.setting("ANTARES_LEAK_CYCLES", 200)
            let seed = Self.setting("ANTARES_LEAK_SEED", 20_260_101)
            let options = Farm.Options(
                limit: .seconds(120 + Int64(cycles)), form: form, settings: "unmount_timeout = \"1s\"")
            try Farm.run(Repository.small, options) { farm, _ in
                var dice = Dice(state: UInt64(seed) | 1)
                // What is made once, on first use, is there before the first census.
                for number in 0..<20 { try cycle(farm, "warm\(number)", &dice) }
                let before = try settled(farm, like: nil)
                let memory = try residentKB(farm)
                for number in 0..<cycles { try cycle(farm, "c\(number)", &dice) }
                let after = try settled(farm, like: before)
                #expect(after.leaks(since: before) == [], "seed \(seed)")
                #expect(after.workers == before.workers && after.mounts == before.mounts, "seed \(seed)")
                // Swift's and glibc's allocators keep some; a leak of one mount's state each time would be far more.
                #expect(try residentKB(farm) < memory + 8192 + cycles * 2, "seed \(seed)")
            }
        }

        private func cycle(_ farm: Farm, _ job: String, _ dice: inout Dice) throws {
            switch dice.roll(10) {
            case 0:
                // A client that goes away while its mount is made leaves a listed mount or nothing.
                let client = try StreamSocket.connect(farm.api.socket)
                let body = "{\"path\":\"/\",\"job_id\":\"\(job)\"}"
                let text = "POST /mounts HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                try Array(text.utf8).withUnsafeBytes { try File.write(client.raw, $0) }
                close(client.take())
                for _ in 0..<200 {
                    if try farm.api.get("/mounts/by-job/\(job)").body["state"] == "Ready" { break }
                    usleep(2000)
                }
                let left = try farm.api.delete("/mounts/by-job/\(job)")
                #expect(left.status == 200 || left.status == 404, "\(left)")
            case 1:
                let mount = try farm.mount(job)
                (try? ChildProcess(adopting: farm.workerPID(mount)))?.signal(SIGKILL)
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                try farm.unmount(mount)
            case 2:
                let mount = try farm.mount(job)
                let holder = try Program.start("/bin/sleep", ["1000"], directory: mount.path)
                let how = ["?force=true", "?kill=true", ""][Int(dice.roll(3))]
                #expect(try farm.api.delete("/mounts/\(mount.id)\(how)").status == 200)
                holder.signal(SIGKILL)
                #expect(holder.waitForEnd(until: .after(.seconds(10))))
                _ = holder.reap()
            case 3:
                let mount = try farm.mount(job, ["mountpoint": .string(farm.builds + "/x/\(job)")])
                try farm.signalWorker(mount, SIGSTOP)
                try farm.unmount(mount)
            default:
                let mount = try farm.mount(job)
                try Program.shell("cat src/name >copy; mkdir d", in: mount.path)
                try farm.unmount(mount)
            }
        }
    }
}
