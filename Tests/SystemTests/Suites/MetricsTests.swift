import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What the metrics and the status say of requests, fetches and their ends.
    @Suite struct MetricsTests {
        /// The value of a series, as it is written.
        private func value(_ series: String, _ farm: Farm) throws -> Double {
            let line = try farm.api.get("/metrics", text: true).split(separator: "\n")
                .first { $0.hasPrefix(series + " ") }
            return try #require(line?.split(separator: " ").last.flatMap { Double($0) }, "\(series)")
        }

        private func worker(_ farm: Farm) throws -> JSON {
            let workers = try farm.api.get("/workers").body["workers"].elements
            return try #require(workers.first { $0["kind"] == "worker" })
        }

        private static let requests = "antares_fuse_request_duration_seconds_count"

        @Test(arguments: Form.allCases) func whatIsCountedOutlivesWorkersAndMounts(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                let made = "antares_mount_duration_seconds_count{outcome=\"ready\",lower=\"\(form)\"}"
                #expect(try value(made, farm) == 1)
                let series = ["lookup", "getattr", "read", "other"].map { "\(Self.requests){operation=\"\($0)\"}" }
                try until("lookups") { try value(series[0], farm) > 0 }
                if form == .lazy { try until("reads") { try value(series[2], farm) > 0 } }
                let before = try series.map { try value($0, farm) }
                try farm.signalWorker(mount, SIGKILL)
                #expect(try File.text(mount.path + "/many/file7").hasPrefix("line 7"))
                let between = try series.map { try value($0, farm) }
                for (old, new) in zip(before, between) { #expect(new >= old) }
                #expect(try value("antares_worker_restarts_total{reason=\"killed\"}", farm) == 1)
                try farm.unmount(mount)
                for (old, name) in zip(between, series) { #expect(try value(name, farm) >= old, "\(name)") }
                #expect(try value("antares_unmount_duration_seconds_count{rung=\"plain\"}", farm) == 1)
                #expect(try value("antares_mounts{state=\"ready\"}", farm) == 0)
                let text = try farm.api.get("/metrics", text: true)
                #expect(MetricsFormat.problems(in: text) == [])
            }
        }

        @Test func anErrorIsCountedByItsCause() throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "300ms")) { farm, _ in
                let series = "antares_fuse_failures_total{cause=\"deadline\"}"
                let mount = try farm.mount("m")
                #expect(try value(series, farm) == 0)
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                #expect(try !Program.run("/bin/cat", [mount.path + "/lib/one"]).succeeded)
                origin.signal(SIGCONT)
                try until("the failure") { try value(series, farm) >= 1 }
                let failures = try value(series, farm)
                try farm.unmount(mount)
                #expect(try value(series, farm) >= failures)
                #expect(try value("antares_fuse_failures_total{cause=\"damaged\"}", farm) == 0)
            }
        }

        @Test func whatCameAheadIsCounted() throws {
            try Farm.run(Repository.small) { farm, _ in
                var (brought, used) = (0.0, 0.0)
                // Of what is just being fetched, and by a reader that is faster than the owner for once, little comes ahead.
                for attempt in 1...5 where used < 50 {
                    let mount = try farm.mount("m\(attempt)")
                    // Read in their order, one after the other.
                    let all =
                        "cd '\(mount.path)/many' && for file in $(ls | sort | head -n 200); do cat \"$file\" >&2; done"
                    _ = try Program.shell(all)
                    brought = try value("antares_ahead_brought_total", farm)
                    used = try value("antares_ahead_used_total", farm)
                    #expect(used <= brought && brought <= Double(attempt * 2 * 200), "\(used) of \(brought)")
                    try farm.unmount(mount)
                    #expect(try value("antares_ahead_used_total", farm) >= used)
                }
                #expect(used >= 50, "of \(brought)")
            }
        }

        @Test func theAgeOfARequestIsItsOwn() throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "60s")) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                try until("rest") { try worker(farm)["waiting"] == 0 }
                #expect(try worker(farm)["oldest_in_flight_s"].number == nil)
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let begin = Deadline.now
                let reader = try Program.start("/bin/cat", [mount.path + "/lib/one"])
                func age() throws -> Double { try value("antares_fuse_oldest_request_seconds", farm) }
                try until("a second") { try age() >= 1 }
                #expect(try age() <= Deadline.now.since(begin) / .seconds(1))
                let waiting = try worker(farm)
                #expect((waiting["in_flight"].number ?? 0) >= 1)
                #expect((waiting["waiting"].number ?? 0) >= (waiting["in_flight"].number ?? 0))
                #expect((waiting["oldest_in_flight_s"].number ?? 0) >= 1)
                #expect(try farm.antares("workers").output.contains("OLDEST"))
                let old = try farm.workerPID(mount)
                try farm.signalWorker(mount, SIGKILL)
                let killed = Deadline.now
                try until("the next worker") {
                    try farm.status(mount)["worker"]["pid"].number.map { $0 != Int(old) } ?? false
                }
                try until("the request is with it") { try age() >= 1 }
                // It is not counted from the next worker's start.
                let sinceDeath = Deadline.now.since(killed)
                let shown = try age()
                #expect(shown > sinceDeath / .seconds(1) && shown <= Deadline.now.since(begin) / .seconds(1))
                // One that was stopped can be asked nothing.
                try farm.signalWorker(mount, SIGSTOP)
                #expect(try age() >= 1)
                origin.signal(SIGCONT)
                #expect(reader.waitForEnd(until: .after(.seconds(30))) && reader.reap() == .code(0))
                try until("rest") { try age() == 0 && worker(farm)["in_flight"] == 0 }
                try farm.unmount(mount)
            }
        }

        @Test func aRequestThatNobodyReadsHasAnAge() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                try farm.signalWorker(mount, SIGSTOP)
                let reader = try Program.start("/bin/cat", [mount.path + "/lib/one"])
                // It is found stopped, and replaced, a second after the first look at the earliest.
                try until("an age") { try value("antares_fuse_oldest_request_seconds", farm) >= 0.2 }
                #expect(reader.waitForEnd(until: .after(.seconds(30))) && reader.reap() == .code(0))
                try farm.unmount(mount)
            }
        }

        @Test func slowFetchesAreToldOfAfterAReloadAndARestartOfTheOwner() throws {
            let options = Farm.Options(requestTimeout: "30s", settings: "slow_operation = \"1h\"")
            try Farm.run(Repository.small, options) { farm, _ in
                let mount = try farm.mount("m")
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                let slow = "antares_cache_slow_fetches_total"
                /// Takes longer than the second look of the heartbeat.
                func readSlowly(_ path: String) throws {
                    try origin.stop()
                    let reader = try Program.start("/bin/cat", [mount.path + path])
                    try until("a request that waits") { try (worker(farm)["oldest_in_flight_s"].number ?? 0) >= 1 }
                    origin.signal(SIGCONT)
                    #expect(reader.waitForEnd(until: .after(.seconds(30))) && reader.reap() == .code(0))
                }
                try readSlowly("/lib/one")
                #expect(try value(slow, farm) == 0)
                try Program.shell(
                    "sed -i 's/^slow_operation.*/slow_operation = \"400ms\"/' supervisor.toml", in: farm.directory)
                farm.supervisor?.signal(SIGHUP)
                try farm.expectLogged("the configuration was read again")
                try readSlowly("/src/deep/down/leaf")
                #expect(try value(slow, farm) >= 1)
                let owner = try #require(try farm.processes.named("dicfuse-cache").first)
                try ChildProcess(adopting: owner).signal(SIGKILL)
                try until("the next owner") {
                    try farm.processes.named("dicfuse-cache") != [owner] && value("antares_cache_up", farm) == 1
                }
                try readSlowly("/many/file7")
                #expect(try value(slow, farm) >= 1, "of the next owner")
                try farm.unmount(mount)
            }
        }
    }
}
