import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Jobs that are killed while their mount has no worker end at once.
    @Suite struct WorkerlessTests {
        /// What a job may be at when it is killed. The last has a file open, which the kernel closes at its exit.
        private static let jobs = [
            ("read", "exec cat many/file1"),
            ("lookup", "exec stat lib/one"),
            ("listing", "exec ls src/deep"),
            ("exec", "exec bin/hello"),
            ("open file", "exec 3< src/name; exec sleep 1000"),
        ]

        @Test func jobsEndWhileNobodyStartsTheNextWorker() throws {
            let size = 1 << 20
            func withBig(_ directory: String) throws -> Repository {
                let text = String(repeating: "x", count: size)
                return try Repository(in: directory, Repository.smallEntries + [("big", .file(text))])
            }
            try Farm.run(withBig) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell("ls many; cat src/name; md5sum big", in: mount.path)
                let supervisor = try #require(farm.supervisor)
                let worker = try ChildProcess(adopting: farm.workerPID(mount))
                let holder = try Program.start("/bin/sh", ["-c", Self.jobs[4].1], directory: mount.path)
                let gate = farm.directory + "/gate"
                // Maps the file while there is a worker and touches a page that is dropped when there is none.
                let script = """
                    import mmap, os
                    file = os.open('big', os.O_RDONLY)
                    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                    map = mmap.mmap(file, \(size), mmap.MAP_PRIVATE, mmap.PROT_READ)
                    print('mapped', flush=True)
                    open('\(gate)').read()
                    print(map[\(size / 2)], flush=True)
                    """
                let output = try CapturedOutput()
                try Program.shell("mkfifo '\(gate)'")
                let mapper = try Program.start(
                    "/usr/bin/python3", ["-c", script], output: output.raw, directory: mount.path)
                try until("the file is mapped") { try output.text() == "mapped\n" }
                try supervisor.stop()
                defer { supervisor.signal(SIGCONT) }
                worker.signal(SIGKILL)
                #expect(worker.waitForEnd(until: .after(.seconds(10))))

                try Program.shell("echo > '\(gate)'")
                let jobs = try Self.jobs.map { name, script in
                    (name, try Program.start("/bin/sh", ["-c", script], directory: mount.path))
                }
                for (name, job) in jobs.dropLast() { try waitUntilBlocked(job, name) }
                try waitUntilBlocked(mapper, "page fault")
                for (name, job) in jobs + [("mapped file", mapper), ("held file", holder)] {
                    #expect(job.reap() == nil, "\(name) waits")
                    job.signal(SIGKILL)
                    #expect(job.waitForEnd(until: .after(.seconds(5))), "\(name)")
                    #expect(job.reap() == .signal(SIGKILL), "\(name)")
                }
                #expect(try output.text() == "mapped\n", "the page was not there")
                supervisor.signal(SIGCONT)
                #expect(try File.text(mount.path + "/many/file1").hasPrefix("line 1\n"))
            }
        }

        /// What the dead worker had read already: its jobs cannot leave by themselves.
        @Test(arguments: Form.allCases) func jobsWhoseRequestsTheDeadWorkerTookEndToo(form: Form) throws {
            let options = Farm.Options(requestTimeout: "60s", limit: .seconds(180), form: form, ownPrograms: true)
            try Farm.run(Repository.small, options) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell("ls many", in: mount.path)
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let jobs = try (0..<5).map { try Program.start("/bin/cat", [mount.path + "/many/file\($0)"]) }
                let patient = try CapturedOutput()
                let survivor = try Program.start("/bin/cat", [mount.path + "/many/file9"], output: patient.raw)
                try farm.wait(for: mount, "all wait") { ($0["worker"]["waiting"].number ?? 0) >= 6 }
                // Workers that never say a word: the successor is held back by seconds.
                try farm.install("antares-worker", script: "exec sleep 1000")
                let worker = try farm.workerPID(mount)
                for pid in try farm.processes.named("antares-worker") where pid != worker {
                    (try? ChildProcess(adopting: pid))?.signal(SIGKILL)
                }
                try farm.signalWorker(mount, SIGKILL)
                try farm.wait(for: mount, "there is no worker") { $0["worker"]["pid"].number == nil }
                for job in jobs { job.signal(SIGKILL) }
                for job in jobs {
                    #expect(job.waitForEnd(until: .after(.seconds(3))))
                    #expect(job.reap() == .signal(SIGKILL))
                }
                let status = try farm.status(mount)
                #expect(status["state"] == "Ready" && status["worker"]["pid"].number == nil, "still without a worker")
                #expect(survivor.reap() == nil)
                try farm.install("antares-worker")
                origin.signal(SIGCONT)
                #expect(survivor.waitForEnd(until: .after(.seconds(60))))
                #expect(survivor.reap() == .code(0))
                #expect(try patient.text().hasPrefix("line 9\n"), "who is not killed gets what it asked for")
            }
        }

        /// A worker that dies while its mount is unmounted is not replaced; the ladder does not wait for it.
        @Test(arguments: Form.allCases) func aWorkerThatDiesDuringAnUnmountDelaysNothing(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell("cat src/name; ls many", in: mount.path)
                let holder = try Program.start("/bin/sh", ["-c", Self.jobs[4].1], directory: mount.path)
                try until("it holds the mount") { try Self.link("/proc/\(holder.pid)/fd/3").hasSuffix("/src/name") }
                let worker = try ChildProcess(adopting: farm.workerPID(mount))
                let client = try SystemThread.start(name: "unmount") {
                    let answer = try? farm.api.request("DELETE", "/mounts/\(mount.id)", limit: .seconds(15))
                    #expect(answer?.status == 200, "\(String(describing: answer))")
                }
                try farm.wait(for: mount, "the unmount has begun") { $0["state"] != "Ready" }
                worker.signal(SIGKILL)
                let reader = try Program.start("/bin/cat", [mount.path + "/many/file1"])
                client.join()
                #expect(reader.waitForEnd(until: .after(.seconds(10))))
                _ = reader.reap()
                #expect(access(mount.path, F_OK) == -1)
                holder.signal(SIGKILL)
                #expect(holder.waitForEnd(until: .after(.seconds(5))))
                _ = holder.reap()
            }
        }

        /// Waits until a process sleeps in a request to the filesystem (proc(5), wchan).
        private func waitUntilBlocked(_ process: ChildProcess, _ name: String) throws {
            try until("\(name) waits for an answer") {
                let place = (try? File.text("/proc/\(process.pid)/wchan")) ?? ""
                return ["request_wait_answer", "folio_wait", "wait_on_page", "fuse_"].contains { place.contains($0) }
                    || process.reap() != nil
            }
        }

        private static func link(_ path: String) throws -> String {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = readlink(path, &buffer, buffer.count)
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
    }
}
