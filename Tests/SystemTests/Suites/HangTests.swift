import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Workers that live and do not go on, and workers that only look like it.
    @Suite struct HangTests {
        @Test(arguments: Form.allCases) func aStoppedWorkerIsReplacedUnderItsReaders(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let idle = try farm.mount("idle")
                let other = try farm.mount("other")
                try Program.shell("ls many", in: mount.path)
                let (stopped, idler) = (try farm.workerPID(mount), try farm.workerPID(idle))
                try farm.signalWorker(mount, SIGSTOP)
                try farm.signalWorker(idle, SIGSTOP)
                let begin = Deadline.now
                let output = try CapturedOutput()
                let reader = try Program.start(
                    "/bin/sh", ["-c", "cat many/* && ls -R . && bin/hello"], output: output.raw, directory: mount.path)
                // Meanwhile nobody else waits.
                #expect(try Program.run(other.path + "/bin/hello", []).output == "hello from the tree\n")
                #expect(reader.waitForEnd(until: .after(.seconds(30))))
                let taken = Deadline.now.nanoseconds - begin.nanoseconds
                #expect(reader.reap() == .code(0))
                #expect(try output.text().hasSuffix("hello from the tree\n"))
                #expect(taken < 5_000_000_000, "a hung worker is replaced within 5 s")
                let status = try farm.status(mount)
                #expect(status["worker"]["last_restart_cause"].text == "hung: stopped")
                #expect(status["worker"]["pid"].number != Int(stopped))
                let incident = try #require(status["incidents"].elements.first)
                #expect(incident["pid"].number == Int(stopped))
                #expect(incident["report"].elements.contains { $0.text?.contains("fuse-0 T") == true })
                #expect(try farm.workerPID(idle) == idler, "one that nobody asks is left alone")
                #expect(try farm.status(other)["worker"]["restarts"].number == 0)
                try farm.signalWorker(idle, SIGCONT)
                #expect(try Program.run(idle.path + "/bin/hello", []).output == "hello from the tree\n")
            }
        }

        @Test(arguments: Form.allCases) func aStoppedWorkerThatHasReadItsRequestsIsFoundByItsSilence(form: Form) throws
        {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "60s", form: form)) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell("ls many", in: mount.path)
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let output = try CapturedOutput()
                let reader = try Program.start("/bin/cat", [mount.path + "/many/file1"], output: output.raw)
                try farm.wait(for: mount, "a request waits") { ($0["worker"]["waiting"].number ?? 0) > 0 }
                try farm.signalWorker(mount, SIGSTOP)
                try farm.wait(for: mount, limit: .seconds(5), "the stopped worker is replaced") {
                    $0["worker"]["last_restart_cause"].text == "hung: stopped"
                }
                origin.signal(SIGCONT)
                #expect(reader.waitForEnd(until: .after(.seconds(30))))
                #expect(reader.reap() == .code(0))
                #expect(try output.text().hasPrefix("line 1\n"))
            }
        }

        @Test func aSlowOriginIsNoHang() throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "60s")) { farm, _ in
                let mount = try farm.mount("m")
                let clock = try farm.mount("clock")
                try Program.shell("ls many", in: mount.path)
                try Program.shell("ls lib", in: clock.path)
                let worker = try farm.workerPID(mount)
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let reader = try Program.start("/bin/cat", (0..<30).map { mount.path + "/many/file\($0)" })
                try farm.wait(for: mount, "requests wait") { ($0["worker"]["waiting"].number ?? 0) > 0 }
                // Three stopped workers, one after another, are found and replaced while this one waits for its origin.
                for round in 1...3 {
                    try farm.signalWorker(clock, SIGSTOP)
                    _ = access(clock.path + "/lib/no-such-\(round)", F_OK)
                    try farm.wait(for: clock, "replacement") { $0["worker"]["restarts"].number == round }
                }
                #expect(reader.reap() == nil)
                let status = try farm.status(mount)
                #expect(status["worker"]["pid"].number == Int(worker) && status["worker"]["restarts"].number == 0)
                origin.signal(SIGCONT)
                #expect(reader.waitForEnd(until: .after(.seconds(30))))
                #expect(reader.reap() == .code(0))
            }
        }

        @Test(.enabled(if: sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1, "others need a processor too"))
        func aStarvedWorkerIsNoHang() throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "60s")) { farm, _ in
                let mount = try farm.mount("m")
                let clock = try farm.mount("clock")
                try Program.shell("ls lib", in: clock.path)
                let worker = try farm.workerPID(mount)
                var hogs: [ChildProcess] = []
                defer {
                    for hog in hogs {
                        hog.signal(SIGKILL)
                        _ = hog.waitForEnd(until: .after(.seconds(10)))
                        _ = hog.reap()
                    }
                }
                // Its threads may run on one processor only, behind busy loops of the highest weight there (sched(7): SCHED_IDLE, autogroup).
                let processor = try Program.shell("taskset -pc $$ | sed 's/.*[^0-9]//'").prefix { $0.isNumber }
                try Program.shell(
                    """
                    for task in /proc/\(worker)/task/*; do
                        chrt -i -p 0 ${task##*/}; taskset -pc \(processor) ${task##*/}
                    done
                    \(Self.setGroup(of: "\(worker)", 19))
                    """)
                for _ in 0..<3 {
                    hogs.append(
                        try Program.start(
                            "/usr/bin/taskset",
                            [
                                "-c", "\(processor)", "/usr/bin/nice", "-n", "-20", "/bin/bash", "-c",
                                "\(Self.setGroup(of: "self", -20)); while :; do :; done",
                            ]))
                }
                let reader = try Program.start("/bin/sh", ["-c", "cat many/* lib/*"], directory: mount.path)
                try farm.expectLogged("the worker is slow")
                let slices = try runs(of: worker)
                // A worker that hangs is found and replaced meanwhile.
                for round in 1...2 {
                    try farm.signalWorker(clock, SIGSTOP)
                    _ = access(clock.path + "/lib/no-such-\(round)", F_OK)
                    try farm.wait(for: clock, "replacement") { $0["worker"]["restarts"].number == round }
                }
                #expect(try runs(of: worker) < slices + 10, "it did not get the processor")
                #expect(reader.reap() == nil, "and its job waited")
                let status = try farm.status(mount)
                #expect(status["worker"]["pid"].number == Int(worker) && status["worker"]["restarts"].number == 0)
                for hog in hogs { hog.signal(SIGKILL) }
                // Else whatever the machine does besides would go on starving it.
                try Program.shell(
                    """
                    for task in /proc/\(worker)/task/*; do
                        chrt -o -p 0 ${task##*/}; taskset -pc 0-\(processor) ${task##*/}
                    done
                    \(Self.setGroup(of: "\(worker)", 0))
                    """)
                #expect(reader.waitForEnd(until: .after(.seconds(30))))
                #expect(reader.reap() == .code(0))
                #expect(try farm.workerPID(mount) == worker)
            }
        }

        /// Sets the nice value of a process's autogroup, where there are any (sched(7)): every session is one, and they share a processor evenly.
        private static func setGroup(of process: String, _ nice: Int) -> String {
            "[[ ! -e /proc/\(process)/autogroup ]] || echo \(nice) > /proc/\(process)/autogroup"
        }

        /// How often the threads of a process were put on a processor (/proc/PID/task/TID/schedstat).
        private func runs(of pid: Int32) throws -> Int {
            let text = try Program.shell("cat /proc/\(pid)/task/*/schedstat")
            return text.split(separator: "\n").reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) }
        }

        @Test(arguments: [
            ("hang:early", Form.lazy), ("spin:early", .lazy), ("hang:late", .lazy), ("hang:late", .sealed),
        ])
        func aRequestThatHangsWorkersIsRefused(fault: String, form: Form) throws {
            let options = Farm.Options(form: form, workerFaults: "\(fault):\(Repository.nameOfLeaf(form))")
            try Farm.run(Repository.small, options) { farm, _ in
                let mount = try farm.mount("m")
                let reader = try Program.start(
                    "/bin/sh", ["-c", "for i in 1 2 3; do cat many/* > /dev/null || exit 1; sleep 1; done"],
                    directory: mount.path)
                let finished = try Program.run("/bin/cat", [mount.path + "/src/deep/down/leaf"])
                switch form {
                case .lazy: #expect(finished.errors.contains("Input/output error"), "\(finished.errors)")
                // The owner had provided the object when the worker came to hang.
                case .sealed: #expect(finished.output == "leaf\n", "\(finished.errors)")
                }
                #expect(reader.waitForEnd(until: .after(.seconds(30))))
                #expect(reader.reap() == .code(0), "others go on")
                let status = try farm.status(mount)
                #expect(status["worker"]["restarts"].number == 2)
                #expect(status["worker"]["last_restart_cause"].text?.hasPrefix("hung: ") == true)
                #expect(status["incidents"].elements.count == 2)
            }
        }

        @Test(arguments: Form.allCases) func jobsThatAreKilledWhileTheirWorkerIsStoppedExit(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell("ls many; cat src/name", in: mount.path)
                let holder = try Program.start("/usr/bin/tail", ["-f", mount.path + "/src/name"])
                try farm.signalWorker(mount, SIGSTOP)
                let readers = try (0..<5).map { try Program.start("/bin/cat", [mount.path + "/many/file\($0)"]) }
                try farm.wait(for: mount, "requests wait") { ($0["worker"]["waiting"].number ?? 0) > 0 }
                for job in readers + [holder] { job.signal(SIGKILL) }
                for job in readers + [holder] {
                    #expect(job.waitForEnd(until: .after(.seconds(5))))
                    #expect(job.reap() == .signal(SIGKILL))
                }
            }
        }
    }
}
