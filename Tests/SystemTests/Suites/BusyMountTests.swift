import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Who is in the way of an unmount, and what can be done about it.
    @Suite struct BusyMountTests {
        /// A process with its working directory, an open file and its program in a mount.
        static func hold(_ mount: Farm.Mount, ignoringTERM: Bool = false) throws -> ChildProcess {
            let script =
                "\(ignoringTERM ? "trap '' TERM; " : "")cd src/deep; exec 9>held; echo ready >&9; while :; do sleep 1; done"
            let holder = try Program.start("/bin/bash", ["-c", script], directory: mount.path)
            try Program.shell(
                "for i in $(seq 400); do [[ -s '\(mount.path)/src/deep/held' ]] && exit; sleep 0.05; done; exit 1")
            return holder
        }

        static func end(_ process: ChildProcess) {
            process.signal(SIGKILL)
            #expect(process.waitForEnd(until: .after(.seconds(10))))
            _ = process.reap()
        }

        @Test(arguments: Form.allCases) func holdersAreNamedAndTheRungIsTold(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let holder = try Self.hold(mount)
                defer { Self.end(holder) }
                let answer = try farm.api.request("DELETE", "/mounts/\(mount.id)", limit: .seconds(10))
                #expect(answer.status == 200 && answer.body["state"] == "Unmounted", "\(answer)")
                let report = answer.body["unmount"]
                #expect(report["rung"] == "forced" && report["holders_complete"] == .boolean(true))
                let uses = report["holders"].elements.filter { $0["pid"].number == Int(holder.pid) }
                #expect(
                    uses.contains { $0["what"] == "cwd" && $0["path"] == "/src/deep" && $0["comm"] == "bash" },
                    "\(report)")
                #expect(uses.contains { $0["what"] == "fd 9" && $0["path"] == "/src/deep/held" }, "\(report)")
                let log = try File.text(farm.directory + "/supervisor.log", limit: 64 << 20)
                #expect(log.contains("bash[\(holder.pid)] cwd /src/deep"))
            }
        }

        @Test(arguments: Form.allCases) func forceDoesNotWait(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let holder = try Self.hold(mount)
                defer { Self.end(holder) }
                let answer = try farm.api.delete("/mounts/\(mount.id)?force=true")
                #expect(answer.status == 200 && answer.body["unmount"]["rung"] == "forced", "\(answer)")
                // Neither was it busy first: nobody was looked for.
                #expect(answer.body["unmount"]["holders"].elements == [])
                #expect(holder.reap() == nil, "nobody killed the job")
            }
        }

        @Test(arguments: [false, true]) func killEndsTheHolders(stubborn: Bool) throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                let holder = try Self.hold(mount, ignoringTERM: stubborn)
                let done = try farm.antares("umount", "--kill", "m")
                #expect(done.succeeded, "\(done)")
                #expect(done.errors.contains("bash[\(holder.pid)]") && done.errors.contains("ended"), "\(done.errors)")
                #expect(!done.errors.contains("by force"), "\(done.errors)")
                #expect(holder.waitForEnd(until: .after(.seconds(5))))
                #expect(holder.reap() == .signal(stubborn ? SIGKILL : SIGTERM))
            }
        }

        @Test(arguments: Form.allCases) func aMountThatAnotherNamespaceKeepsIsReported(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let output = try CapturedOutput()
                let container = try Program.start(
                    "/usr/bin/unshare",
                    ["--mount", "--propagation", "private", "/bin/sh", "-c", "echo in; exec sleep 600"],
                    output: output.raw)
                defer { Self.end(container) }
                let deadline = Deadline.after(.seconds(20))
                while try output.text() != "in\n", !deadline.hasPassed {}
                let answer = try farm.api.delete("/mounts/\(mount.id)")
                #expect(answer.status == 200, "\(answer)")
                let report = answer.body["unmount"]
                #expect(report["pinned_elsewhere"] == .boolean(true) && report["rung"] == "plain", "\(report)")
                #expect(
                    report["holders"].elements.contains {
                        $0["what"] == "namespace" && $0["pid"].number == Int(container.pid)
                    }, "\(report)")
            }
        }

        @Test func aFailedUnmountIsAnErrorAndCanBeRepeated() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                // A stranger's mount on top of ours: only its owner may end it.
                try Program.shell("mount -t tmpfs stranger '\(mount.path)'")
                let refused = try farm.api.delete("/mounts/\(mount.id)")
                #expect(refused.status == 500 && refused.body["code"] == "FUSE_ERROR", "\(refused)")
                #expect(try farm.status(mount)["state"] == "Ready")
                try Program.shell("umount '\(mount.path)'")
                try farm.unmount(mount)
            }
        }

        @Test(arguments: Form.allCases) func whatWasWrittenIsKeptOnRequest(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m", ["upper_policy": "keep"])
                try Program.shell("echo mine >written; rm README.md", in: mount.path)
                let answer = try farm.api.delete("/mounts/\(mount.id)")
                let kept = try #require(answer.body["unmount"]["kept_upper"].text)
                #expect(try File.text(kept + "/written") == "mine\n")
                #expect(try FileStatus(of: kept + "/README.md").mode & S_IFMT == S_IFCHR, "a whiteout")
                // A later supervisor leaves it alone.
                try farm.stopSupervisor()
                try farm.startSupervisor()
                #expect(access(kept, F_OK) == 0)
                try Program.shell("rm -r '\(farm.directory)'/upper/.kept-*")
            }
        }
    }
}
