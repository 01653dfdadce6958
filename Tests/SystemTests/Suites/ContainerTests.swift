import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What a job sees of its mount in a container, and what the container keeps from happening outside.
    @Suite struct ContainerTests {
        private static func options(_ form: Form) -> Farm.Options { Farm.Options(form: form) }

        /// What an unmount reports; fails if it took longer than it may, with room for a busy machine.
        private func unmount(_ farm: Farm, _ mount: Farm.Mount) throws -> JSON {
            let answer = try farm.api.request("DELETE", "/mounts/\(mount.id)", limit: .seconds(10))
            #expect(answer.status == 200 && answer.body["state"] == "Unmounted", "\(answer)")
            return answer.body["unmount"]
        }

        @Test(arguments: Form.allCases) func aMountAppearsAndGoes(form: Form) throws {
            try Farm.run(Repository.small, Self.options(form)) { farm, _ in
                let container = try Container(farm, .rslave)
                defer { container.end() }
                #expect(try container.output("ls -A /mnt") == "")
                let mount = try farm.mount("later", ["uid": 64_790, "gid": 64_790])
                let place = container.path(of: mount)
                #expect(try container.output("\(place)/bin/hello") == "hello from the tree\n")
                _ = try container.output("echo mine >\(place)/src/name; mkdir \(place)/made", uid: 64_790)
                #expect(try File.text(mount.path + "/src/name") == "mine\n")
                #expect(try container.run("touch \(place)/x", uid: 64_791).status == .code(1))
                // What it is says the attribute, without the API.
                let read = "import os; print(os.getxattr('\(place)', 'user.antares.status').decode())"
                let description = try JSON(
                    Array(container.output("/usr/bin/python3 -c \"\(read)\"", uid: 64_791).utf8))
                #expect(description["mount_id"].text == mount.id && description["job_id"] == "later")
                #expect(description["mountpoint"].text == mount.path, "as it is outside")
                let report = try unmount(farm, mount)
                #expect(report["rung"] == "plain" && report["pinned_elsewhere"] == .boolean(false), "\(report)")
                #expect(try container.output("ls -A /mnt") == "")
                #expect(try !container.output("cat /proc/self/mountinfo").contains(mount.id))
            }
        }

        /// The default of Docker and Kubernetes: what is mounted later is a directory of which nothing can be made.
        @Test func aPrivateContainerSeesNoLaterMount() throws {
            try Farm.run(Repository.small) { farm, _ in
                let container = try Container(farm, .rprivate)
                defer { container.end() }
                let mount = try farm.mount("later")
                let place = container.path(of: mount)
                #expect(try container.output("ls -A \(place)") == "")
                #expect(try container.run("touch \(place)/x").status == .code(1), "the bare mountpoint takes nothing")
                try farm.unmount(mount)
                #expect(try container.output("ls -A /mnt") == "")
            }
        }

        /// The root of all mounts is another after a stop of the service; what is above it is not.
        @Test func aDirectoryAboveTheRootOutlastsAStop() throws {
            try Farm.run(Repository.small) { farm, _ in
                // Shared, as under systemd everything is.
                try farm.stopSupervisor()
                let above = farm.directory
                try Program.shell("mount --bind '\(above)' '\(above)'; mount --make-shared '\(above)'")
                defer { try? Mounts.detach(above) }
                try farm.startSupervisor()
                let whole = try Container(farm, .rslave, volume: above)
                defer { whole.end() }
                let root = try Container(farm, .rslave)
                defer { root.end() }
                try farm.stopSupervisor()
                try farm.startSupervisor()
                let mount = try farm.mount("next")
                let place = "/mnt/mnt/\(mount.id)"
                #expect(try whole.output("cat \(place)/src/name") == "the tree\n")
                #expect(try root.output("ls -A /mnt") == "", "the root that it has is the old one")
                try farm.unmount(mount)
                #expect(try whole.run("ls \(place)").status == .code(2))
                try farm.stopSupervisor()
                try Mounts.detach(above)
                try farm.startSupervisor()
            }
        }

        @Test(arguments: Form.allCases) func aBusyJobIsNamed(form: Form) throws {
            try Farm.run(Repository.small, Self.options(form)) { farm, _ in
                let container = try Container(farm, .rslave)
                defer { container.end() }
                let mount = try farm.mount("m")
                let job = try container.start(
                    "cd \(container.path(of: mount))/src; exec 9>held; while :; do sleep 1; done")
                defer { BusyMountTests.end(job) }
                try until("the job holds a file") { access(mount.path + "/src/held", F_OK) == 0 }
                let report = try unmount(farm, mount)
                #expect(report["rung"] == "forced", "\(report)")
                let holders = report["holders"].elements.filter { $0["pid"].number == Int(job.pid) }
                #expect(holders.contains { $0["what"] == "cwd" && $0["path"] == "/src" }, "\(report)")
                #expect(job.reap() == nil, "nobody killed the job")
                #expect(try container.output("ls -A /mnt") == "")
            }
        }

        /// A container that had its own copies of the mounts when it was started.
        @Test(arguments: Form.allCases) func aPrivateCopyDoesNotHoldUpAnUnmount(form: Form) throws {
            try Farm.run(Repository.small, Self.options(form)) { farm, _ in
                let mount = try farm.mount("m")
                let container = try Container(farm, .rprivate)
                defer { container.end() }
                let place = container.path(of: mount)
                #expect(try container.output("cat \(place)/src/name") == "the tree\n")
                let report = try unmount(farm, mount)
                #expect(report["rung"] == "plain" && report["pinned_elsewhere"] == .boolean(true), "\(report)")
                #expect(
                    report["holders"].elements.contains {
                        $0["what"] == "namespace" && $0["pid"].number == Int(container.pid)
                    }, "\(report)")
                // The kernel takes what is mounted on a directory away with it, in every namespace.
                #expect(try container.output("ls -A /mnt") == "")
            }
        }

        /// Whatever its propagation: its place in the container is not below one of ours, so nothing of what happens there reaches it.
        @Test(arguments: Form.allCases, Container.Propagation.allCases)
        func aMountThatIsBoundAloneIsPinned(form: Form, propagation: Container.Propagation) throws {
            try Farm.run(Repository.small, Self.options(form)) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell("cat src/deep/down/leaf; ls many >/dev/null; echo mine >written", in: mount.path)
                let container = try Container(farm, propagation, volume: mount.path)
                defer { container.end() }
                #expect(try container.output("cat /mnt/src/name /mnt/written") == "the tree\nmine\n")
                let report = try unmount(farm, mount)
                #expect(report["pinned_elsewhere"] == .boolean(true), "\(report)")
                #expect(
                    report["holders"].elements.contains {
                        $0["what"] == "namespace" && $0["pid"].number == Int(container.pid)
                    }, "\(report)")
                // What needs the worker fails at once, as a failure; nothing waits. The upper is gone.
                let after = try container.output(
                    """
                    /usr/bin/python3 - <<'EOF'
                    import errno, os
                    found = set()
                    for name in ['/mnt/many/file%d' % n for n in range(200)] + ['/mnt/lib/one', '/mnt/lib/two']:
                        try: open(name).read(); found.add('read')
                        except OSError as error: found.add(errno.errorcode[error.errno])
                    try: os.mkdir('/mnt/lib/new'); print('made')
                    except OSError as error: print(errno.errorcode[error.errno])
                    print(*sorted(found))
                    EOF
                    """)
                #expect(after == (form == .lazy ? "ENOTCONN\nENOTCONN\n" : "ENOENT\nENOTCONN\n"))
            }
        }

        /// Nothing of what happens to our processes reaches a job.
        @Test(arguments: Form.allCases, Container.Propagation.allCases)
        func ourProcessesMayDie(form: Form, propagation: Container.Propagation) throws {
            let options = Farm.Options(form: form, onStop: "keep")
            try Farm.run(Repository.small, options) { farm, _ in
                let mount = try farm.mount("m")
                let container = try Container(farm, propagation)
                defer { container.end() }
                let job = try ReadingJob(farm, mount, in: container)
                try job.waitForRounds(1)
                // The worker, by a signal and by an operator.
                try farm.signalWorker(mount, SIGKILL)
                try job.waitForRounds(2)
                #expect(try farm.antares("reset", mount.id).succeeded)
                try job.waitForRounds(2)
                // The supervisor, alone and with the worker, and in order.
                let before = try farm.workerPID(mount)
                try farm.killSupervisor()
                try job.waitForRounds(2)
                try farm.startSupervisor()
                try job.waitForRounds(2)
                #expect(try farm.workerPID(mount) == before)
                try farm.killSupervisor()
                try ChildProcess(adopting: before).signal(SIGKILL)
                try farm.startSupervisor()
                try job.waitForRounds(2)
                try farm.stopSupervisor()
                try job.waitForRounds(2)
                try farm.startSupervisor()
                try job.waitForRounds(2)
                try job.finish()
                // A container that was there before hears of what a later supervisor mounts.
                let next = try farm.mount("next")
                let isSeen = try container.run("cat \(container.path(of: next))/src/name").succeeded
                #expect(isSeen == (propagation == .rslave))
                try farm.unmount(next)
                try farm.unmount(mount)
            }
        }
    }
}
