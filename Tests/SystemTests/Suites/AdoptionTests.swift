import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// The supervisor is killed; the next one goes on.
    @Suite struct AdoptionTests {
        @Test(arguments: Form.allCases) func aNewSupervisorGoesOnWithTheMountsOfAKilledOne(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mounts = try (0..<5).map { try farm.mount("job\($0)") }
                let owner = try #require(try farm.api.get("/health").body["cache_pid"].number)
                let workers = try mounts.map(farm.workerPID)
                try Program.shell("echo mine > written; mv src moved", in: mounts[0].path)
                try farm.killSupervisor()

                #expect(
                    try File.text(mounts[0].path + "/moved/name") == "the tree\n", "workers serve without a supervisor")
                try farm.startSupervisor()
                #expect(try farm.api.get("/health").body["cache_pid"].number == owner)
                for (mount, worker) in zip(mounts, workers) {
                    #expect(try farm.status(mount)["state"] == "Ready")
                    #expect(try farm.workerPID(mount) == worker)
                }
                #expect(try File.text(mounts[0].path + "/written") == "mine\n")

                // The same job asks again and gets what it has; an adopted worker is replaced as any other.
                #expect(try farm.mount("job1").id == mounts[1].id)
                (try? ChildProcess(adopting: workers[1]))?.signal(SIGKILL)
                #expect(try File.text(mounts[1].path + "/many/file7").hasPrefix("line 7\n"))
                for mount in mounts.dropFirst(3) { try farm.unmount(mount) }
            }
        }

        @Test(arguments: Form.allCases) func jobsThatReadWhileSupervisorsDieSeeNoError(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(limit: .seconds(300), form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let stop = farm.directory + "/stop"
                let errors = try CapturedOutput()
                let reader = try Program.start(
                    "/bin/bash",
                    ["-euc", "while [[ ! -e '\(stop)' ]]; do find . -type f -exec cat {} + > /dev/null; done"],
                    errors: errors.raw, directory: mount.path)
                for _ in 0..<5 {
                    try farm.killSupervisor()
                    try farm.startSupervisor()
                    let worker = try farm.workerPID(mount)
                    (try? ChildProcess(adopting: worker))?.signal(SIGKILL)
                    // Supervisor and worker together would leave nobody who holds the connection.
                    while try farm.status(mount)["worker"]["pid"].number.map({ $0 == Int(worker) }) ?? true {}
                }
                try Program.shell("touch '\(stop)'")
                #expect(reader.waitForEnd(until: .after(.seconds(60))))
                let complaint = Comment(rawValue: try errors.text())
                #expect(reader.reap() == .code(0), complaint)
            }
        }

        @Test(arguments: Form.allCases) func aStoppedOwnerThatHoldsTheLastCopiesLosesNothing(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let owner = try ChildProcess(adopting: try #require(try farm.processes.named("dicfuse-cache").first))
                let worker = try ChildProcess(adopting: try farm.workerPID(mount))
                try owner.stop()
                try farm.killSupervisor()
                worker.signal(SIGKILL)
                #expect(worker.waitForEnd(until: .after(.seconds(10))))
                try farm.startSupervisor()
                #expect(owner.waitForEnd(until: .after(.seconds(10))), "it is replaced")
                #expect(try farm.status(mount)["state"] == "Ready")
                #expect(try File.text(mount.path + "/many/file7").hasPrefix("line 7\n"))
            }
        }

        @Test func aNewSupervisorStartsWhileACopyUpWaits() throws {
            // The copy-up of a directory asks the lower for inode flags (FUSE_IOCTL) while it holds the rename lock of the upper's filesystem,
            // on which everything of the farm is.
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                let connection = try #require(try farm.processes.connections().first)
                try Program.shell("ls -l src", in: mount.path)
                let worker = try ChildProcess(adopting: try farm.workerPID(mount))
                try farm.killSupervisor()
                try worker.stop()
                let job = try Program.start("/bin/chmod", ["700", mount.path + "/src"])
                let deadline = Deadline.after(.seconds(30))
                let waiting = "/sys/fs/fuse/connections/\(connection.number)/waiting"
                while try File.text(waiting) == "0\n", !deadline.hasPassed { sched_yield() }
                #expect(try File.text(waiting) != "0\n")
                try farm.startSupervisor()
                #expect(job.waitForEnd(until: .after(.seconds(60))), "the stopped worker is replaced")
                #expect(job.reap() == .code(0))
                try farm.unmount(mount)
            }
        }

        @Test(arguments: Form.allCases) func aStoppedWorkerIsAdoptedToo(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let worker = try ChildProcess(adopting: try farm.workerPID(mount))
                try worker.stop()
                try farm.killSupervisor()
                try farm.startSupervisor()
                #expect(try farm.workerPID(mount) == worker.pid)
                worker.signal(SIGCONT)
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
            }
        }

        @Test(arguments: Form.allCases) func whatCannotBeGoneOnWithIsTakenAway(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let lost = try farm.mount("lost")
                let kept = try farm.mount("kept")
                let damaged = try farm.mount("damaged")
                try farm.killSupervisor()
                // Unmounted by hand while nobody looked.
                try Mounts.detach(lost.path)
                try File.replace("\(farm.directory)/run/mounts/\(damaged.id).json", with: Array("{".utf8))
                try farm.startSupervisor()

                #expect(try farm.status(lost)["state"]["Failed"]["reason"].text != nil)
                #expect(try farm.api.get("/mounts/\(damaged.id)").status == 404)
                #expect(try farm.status(kept)["state"] == "Ready")
                #expect(try farm.mounts().sorted() == [farm.mountRoot, kept.path].sorted())
                // The job can start anew.
                let again = try farm.mount("lost")
                #expect(try File.text(again.path + "/src/name") == "the tree\n")
            }
        }
    }
}
