import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What a service manager sees of the supervisor; the manager is a socket of the test.
    @Suite struct ServiceTests {
        private static func managed(_ farm: Farm, _ body: (ManagerSocket) throws -> Void) throws {
            let manager = try ManagerSocket(farm.directory + "/notify")
            try farm.killSupervisor()
            try farm.startSupervisor(environment: [
                "NOTIFY_SOCKET=\(farm.directory)/notify", "WATCHDOG_USEC=2000000",
            ])
            try body(manager)
        }

        @Test func aManagerIsToldHowItIs() throws {
            try Farm.run(Repository.small) { farm, _ in
                try Self.managed(farm) { manager in
                    try manager.wait(for: "the start") { $0.hasPrefix("STATUS=starting") }
                    try manager.wait(for: "READY") { $0 == "READY=1" }
                    try farm.expectLogged("watchdog is too short")
                    let mount = try farm.mount("m")
                    try manager.wait(for: "the mount") { $0.hasPrefix("STATUS=1 mounts, ") }
                    // Without a mount and with one.
                    for _ in 0..<3 { try manager.wait(for: "a sign of life") { $0 == "WATCHDOG=1" } }
                    try farm.unmount(mount)
                    try manager.wait(for: "its end") { $0.hasPrefix("STATUS=0 mounts") }
                    for _ in 0..<2 { try manager.wait(for: "a sign of life") { $0 == "WATCHDOG=1" } }
                    try farm.stopSupervisor()
                    try manager.wait(for: "the stop") { $0 == "STOPPING=1" }
                    try manager.wait(for: "the time it takes") { $0 == "EXTEND_TIMEOUT_USEC=35000000" }
                    try farm.startSupervisor()
                }
            }
        }

        @Test func oneThatIsStoppedGivesNoSign() throws {
            try Farm.run(Repository.small) { farm, _ in
                try Self.managed(farm) { manager in
                    try manager.wait(for: "a sign of life") { $0 == "WATCHDOG=1" }
                    farm.supervisor?.signal(SIGSTOP)
                    defer { farm.supervisor?.signal(SIGCONT) }
                    // What was sent before it stopped.
                    var quiet = 0
                    while quiet < 3 {
                        let before = manager.said.count
                        _ = poll(nil, 0, 1000)
                        try manager.takeAll()
                        quiet = manager.said.count == before ? quiet + 1 : 0
                    }
                }
            }
        }

        @Test func theConfigurationIsReadAgain() throws {
            try Farm.run(Repository.small) { farm, _ in
                try Self.managed(farm) { manager in
                    try manager.wait(for: "READY") { $0 == "READY=1" }
                    try Program.shell(
                        "sed -i -e 's/^worker_user.*/&\\nmax_mounts = 1/' -e 's/^limit.*/limit = \"5GiB\"/' supervisor.toml",
                        in: farm.directory)
                    farm.supervisor?.signal(SIGHUP)
                    try manager.wait(for: "RELOADING") { $0 == "RELOADING=1" }
                    try manager.wait(for: "when") { $0.hasPrefix("MONOTONIC_USEC=") }
                    try manager.wait(for: "READY again") { $0 == "READY=1" }
                    let first = try farm.mount("first")
                    let refused = try farm.api.post("/mounts", ["path": "/", "job_id": "second"])
                    #expect(refused.status == 503 && refused.body["code"] == "OVERLOADED")
                    try farm.expectLogged("these keys count after a restart keys=cache.limit")

                    try Program.shell(
                        "sed -i 's/^max_mounts.*/max_mounts = \"many\"/' supervisor.toml", in: farm.directory)
                    farm.supervisor?.signal(SIGHUP)
                    try manager.wait(for: "READY again") { $0 == "READY=1" }
                    try farm.expectLogged("the configuration stays as it was")
                    #expect(try farm.api.post("/mounts", ["path": "/", "job_id": "second"]).status == 503)
                    try farm.unmount(first)
                }
            }
        }
    }
}
