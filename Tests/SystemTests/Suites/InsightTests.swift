import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What operators see, also while nothing goes on.
    @Suite struct InsightTests {
        @Test func everyProcessIsInSight() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("seen")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                let status = try farm.api.get("/status").body
                #expect(status["hardening"] == .boolean(true) && status["mounts_by_state"]["Ready"] == 1)
                let kinds = status["processes"].elements.compactMap { $0["kind"].text }
                #expect(kinds.filter { $0 == "spare" }.count >= 1)
                #expect(Set(kinds).isSuperset(of: ["supervisor", "cache", "worker", "spare"]))
                let shown = try farm.api.get("/workers").body
                #expect(shown["service"].elements.compactMap { $0["kind"].text } == ["supervisor", "cache"])
                let worker = try #require(shown["workers"].elements.first { $0["kind"] == "worker" })
                #expect(worker["mount_id"].text == mount.id && worker["job_id"] == "seen")
                #expect(worker["pid"].number.map(Int32.init) == (try farm.workerPID(mount)))
                #expect(worker["state"] == "Ready" && worker["lower"] == "lazy")
                #expect((worker["served"].number ?? 0) > 0 && (worker["fds"].number ?? 0) > 3)
                #expect(worker["holders"].elements == ["supervisor", "worker", "cache"])
                let started = try #require(worker["started_at_epoch_ms"].number)
                var now = timespec()
                clock_gettime(CLOCK_REALTIME, &now)
                #expect(abs(started / 1000 - now.tv_sec) < 120)
                let table = try farm.antares("workers")
                #expect(table.succeeded && table.output.contains("seen") && table.output.contains("HOLDERS"))
                let all = try farm.antares("status")
                for word in ["STARTED", "OLDEST", "HOLDERS", "supervisor,worker,cache"] {
                    #expect(all.succeeded && all.output.contains(word), "\(word)")
                }
                try farm.unmount(mount)
            }
        }

        @Test func everyTransitionHasItsCause() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("told")
                let one = try farm.antares("status", "told")
                for name in ["lower", "started", "in flight", "holders", "rev"] {
                    #expect(one.output.contains("\n\(name) "), "\(one.output)")
                }
                #expect(one.output.contains("supervisor, worker, cache"))
                try farm.unmount(mount)
                #expect(try farm.antares("mount", "failing", "--path", "/no/such").status == .code(5))
                let lines = try farm.antares("events", "--after", "0", "--json").output.split(separator: "\n")
                let events = try lines.map { try JSON(Array($0.utf8)) }
                let causes = events.filter { $0["kind"].text?.hasPrefix("mount_") == true }.map {
                    "\($0["kind"].text ?? ""): \($0["cause"].text ?? "NONE")"
                }
                for expected in [
                    "mount_provisioning: asked for, for user 0", "mount_mounted: the tree is at its place",
                    "mount_ready: made", "mount_unmounting: asked for by user 0",
                    "mount_unmounted: asked for by user 0",
                ] {
                    #expect(causes.contains(expected), "\(expected) of \(causes)")
                }
                #expect(causes.contains { $0.hasPrefix("mount_failed: ") } && !causes.contains { $0.hasSuffix("NONE") })
                try farm.expectLogged("state=Unmounting cause=\"asked for by user 0\"")
                try farm.expectLogged("state=Ready cause=made")

                // What was given up is explained where it is listed, and while the supervisor is stopped nothing is guessed.
                let supervisor = try ChildProcess(
                    adopting: Int32(
                        try #require(farm.api.get("/status").body["processes"].elements.first?["pid"].number)))
                supervisor.signal(SIGSTOP)
                let doctor = try farm.antares("doctor")
                supervisor.signal(SIGCONT)
                #expect(doctor.output.contains("with which process") && doctor.output.contains("does not answer"))
                #expect(!doctor.output.contains("none is configured"), "\(doctor.output)")
            }
        }

        @Test func itAnswersWhileWorkersHang() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mounts = try (0..<8).map { try farm.mount("m\($0)") }
                for mount in mounts { try farm.signalWorker(mount, SIGSTOP) }
                let begin = Deadline.now
                #expect(try farm.api.get("/workers").status == 200)
                #expect(try farm.api.get("/status").status == 200)
                #expect(try farm.api.get("/metrics", text: true).contains("antares_mounts{state=\"ready\"} 8"))
                // Generous: what it must not do is wait for a worker, which would be found hanging after seconds.
                #expect(Deadline.now.since(begin) < .seconds(5))
                let archive = farm.directory + "/report.tar.gz"
                let report = try farm.antares("bugreport", archive)
                #expect(report.succeeded, "\(report.errors)")
                let names = try Program.shell("tar -tzf '\(archive)'")
                for name in [
                    "status.json", "metrics", "events", "logs.json", "configuration.toml", "mountinfo", "processes",
                ] {
                    #expect(names.contains("./\(name)\n"), "\(name)")
                }
                #expect(try Program.shell("tar -xzOf '\(archive)' ./processes").contains("antares-worker"))
                // Nobody named a file: it is the running supervisor's configuration, and its machine is what doctor looks at.
                let place = "run_dir = \"\(farm.directory)/run\"  # \(farm.configurationPath):"
                #expect(try Program.shell("tar -xzOf '\(archive)' ./configuration.toml").contains(place))
                #expect(try farm.antares("config", "show", "--running").output.contains(place))
                let doctor = try farm.antares("doctor").output
                #expect(doctor.contains("the running supervisor") && doctor.contains(farm.directory), "\(doctor)")
                for mount in mounts { try farm.signalWorker(mount, SIGCONT) }
                for mount in mounts { try farm.unmount(mount) }
            }
        }

        @Test func theMetricsAreWellFormed() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                let text = try farm.api.get("/metrics", text: true)
                #expect(MetricsFormat.problems(in: text) == [])
                for sample in [
                    "antares_cache_up 1", "antares_mounts{state=\"ready\"} 1",
                    "antares_origin_offline{origin=\"local\"} 0",
                    "antares_log_lines_dropped_total{process=\"supervisor\"} 0",
                    "antares_log_lines_dropped_total{process=\"cache\"} 0",
                ] {
                    #expect(text.contains("\n\(sample)\n"), "\(sample)")
                }
                try farm.unmount(mount)
            }
        }

        @Test func whoChangedWhatIsInTheLog() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("audited")
                try farm.unmount(mount)
                let lines = try farm.api.get("/logs?mount=\(mount.id)").body["lines"].elements
                let audit = try #require(lines.last { $0["part"] == "audit" })
                #expect(audit["fields"]["method"] == "DELETE" && audit["fields"]["status"] == "200")
                #expect(audit["fields"]["uid"] == "0" && audit["fields"]["role"] == "operator")
                let making = try #require(lines.first { $0["fields"]["method"] == "POST" })
                #expect(making["fields"]["route"] == "/mounts" && making["fields"]["target"] == .string(mount.id))
                let nobody = try farm.antares("logs", "nosuch")
                #expect(nobody.status == .code(5) && nobody.errors.contains("nosuch"))
                let shown = try farm.antares("logs", "--level", "info")
                #expect(
                    shown.succeeded && shown.output.contains(" info audit call ")
                        && shown.output.contains("method=POST"))
                #expect(try farm.api.get("/logs?lines=0").status == 400)

                // Levels change while it runs.
                func debugLines() throws -> Int {
                    try farm.log().split(separator: "\n").count { $0.contains(" debug ") }
                }
                #expect(try debugLines() == 0)
                try Program.shell(
                    "sed -i 's/^worker_user.*/&\\nlog_levels = [\"api=debug\"]/' supervisor.toml", in: farm.directory)
                farm.supervisor?.signal(SIGHUP)
                let deadline = Deadline.after(.seconds(30))
                while try debugLines() == 0, !deadline.hasPassed { _ = try farm.api.get("/health") }
                #expect(try debugLines() > 0)
            }
        }

        @Test func whatIsSlowIsLoggedAndCounted() throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "30s", settings: "slow_operation = \"400ms\""))
            {
                farm, _ in
                let antares = Program.built("antares")
                let environment = ["ANTARES_SOCKET=\(farm.api.socket)"]
                func counted(_ name: String) throws -> Int {
                    let line = try farm.api.get("/metrics", text: true).split(separator: "\n")
                        .first { $0.hasPrefix(name + " ") }
                    return try #require(line?.split(separator: " ").last.flatMap { Int($0) }, "\(name)")
                }
                let quick = try farm.mount("quick")
                for operation in ["mount", "unmount", "request"] {
                    #expect(try counted("antares_slow_operations_total{operation=\"\(operation)\"}") == 0)
                }
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let reader = try Program.start("/bin/cat", [quick.path + "/lib/one"])
                let maker = try Program.start(antares, ["mount", "slow", "--rev", "HEAD"], environment: environment)
                // Waited for by the second look of the heartbeat, and so for longer than the limit.
                let deadline = Deadline.after(.seconds(30))
                while try !farm.api.get("/workers").body["workers"].elements.contains(where: {
                    ($0["waiting_for_s"].number ?? 0) >= 1
                }), !deadline.hasPassed { _ = poll(nil, 0, 50) }
                origin.signal(SIGCONT)
                #expect(reader.waitForEnd(until: .after(.seconds(30))) && reader.reap() == .code(0))
                #expect(maker.waitForEnd(until: .after(.seconds(30))) && maker.reap() == .code(0))
                let holder = try Program.start("/bin/sleep", ["1000"], directory: quick.path)
                #expect(try farm.antares("umount", "--kill", "quick").succeeded)
                _ = holder.waitForEnd(until: .after(.seconds(10)))
                _ = holder.reap()
                let counted2 = Deadline.after(.seconds(30))
                while try counted("antares_slow_operations_total{operation=\"request\"}") == 0, !counted2.hasPassed {
                    _ = poll(nil, 0, 50)
                }
                #expect(try counted("antares_slow_operations_total{operation=\"request\"}") == 1)
                #expect(try counted("antares_slow_operations_total{operation=\"mount\"}") == 1)
                #expect(try counted("antares_cache_slow_fetches_total") >= 1)
                for line in ["slow requests", "slow mount", "cache slow-fetch"] { try farm.expectLogged(line) }
                #expect(try farm.antares("umount", "slow").succeeded)
            }
        }

        /// Where Prometheus's own tool is installed; `.ci/run` sees to that.
        @Test(.enabled(if: access("/usr/bin/promtool", X_OK) == 0)) func prometheusFindsNothingWrong() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                try ChildProcess(adopting: farm.workerPID(mount)).signal(SIGKILL)
                #expect(try File.text(mount.path + "/many/file7").hasPrefix("line 7"))
                let of = "curl -sS --unix-socket '\(farm.api.socket)' http://x/metrics"
                for source in [of, "curl -sS '\(farm.originURL)/metrics'"] {
                    let findings = try Program.shell("\(source) | promtool check metrics 2>&1 || true")
                    #expect(findings == "", "\(source)")
                }
                // What it would say of a slip.
                let slip = "printf 'x_total 1\\nx_total 2\\n' | promtool check metrics 2>&1 || true"
                #expect(try Program.shell(slip) != "")
                try farm.unmount(mount)
            }
        }

        @Test func linesOfWorkersAndOwnerAreKept() throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "300ms", onStop: "keep")) { farm, _ in
                func lines(_ query: String) throws -> [JSON] {
                    try farm.api.get("/logs?" + query).body["lines"].elements
                }
                let mount = try farm.mount("m")
                #expect(try lines("lines=2000").contains { $0["part"] == "cache" && $0["message"] == "ready" })
                // The next supervisor hears those that the last one started.
                try farm.killSupervisor()
                try farm.startSupervisor()
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                #expect(try !Program.run("/bin/cat", [mount.path + "/lib/one"]).succeeded)
                origin.signal(SIGCONT)
                let deadline = Deadline.after(.seconds(20))
                func failures() throws -> [JSON] {
                    try lines("lines=2000&mount=\(mount.id)").filter { $0["part"] == "worker" }
                }
                while try failures().isEmpty, !deadline.hasPassed { _ = poll(nil, 0, 20) }
                let failure = try #require(try failures().first)
                #expect(failure["level"] == "warning" && failure["fields"]["mount"].text == mount.id)
                #expect(failure["fields"]["pid"].text == "\(try farm.workerPID(mount))")
                #expect(try farm.antares("logs", "m").output.contains(failure["message"].text ?? "-"))
                // Standard error has them, as ever.
                try farm.expectLogged(" worker \(failure["message"].text ?? "-") mount=\(mount.id)")
                try farm.unmount(mount)
            }
        }
    }
}
