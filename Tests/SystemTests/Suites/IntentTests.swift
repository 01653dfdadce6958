import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What was begun when the supervisor died; and what the service manager keeps.
    @Suite struct IntentTests {
        @Test(arguments: Form.allCases) func anUnmountThatWasBegunIsFinished(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                // Somebody who works in it keeps it busy.
                let holder = try Program.start("/bin/sleep", ["60"], directory: mount.path)
                defer {
                    holder.signal(SIGKILL)
                    _ = holder.waitForEnd(until: .after(.seconds(5)))
                    _ = holder.reap()
                }
                let client = try Program.start(
                    "/usr/bin/curl",
                    ["-sS", "-X", "DELETE", "--unix-socket", farm.api.socket, "http://x/mounts/\(mount.id)"])
                try until("the intent") { (try? record(farm, mount))?.contains("\"phase\":\"unmounting\"") == true }
                try farm.killSupervisor()
                #expect(client.waitForEnd(until: .after(.seconds(10))), "the client is not left waiting")
                #expect(client.reap() != .code(0))
                #expect(try farm.mounts().contains(mount.path))
                try farm.startSupervisor()
                try until("the end of the mount") { try !farm.mounts().contains(mount.path) }
                try until("the DELETE asked again") {
                    let status = try? farm.api.delete("/mounts/\(mount.id)").status
                    return status == 200 || status == 404
                }
                #expect(try farm.mount("m").id != mount.id)
            }
        }

        @Test(arguments: Form.allCases) func aMountThatWasBeingMadeIsTakenBack(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("made")
                try farm.killSupervisor()
                // As the record is from before the first step until the client is told.
                try Program.shell(
                    "sed -i 's/\"phase\":\"ready\"/\"phase\":\"making\"/' run/mounts/\(mount.id).json",
                    in: farm.directory)
                try farm.startSupervisor()
                #expect(try farm.api.get("/mounts/\(mount.id)").status == 404)
                #expect(try farm.mounts() == [farm.mountRoot])
                let again = try farm.mount("made")
                #expect(again.id != mount.id)
                #expect(try farm.mount("made").id == again.id, "asked again it is the same")
            }
        }

        /// The record that is written right before the mount is attached says that it is ready: whether it came to that is seen at the mount.
        @Test(arguments: Form.allCases) func aMountThatWasBeingAttachedIsThereOrTakenBack(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let (attached, other) = (try farm.mount("attached"), try farm.mount("other"))
                try farm.killSupervisor()
                for mount in [attached, other] {
                    try Program.shell(
                        "sed -i -E 's/\"isAttaching\":true,//; s/^[{]/{\"isAttaching\":true,/' run/mounts/\(mount.id).json",
                        in: farm.directory)
                }
                try Mounts.detach(other.path)
                try farm.startSupervisor()
                #expect(try farm.status(attached)["state"] == "Ready")
                #expect(try File.text(attached.path + "/src/name") == "the tree\n")
                #expect(try !record(farm, attached).contains("isAttaching"), "it is known by now")
                #expect(try farm.api.get("/mounts/\(other.id)").status == 404, "no client was told of it")
                #expect(try farm.mounts() == [farm.mountRoot, attached.path])
                #expect(try farm.mount("other").id != other.id)
                #expect(try farm.mount("attached").id == attached.id)
            }
        }

        @Test(arguments: Form.allCases) func whatAnEarlierBootLeftIsDiscarded(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("old")
                let worker = try ChildProcess(adopting: farm.workerPID(mount))
                try farm.killSupervisor()
                // A reboot leaves files and nothing else.
                try Mounts.detach(mount.path)
                worker.signal(SIGKILL)
                try Program.shell(
                    "sed -i -E 's/\"bootID\":\"[^\"]*\"/\"bootID\":\"another\"/' run/mounts/\(mount.id).json",
                    in: farm.directory)
                try farm.startSupervisor()
                #expect(try farm.api.get("/mounts/\(mount.id)").status == 404)
                try farm.expectLogged("discarding a mount of an earlier boot mount=\(mount.id)")
                #expect(try Program.shell("ls '\(farm.directory)/upper'") == "")
                #expect(try File.text(try farm.mount("old").path + "/src/name") == "the tree\n")
            }
        }

        @Test func manyMountsAreAdopted() throws {
            try Farm.run(Repository.small, Farm.Options(limit: .seconds(300))) { farm, _ in
                let mounts = try (0..<100).map { try farm.mount("job\($0)") }
                let workers = try mounts.map(farm.workerPID)
                try farm.killSupervisor()
                let begin = Deadline.now
                try farm.startSupervisor()
                print("\(mounts.count) mounts were adopted, and the API served, after \(Deadline.now.since(begin))")
                #expect(try mounts.map(farm.workerPID) == workers)
                for mount in mounts { #expect(try File.text(mount.path + "/src/name") == "the tree\n") }
            }
        }

        /// A service manager of the test: its socket gets the descriptors, and a start gets them back.
        @Test(arguments: Form.allCases) func aServiceManagerKeepsWhatNobodyElseDoes(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let manager = try ManagerSocket(farm.directory + "/notify")
                try farm.killSupervisor()
                try farm.startSupervisor(environment: ["NOTIFY_SOCKET=\(farm.directory)/notify"])
                let mount = try farm.mount("m")
                let job = try ReadingJob(farm, mount)
                try job.waitForRounds(1)
                try manager.takeAll()
                let names = ["antares-device-\(mount.id)", "antares-session-\(mount.id)"]
                #expect(manager.stored.keys.sorted() == names)

                let worker = try ChildProcess(adopting: farm.workerPID(mount))
                let owner = try ChildProcess(
                    adopting: Int32(try #require(try farm.api.get("/health").body["cache_pid"].number)))
                try farm.killSupervisor()
                for process in [worker, owner] {
                    process.signal(SIGKILL)
                    #expect(process.waitForEnd(until: .after(.seconds(5))))
                }
                try farm.startSupervisor(
                    environment: ["NOTIFY_SOCKET=\(farm.directory)/notify"],
                    inherited: names.compactMap { name in manager.stored[name].map { (name, $0.raw) } })
                try job.waitForRounds(2)
                try job.finish()
                #expect(try farm.status(mount)["state"] == "Ready")
                try farm.unmount(mount)
                try manager.takeAll()
                #expect(manager.stored.isEmpty, "removed at the end")
            }
        }

        private func record(_ farm: Farm, _ mount: Farm.Mount) throws -> String {
            try File.text("\(farm.directory)/run/mounts/\(mount.id).json")
        }
    }
}
