import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Who holds the connections of mounts, and who may die with whom.
    @Suite struct HolderTests {
        /// A set of processes that are killed in the same moment. At least one holder is left.
        @Test(arguments: [["S"], ["W"], ["O"], ["S", "W"], ["S", "O"], ["W", "O"]], Form.allCases)
        func anySetOfKillsThatLeavesAHolderIsSurvived(victims: [String], form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(limit: .seconds(180), form: form)) { farm, _ in
                let mounts = try (0..<2).map { try farm.mount("job\($0)") }
                let jobs = try mounts.map { try ReadingJob(farm, $0) }
                for job in jobs { try job.waitForRounds(1) }
                for round in 0..<2 {
                    let workers = try mounts.map(farm.workerPID)
                    try kill(victims, farm, workers)
                    if victims.contains("S") { try farm.startSupervisor() }
                    for (mount, worker) in zip(mounts, workers) {
                        try waitForWorker(farm, mount, otherThan: victims.contains("W") ? worker : nil)
                        #expect(try farm.status(mount)["state"] == "Ready", "round \(round)")
                    }
                    for job in jobs { try job.waitForRounds(2) }
                    let cold = "/many/file\(round * 40 + 1)"
                    for mount in mounts { #expect(try File.text(mount.path + cold).hasPrefix("line ")) }
                }
                for job in jobs { try job.finish("\(victims) killed") }
                #expect(try farm.mount("job0").id == mounts[0].id, "the same job gets its mount")
            }
        }

        @Test(arguments: Form.allCases) func aSupervisorAloneIsSurvivedByStoppedWorkers(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mounts = try (0..<3).map { try farm.mount("job\($0)") }
                let jobs = try mounts.map { try ReadingJob(farm, $0) }
                for job in jobs { try job.waitForRounds(1) }
                let workers = try mounts.map { try ChildProcess(adopting: farm.workerPID($0)) }
                try workers.stop()
                try farm.killSupervisor()
                try farm.startSupervisor()
                for mount in mounts { #expect(try farm.status(mount)["state"] == "Ready") }
                for worker in workers { worker.signal(SIGCONT) }
                for job in jobs { try job.waitForRounds(2) }
                for job in jobs { try job.finish() }
            }
        }

        @Test(arguments: Form.allCases) func withNobodyLeftTheMountFailsClearly(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, repository in
                let mount = try farm.mount("lost")
                let job = try ReadingJob(farm, mount)
                try job.waitForRounds(1)
                try kill(["S", "W", "O"], farm, [farm.workerPID(mount)])
                switch form {
                case .lazy:
                    let complaint = try job.failure()
                    #expect(complaint.contains("not connected") || complaint.contains("Stale"), "\(complaint)")
                case .sealed:
                    let cold = try Program.run("/bin/cat", [mount.path + "/many/file7"])
                    #expect(cold.errors.contains("not connected"), "\(cold.errors)")
                    try job.waitForRounds(1)
                    try job.finish("what it has opened needs no process of ours")
                }
                try farm.startSupervisor()

                #expect(try farm.mounts() == [farm.mountRoot], "nothing is left of it")
                let reason = try #require(try farm.status(mount)["state"]["Failed"]["reason"].text)
                #expect(reason.contains("nobody holds it"), "\(reason)")

                // The reason is still there for the client of yet another supervisor.
                try farm.killSupervisor()
                try farm.startSupervisor()
                #expect(try farm.status(mount)["state"]["Failed"]["reason"].text == reason)

                // The job starts anew, the lost mount goes when its client takes it away.
                if form == .sealed { try farm.seal(repository) }
                let again = try farm.mount("lost")
                #expect(again.id != mount.id)
                #expect(try File.text(again.path + "/src/name") == "the tree\n")
                #expect(try farm.api.delete("/mounts/\(mount.id)").status == 200)
                #expect(try farm.api.get("/mounts/\(mount.id)").status == 404)
                #expect(try farm.api.delete("/mounts/\(mount.id)").status == 404)
                #expect(try farm.mount("lost").id == again.id)
            }
        }

        /// Sends SIGKILL to all of them, then waits until they are gone.
        private func kill(_ victims: [String], _ farm: Farm, _ workers: [Int32]) throws {
            var processes: [ChildProcess] = []
            if victims.contains("S") { processes.append(try ChildProcess(adopting: try #require(farm.supervisorPID))) }
            if victims.contains("W") { processes += try workers.map { try ChildProcess(adopting: $0) } }
            if victims.contains("O") {
                let owner = try #require(try farm.api.get("/health").body["cache_pid"].number)
                processes.append(try ChildProcess(adopting: Int32(owner)))
            }
            for process in processes { process.signal(SIGKILL) }
            if victims.contains("S") { try farm.killSupervisor() }
            for process in processes { #expect(process.waitForEnd(until: .after(.seconds(10)))) }
        }

        private func waitForWorker(_ farm: Farm, _ mount: Farm.Mount, otherThan pid: Int32?) throws {
            let deadline = Deadline.after(.seconds(30))
            while !deadline.hasPassed {
                if let now = try farm.status(mount)["worker"]["pid"].number, now != pid.map(Int.init) { return }
            }
            throw Trouble("no worker serves \(mount.id)")
        }
    }
}
