import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// The supervisor is told to end and to leave everything running; the next one brings other programs.
    @Suite struct UpgradeTests {
        private let keeping = options(.lazy)

        private static func options(_ form: Form) -> Farm.Options {
            Farm.Options(limit: .seconds(180), form: form, onStop: "keep", ownPrograms: true)
        }

        @Test(arguments: Form.allCases) func aRestartLeavesEverythingRunning(form: Form) throws {
            try Farm.run(Repository.small, Self.options(form)) { farm, _ in
                let mounts = try (0..<3).map { try farm.mount("job\($0)") }
                let jobs = try mounts.map { try ReadingJob(farm, $0) }
                for job in jobs { try job.waitForRounds(1) }
                let (workers, owner) = (try mounts.map(farm.workerPID), try ownerPID(farm))
                try farm.stopSupervisor()
                for job in jobs { try job.waitForRounds(1) }
                #expect(try farm.processes.all().count == workers.count + 2, "workers, owner and origin")
                try farm.startSupervisor()
                #expect(try mounts.map(farm.workerPID) == workers)
                #expect(try ownerPID(farm) == owner)
                for job in jobs { try job.waitForRounds(1) }
                for job in jobs { try job.finish() }
            }
        }

        @Test(arguments: Form.allCases) func newProgramsReplaceWhatRunsWithoutAJobNoticing(form: Form) throws {
            try Farm.run(Repository.small, Self.options(form)) { farm, _ in
                let mounts = try (0..<3).map { try farm.mount("job\($0)") }
                let jobs = try mounts.map { try ReadingJob(farm, $0) }
                for job in jobs { try job.waitForRounds(1) }
                let (workers, owner) = (try mounts.map(farm.workerPID), try ownerPID(farm))
                try farm.stopSupervisor()
                for program in farm.programs.keys { try farm.install(program) }
                try farm.startSupervisor()
                for (mount, worker) in zip(mounts, workers) {
                    try until("the worker of \(mount.id)") {
                        try farm.status(mount)["worker"]["pid"].number.map { $0 != Int(worker) } ?? false
                    }
                    #expect(try farm.status(mount)["worker"]["restarts"].number == 1)
                }
                #expect(try ownerPID(farm) != owner)
                for job in jobs { try job.waitForRounds(2) }
                for mount in mounts { #expect(try File.text(mount.path + "/many/file7").hasPrefix("line 7\n")) }
                for job in jobs { try job.finish() }
                try farm.expectLogged("info cache ended")
                for mount in mounts { try farm.unmount(mount) }
            }
        }

        /// Nothing is handed to a worker that could not serve it: the old one stays.
        @Test(arguments: ["worker-control", "worker-session"])
        func aWorkerOfAnotherVersionIsGivenNothing(kind: String) throws {
            try Farm.run(Repository.small, keeping) { farm, _ in
                let mount = try farm.mount("m")
                let job = try ReadingJob(farm, mount)
                try job.waitForRounds(1)
                let worker = try farm.workerPID(mount)
                try farm.stopSupervisor()
                try farm.install("antares-worker", script: "exec '\(Program.built("protocol-double"))' \(kind)")
                try farm.startSupervisor()
                try farm.expectLogged("is left in place")
                try farm.expectLogged("90 to 91")
                #expect(try farm.workerPID(mount) == worker)
                try job.waitForRounds(2)
                #expect(try farm.api.post("/mounts", .object(["path": "/", "job_id": "next"])).status != 200)

                // The right program, and all is well.
                try farm.stopSupervisor()
                try farm.install("antares-worker")
                try farm.startSupervisor()
                try until("the new worker") {
                    guard let pid = try? farm.workerPID(mount) else { return false }
                    return pid != worker
                }
                try job.finish()
            }
        }

        @Test func anOwnerOfAnotherVersionIsNotStarted() throws {
            try Farm.run(Repository.small, keeping) { farm, _ in
                let mount = try farm.mount("m")
                let job = try ReadingJob(farm, mount)
                try job.waitForRounds(1)
                let owner = try ownerPID(farm)
                try farm.stopSupervisor()
                try farm.install("dicfuse-cache", script: "exec '\(Program.built("protocol-double"))' owner \"$@\"")
                try farm.startSupervisor()
                try farm.expectLogged("does not speak with this supervisor")
                #expect(try ownerPID(farm) == owner)
                try job.waitForRounds(2)
                try farm.stopSupervisor()
                try farm.install("dicfuse-cache")
                try farm.startSupervisor()
                try job.finish()
            }
        }

        private func ownerPID(_ farm: Farm) throws -> Int {
            try #require(try farm.api.get("/health").body["cache_pid"].number)
        }
    }
}
