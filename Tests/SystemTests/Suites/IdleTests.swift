import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What a machine costs on which nothing happens.
    @Suite struct IdleTests {
        /// How often the threads of all processes but the origin went to sleep.
        private func pauses(_ farm: Farm) throws -> Int {
            var sum = 0
            for pid in try farm.processes.all() where pid != farm.originPID {
                for thread in try Directory.names("/proc/\(pid)/task") {
                    let status = try File.text("/proc/\(pid)/task/\(String(decoding: thread, as: UTF8.self))/status")
                    for line in status.split(separator: "\n") where line.hasPrefix("voluntary_ctxt_switches:") {
                        sum += try #require(Int(line.drop { !$0.isNumber }))
                    }
                }
            }
            return sum
        }

        @Test func allProcessesTogetherWakeAtMostOnceASecond() throws {
            try Farm.run(Repository.small) { farm, _ in
                for name in ["a", "b", "c"] { try Program.shell("ls -lR . >/dev/null", in: farm.mount(name).path) }
                // Time is what this is about. What the work before left behind may still wake somebody in the first windows.
                let seconds = 5
                var before = try pauses(farm)
                try until("a window with at most \(seconds) wake-ups") {
                    sleep(UInt32(seconds))
                    let now = try pauses(farm)
                    defer { before = now }
                    return now - before <= seconds
                }
                // One thread of Dispatch, and it looks at its pool once a second.
                let supervisor = try #require(farm.supervisorPID)
                let threads = try Directory.names("/proc/\(supervisor)/task").map {
                    try File.text("/proc/\(supervisor)/task/\(String(decoding: $0, as: UTF8.self))/comm")
                }
                #expect(!threads.contains { $0.contains("-qos") }, "\(threads)")
            }
        }
    }
}
