import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    @Suite struct DoctorTests {
        private func doctor(_ farm: Farm) throws -> (Finished, [JSON]) {
            let done = try Program.run(
                Program.built("antares"), ["--json", "doctor", "--config", farm.directory + "/supervisor.toml"],
                limit: .seconds(30))
            return (done, try JSON(Array(done.output.utf8))["checks"].elements)
        }

        @Test func aHealthyFarmHasNoFailures() throws {
            try Farm.run(Repository.small) { farm, _ in
                _ = try farm.mount("m")
                let (done, checks) = try doctor(farm)
                #expect(done.succeeded, "\(done)")
                for name in [
                    "kernel", "fuse", "overlay", "upper", "lock", "socket", "supervisor", "mount m", "origin local",
                ] {
                    #expect(
                        checks.contains { $0["name"].text == name && $0["outcome"] == "ok" },
                        "\(name) in \(done.output)")
                }
            }
        }

        @Test func stoppedWorkersAreFoundAndHoldNobodyUp() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mounts = try (0..<5).map { try farm.mount("m\($0)") }
                let workers = try mounts.map { try ChildProcess(adopting: try farm.workerPID($0)) }
                // A sealed mount needs no worker for what it shows.
                let lazy = try mounts.filter { try farm.status($0)["lower"] == "lazy" }
                #expect(!lazy.isEmpty)
                // A supervisor would replace them within a second.
                try farm.killSupervisor()
                try workers.stop()
                let began = Deadline.now
                let (done, checks) = try doctor(farm)
                // The issue's own bound.
                #expect(Deadline.now < began.advanced(by: .seconds(10)))
                for worker in workers { worker.signal(SIGCONT) }
                #expect(done.status == .code(1))
                for mount in lazy {
                    let check = checks.first { $0["name"].text == "mount \(mount.id)" }
                    #expect(check?["outcome"] == "failure" && check?["fix"].text != nil, "\(done.output)")
                }
                try farm.startSupervisor()
            }
        }

        @Test func itWorksWithoutASupervisor() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                try farm.killSupervisor()
                let (_, checks) = try doctor(farm)
                #expect(checks.contains { $0["name"] == "supervisor" && $0["outcome"] == "warning" })
                #expect(
                    checks.contains { $0["name"].text == "mount \(mount.id)" && $0["outcome"] == "ok" },
                    "from its record")
                try farm.startSupervisor()
            }
        }

        @Test func aTakenPortNamesWhoHasIt() throws {
            try Farm.run(Repository.small) { farm, _ in
                let address = farm.originURL.dropFirst("http://".count)
                let second = try Program.run(
                    Program.built("antares-supervisor"),
                    [
                        "--config", farm.directory + "/supervisor.toml", "--set", "supervisor.listen=\(address)",
                        "--set", "supervisor.auth=none", "--set",
                        "supervisor.run_dir=\(farm.directory)/run2", "--set",
                        "supervisor.socket=\(farm.directory)/run2/s", "--set",
                        "supervisor.worker_user=antares-no-such-user",
                    ])
                #expect(second.status == .code(4), "\(second)")
                #expect(
                    second.errors.contains("process \(try #require(farm.originPID)) (antares-origin)"),
                    "\(second.errors)")
                #expect(second.errors.contains("antares-no-such-user"), "all problems at once: \(second.errors)")
            }
        }
    }
}
