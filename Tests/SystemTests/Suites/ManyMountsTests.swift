import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Two hundred at once.
    @Suite struct ManyMountsTests {
        private static let count = 200

        private func mountAll(_ farm: Farm) throws -> [Farm.Mount] {
            try (0..<Self.count).map { try farm.mount("m\($0)") }
        }

        private func end(_ processes: [ChildProcess]) {
            for process in processes { process.signal(SIGKILL) }
            for process in processes {
                #expect(process.waitForEnd(until: .after(.seconds(10))))
                _ = process.reap()
            }
        }

        @Test(arguments: Form.allCases) func twoHundredUnmountsAtOnce(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(limit: .seconds(300), form: form)) { farm, _ in
                let mounts = try mountAll(farm)
                let ids = mounts.map(\.id).joined(separator: " ")
                let answers = try Program.shell(
                    """
                    for id in \(ids); do curl -sS -m 30 --unix-socket '\(farm.api.socket)' -X DELETE "http://x/mounts/$id" & done; wait
                    """)
                #expect(
                    answers.split(separator: "\n").filter { $0.contains("\"state\":\"Unmounted\"") }.count == Self.count
                )
                #expect(try farm.mounts() == [farm.mountRoot])
            }
        }

        /// With every worker stopped, too, and the origin silent.
        @Test(arguments: Form.allCases) func aStopWithTwoHundredBusyMountsEndsInTime(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(limit: .seconds(300), form: form)) { farm, _ in
                let mounts = try mountAll(farm)
                let holders = try mounts.map { try Program.start("/bin/sleep", ["1000"], directory: $0.path) }
                defer { end(holders) }
                try farm.processes.named("antares-worker").compactMap { try? ChildProcess(adopting: $0) }.stop()
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let began = Deadline.now
                try farm.stopSupervisor()
                // They end side by side, each within its five seconds; the rest is for starting and stopping two hundred processes.
                #expect(Deadline.now < began.advanced(by: .seconds(10)))
                origin.signal(SIGCONT)
                #expect(try farm.mounts() == [])
                #expect(try farm.processes.named("antares-worker") == [])
            }
        }

        /// Busy, and with every worker stopped: nothing of it is in the way, and every job goes on in the same mount.
        @Test func aStopThatKeepsThemLeavesAllForTheNextStart() throws {
            try Farm.run(Repository.small, Farm.Options(limit: .seconds(400), onStop: "keep")) { farm, _ in
                let mounts = try mountAll(farm)
                let holders = try mounts.map { try Program.start("/bin/sleep", ["1000"], directory: $0.path) }
                defer { end(holders) }
                for mount in mounts {
                    try File.replace(mount.path + "/mine", with: Array(mount.id.utf8), durable: false)
                }
                let stopped = try farm.processes.named("antares-worker").map { try ChildProcess(adopting: $0) }
                try stopped.stop()
                let began = Deadline.now
                try farm.stopSupervisor()
                #expect(Deadline.now < began.advanced(by: .seconds(10)))
                #expect(try farm.mounts().count == Self.count + 1)
                for worker in stopped { worker.signal(SIGCONT) }
                for mount in mounts { #expect(try File.text(mount.path + "/mine") == mount.id) }
                try farm.startSupervisor()
                #expect(try farm.api.get("/health").body["mount_count"] == .number(Double(Self.count)))
                for mount in mounts {
                    #expect(try File.text(mount.path + "/mine") == mount.id)
                    #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                    #expect(try farm.status(mount)["state"] == "Ready")
                }
            }
        }
    }
}
