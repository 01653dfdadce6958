import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// The supervisor is killed; the next one goes on.
    @Suite struct AdoptionTests {
        @Test func aNewSupervisorGoesOnWithTheMountsOfAKilledOne() throws {
            try Farm.run(Repository.small) { farm, _ in
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

        @Test func jobsThatReadWhileSupervisorsDieSeeNoError() throws {
            try Farm.run(Repository.small, Farm.Options(limit: .seconds(300))) { farm, _ in
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

        @Test func aStoppedWorkerIsAdoptedToo() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                let worker = try ChildProcess(adopting: try farm.workerPID(mount))
                worker.signal(SIGSTOP)
                try farm.killSupervisor()
                try farm.startSupervisor()
                #expect(try farm.workerPID(mount) == worker.pid)
                worker.signal(SIGCONT)
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
            }
        }

        @Test func whatCannotBeGoneOnWithIsTakenAway() throws {
            try Farm.run(Repository.small) { farm, _ in
                let lost = try farm.mount("lost")
                let kept = try farm.mount("kept")
                let damaged = try farm.mount("damaged")
                let worker = try ChildProcess(adopting: try farm.workerPID(lost))
                try farm.killSupervisor()
                worker.signal(SIGKILL)
                #expect(worker.waitForEnd(until: .after(.seconds(5))))
                try File.replace("\(farm.directory)/run/mounts/\(damaged.id).json", with: Array("{".utf8))
                try farm.startSupervisor()

                #expect(try farm.api.get("/mounts/\(lost.id)").status == 404)
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
