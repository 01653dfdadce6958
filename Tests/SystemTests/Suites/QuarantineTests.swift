import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Requests that kill workers, and mounts whose workers cannot be kept up.
    @Suite struct QuarantineTests {
        @Test(arguments: ["crash:early", "crash:late"], Form.allCases)
        func aRequestThatKillsWorkersIsRefusedAlone(fault: String, form: Form) throws {
            let options = Farm.Options(form: form, workerFaults: "\(fault):\(Repository.nameOfLeaf(form))")
            // A sealed mount asks for the object, and then, of the same name, for the reason of the failure.
            let deaths = form == .sealed && fault == "crash:early" ? 4 : 2
            try Farm.run(Repository.small, options) { farm, _ in
                let mount = try farm.mount("m")
                let other = try farm.mount("other")
                let reader = try Program.start(
                    "/bin/sh",
                    [
                        "-c",
                        "for i in $(seq 20); do cat many/* > /dev/null && ls -R lib bin > /dev/null || exit 1; done",
                    ],
                    directory: mount.path)
                for round in 1...(form == .sealed ? 1 : 2) {
                    let finished = try Program.run("/bin/cat", [mount.path + "/src/deep/down/leaf"])
                    if form == .sealed, fault == "crash:late" {
                        // The owner had provided the object when the worker came to die.
                        #expect(finished.output == "leaf\n", "\(finished.errors)")
                    } else {
                        #expect(finished.errors.contains("Input/output error"), "\(finished.errors)")
                    }
                    let status = try farm.wait(for: mount, "the next worker") { $0["worker"]["pid"].number != nil }
                    #expect(
                        status["worker"]["restarts"].number == deaths * round,
                        "the second death of each request refuses it")
                    #expect(status["state"] == "Ready")
                }
                #expect(reader.waitForEnd(until: .after(.seconds(30))))
                #expect(reader.reap() == .code(0), "other requests are answered")
                #expect(try farm.status(other)["worker"]["restarts"].number == 0)
                let events = try Program.shell("grep -c 'workers die of a request' '\(farm.directory)/supervisor.log'")
                #expect(events == "\(form == .sealed ? deaths / 2 : 2)\n")
            }
        }

        @Test(arguments: Form.allCases) func aQuarantinedMountFailsFastAndComesBackUnderItsJobs(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let other = try farm.mount("other")
                try Program.shell("cat src/name; ls many", in: mount.path)
                // Holds a file and the directory through all of it.
                let job = try Program.start(
                    "/bin/bash",
                    [
                        "-euc",
                        """
                        exec 3< src/name
                        cat src/name > error
                        until [ -e go ]; do sleep 0.05; done
                        if cat many/file7 2> error; then exit 1; fi
                        until [ -e on ]; do sleep 0.05; done
                        cat <&3 many/file7 > result
                        cat bin/hello lib/one > /dev/null
                        ls many | wc -l >> result
                        """,
                    ], directory: mount.path)
                try quarantine(farm, mount)
                #expect(try farm.status(mount)["state"]["Failed"]["reason"].text?.contains("reset") == true)

                #expect(try File.text(mount.path + "/src/name") == "the tree\n", "what the kernel has")
                try Program.shell("echo > go", in: mount.path)
                // What is not there is in the image, too.
                for name in ["many/file8", "lib/one"] + (form == .lazy ? ["lib/no-such"] : []) {
                    let finished = try Program.run("/bin/cat", [mount.path + "/" + name], limit: .seconds(2))
                    #expect(finished.errors.contains("Input/output error"), "\(finished.errors)")
                }
                let listing = try Program.run("/bin/ls", [mount.path + "/lib"], limit: .seconds(2))
                #expect(listing.succeeded == (form == .sealed))
                #expect(try Program.run(other.path + "/bin/hello", []).output == "hello from the tree\n")
                try until("the job had its error") {
                    try File.text(mount.path + "/error").contains("Input/output error")
                }
                #expect(job.reap() == nil, "it goes on")

                #expect(try farm.antares("reset", "m").status == .code(0))
                let status = try farm.status(mount)
                #expect(status["state"] == "Ready" && status["worker"]["pid"].number != nil)
                // What failed is asked for again: the kernel kept no EIO.
                #expect(
                    try Program.shell("cat many/file8 && cat lib/one && ls lib", in: mount.path).hasSuffix("one\ntwo\n")
                )
                #expect(access(mount.path + "/lib/no-such", F_OK) == -1 && Errno.current == .notFound)
                try Program.shell("echo > on", in: mount.path)
                #expect(job.waitForEnd(until: .after(.seconds(30))))
                #expect(job.reap() == .code(0))
                #expect(try File.text(mount.path + "/error").contains("Input/output error"))
                #expect(try File.text(mount.path + "/result").hasSuffix("200\n"))
            }
        }

        @Test(arguments: Form.allCases) func aQuarantinedMountCanBeUnmounted(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                try quarantine(farm, mount)
                try farm.unmount(mount)
                #expect(try farm.mounts() == [farm.mountRoot])
                let again = try farm.mount("m")
                #expect(try Program.run(again.path + "/bin/hello", []).output == "hello from the tree\n")
            }
        }

        @Test(arguments: Form.allCases) func aResetOfAHealthyMountIsAQuietReplacement(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let before = try farm.workerPID(mount)
                let reader = try Program.start("/bin/sh", ["-c", "cat many/* && ls -R ."], directory: mount.path)
                let answer = try farm.antares("--json", "reset", "m")
                #expect(answer.status == .code(0) && answer.output.contains(#""last_restart_cause":"reset""#))
                #expect(reader.waitForEnd(until: .after(.seconds(30))))
                #expect(reader.reap() == .code(0))
                #expect(try farm.workerPID(mount) != before)
                #expect(try farm.antares("reset", "nobody").status == .code(5))
            }
        }

        @Test(arguments: Form.allCases) func aNewSupervisorGoesOnWithAQuarantinedMount(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let other = try farm.mount("other")
                let holder = try Program.start("/usr/bin/tail", ["-f", mount.path + "/src/name"])
                try Program.shell("ls many", in: mount.path)
                try quarantine(farm, mount)
                try farm.killSupervisor()
                // Nobody answers it now; who asks waits for the next supervisor.
                let early = try Program.start("/bin/cat", [mount.path + "/many/file1"])
                try farm.startSupervisor()
                let status = try farm.status(mount)
                #expect(status["state"]["Failed"]["reason"].text?.contains("reset") == true)
                #expect(status["worker"]["pid"].number == nil)
                #expect(early.waitForEnd(until: .after(.seconds(10))))
                #expect(early.reap() == .code(1))
                let finished = try Program.run("/bin/cat", [mount.path + "/many/file2"], limit: .seconds(2))
                #expect(finished.errors.contains("Input/output error"), "\(finished.errors)")
                #expect(try farm.status(other)["state"] == "Ready")

                #expect(try farm.antares("reset", "m").status == .code(0))
                #expect(try farm.status(mount)["state"] == "Ready")
                #expect(try File.text(mount.path + "/many/file2").hasPrefix("line 2\n"))
                #expect(holder.reap() == nil, "its file is open through all of it")
                holder.signal(SIGKILL)
                #expect(holder.waitForEnd(until: .after(.seconds(5))))
                _ = holder.reap()
            }
        }

        /// However often somebody kills them, or the kernel does for want of memory: no job sees an error.
        @Test(arguments: [(SIGKILL, Form.lazy), (SIGTERM, .lazy), (SIGKILL, .sealed)])
        func workersThatAreKilledTheMomentTheyServeAreNeverGivenUp(signal: Int32, form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let errors = try CapturedOutput()
                let reader = try Program.start(
                    "/bin/bash", ["-euc", "for i in {1..4}; do cat many/* > /dev/null; ls -R . > /dev/null; done"],
                    errors: errors.raw, directory: mount.path)
                var last = 0
                for _ in 0..<30 {
                    let status = try farm.wait(for: mount, "the next worker") {
                        $0["worker"]["pid"].number.map { $0 != last } ?? false
                    }
                    last = try #require(status["worker"]["pid"].number)
                    (try? ChildProcess(adopting: Int32(last)))?.signal(signal)
                }
                #expect(reader.waitForEnd(until: .after(.seconds(60))))
                let complaint = Comment(rawValue: try errors.text())
                #expect(reader.reap() == .code(0), complaint)
                let status = try farm.wait(for: mount, "the next worker") {
                    $0["worker"]["pid"].number.map { $0 != last } ?? false
                }
                #expect(status["state"] == "Ready")
                #expect(try #require(status["worker"]["restarts"].number) >= 30)
            }
        }

        /// Has every worker of a mount crash as soon as it serves, until the mount is given up.
        private func quarantine(_ farm: Farm, _ mount: Farm.Mount) throws {
            let deadline = Deadline.after(.seconds(60))
            while !deadline.hasPassed {
                let status = try farm.status(mount)
                if status["state"]["Failed"]["reason"].text != nil { return }
                if let pid = status["worker"]["pid"].number {
                    (try? ChildProcess(adopting: Int32(pid)))?.signal(SIGSEGV)
                }
            }
            throw Trouble("the mount is not quarantined")
        }
    }
}
