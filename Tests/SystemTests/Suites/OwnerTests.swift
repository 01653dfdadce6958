import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// The cache owner dies, hangs, or is only slow.
    @Suite struct OwnerTests {
        private func owner(_ farm: Farm) throws -> ChildProcess {
            try ChildProcess(adopting: Int32(try #require(try farm.api.get("/health").body["cache_pid"].number)))
        }

        /// What the store has is read without the origin, by the same workers, whatever becomes of owners.
        @Test(arguments: Form.allCases) func ownersMayDieWithoutTheOriginAndWithoutANewWorker(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let job = try ReadingJob(farm, mount)
                try job.waitForRounds(1)
                try farm.stopOrigin()
                let worker = try farm.workerPID(mount)
                for _ in 0..<3 {
                    let owner = try owner(farm)
                    owner.signal(SIGKILL)
                    #expect(owner.waitForEnd(until: .after(.seconds(5))))
                    try job.waitForRounds(1)
                    try waitForOwner(farm, otherThan: owner.pid)
                }
                try job.finish()
                let status = try farm.status(mount)["worker"]
                #expect(status["pid"].number == Int(worker) && status["restarts"].number == 0)
            }
        }

        /// The supervisor dies when the next owner runs and is not recorded yet: nobody could find it, and it holds the store.
        @Test func anOwnerThatNobodyRecordedMakesWay() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                let supervisor = try #require(farm.supervisor)
                // What the supervisor still writes of the mount and of the next spare would be the first.
                try until("all is written") {
                    try !File.text("\(farm.directory)/run/mounts/\(mount.id).json").contains("isAttaching")
                        && farm.api.get("/health").body["spare_workers"].number == Farm.spares
                }
                let tracer = try farm.kill(at: "/^rename", 1)
                try owner(farm).signal(SIGKILL)
                #expect(supervisor.waitForEnd(until: .after(.seconds(20))))
                tracer.signal(SIGTERM)
                #expect(tracer.waitForEnd(until: .after(.seconds(10))))
                _ = tracer.reap()
                try farm.killSupervisor()
                try farm.startSupervisor()
                #expect(try farm.status(mount)["state"] == "Ready")
                #expect(try File.text(mount.path + "/many/file77").hasPrefix("line 77\n"))
                try until("one owner is left") { try farm.processes.named("dicfuse-cache").count == 1 }
            }
        }

        @Test(arguments: Form.allCases) func aStoppedOwnerIsReplaced(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, repository in
                let mount = try farm.mount("m")
                try Program.shell("cat src/name many/file1", in: mount.path)
                let worker = try farm.workerPID(mount)
                let stopped = try owner(farm)
                try stopped.stop()
                #expect(try File.text(mount.path + "/src/name") == "the tree\n", "the kernel has it")
                let begin = Deadline.now
                // The store does not have it.
                #expect(try File.text(mount.path + "/many/file77").hasPrefix("line 77\n"))
                print("a read that met a stopped owner took \(Deadline.now.since(begin))")
                #expect(stopped.waitForEnd(until: .now))
                try waitForOwner(farm, otherThan: stopped.pid)
                #expect(try farm.workerPID(mount) == worker)
                if form == .sealed { try farm.seal(repository) }
                #expect(try File.text(try farm.mount("next").path + "/many/file78").hasPrefix("line 78\n"))
            }
        }

        @Test(arguments: Form.allCases) func aSlowOriginIsNoHang(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "7s", form: form)) { farm, _ in
                let mount = try farm.mount("m")
                _ = try Directory.names(mount.path + "/many")
                let (owner, worker) = (try owner(farm), try farm.workerPID(mount))
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                // Longer than a hang may last.
                let error = #expect(throws: SystemError.self) { try File.text(mount.path + "/many/file5") }
                #expect(error?.errno == .timedOut)
                origin.signal(SIGCONT)
                #expect(!owner.waitForEnd(until: .now))
                #expect(try farm.api.get("/health").body["cache_pid"].number == Int(owner.pid))
                #expect(try farm.workerPID(mount) == worker)
            }
        }

        private func waitForOwner(_ farm: Farm, otherThan pid: Int32) throws {
            let deadline = Deadline.after(.seconds(30))
            while !deadline.hasPassed {
                if let now = try farm.api.get("/health").body["cache_pid"].number, now != Int(pid) { return }
            }
            throw Trouble("no cache owner")
        }
    }
}
