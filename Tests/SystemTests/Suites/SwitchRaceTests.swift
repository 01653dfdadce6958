import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Exchanges of a changelist among everything else that can happen to a mount.
    @Suite struct SwitchRaceTests {
        private static func series(_ count: Int) -> (String) throws -> Repository {
            { try ChangelistSeries(in: $0, count: count).repository }
        }

        private static func options(_ form: Form = .lazy, onStop: String = "unmount") -> Farm.Options {
            Farm.Options(limit: .seconds(200), form: form, awaitsImage: false, onStop: onStop)
        }

        /// The trees of the two views differ in shape, so nothing of the one has the number that it has in the other.
        @Test(arguments: Form.allCases) func whatIsCarriedIsWhatTheJobWroteWhateverTheNextTreeHas(form: Form) throws {
            try Farm.run(Self.series(1), Self.options(form)) { farm, repository in
                let before = (0..<40).map { ("0first/\($0)", Repository.Content.file("first \($0)\n")) }
                try repository.git("update-ref", "refs/heads/wide", "refs/heads/main")
                try repository.commit(
                    before + [("a", .file("wide\n")), ("same/two", .file("wide two\n"))], branch: "wide")
                try repository.git("update-ref", "refs/cl/WIDE", "refs/heads/wide")
                let mount = try farm.mount("m", ["cl": "S0"])
                try Program.shell(
                    """
                    for f in a gone same/one same/two moves/x moves/y; do echo more >>$f; done
                    chmod 700 deep/b; touch -d @1500000000 deep/er/c; mkdir new; ln a new/hard
                    """, in: mount.path)
                let look =
                    "cd '\(mount.path)'; for f in a gone same/one same/two moves/x moves/y deep/b deep/er/c new/hard; do echo $f $(cat $f); stat -c '%Y %a %s' $f; done"
                let written = try Program.shell(look)
                try farm.exchange(mount, to: "WIDE", ["carry": true])
                // What the next tree has, first, so that its numbers are given out before those of the job's files.
                #expect(
                    try Program.shell("cat 0first/*", in: mount.path)
                        == Program.shell("for i in 0first/*; do echo first $(basename $i); done", in: mount.path))
                #expect(try Program.shell(look) == written)
                let doubles = try Program.shell(
                    "find . -type f ! -samefile a -printf '%i\\n' | sort | uniq -d", in: mount.path)
                #expect(doubles == "", "two files with one inode")
                try Program.shell("cmp a new/hard; rm -r moves new; tar -cf /dev/null .", in: mount.path)
            }
        }

        @Test(arguments: Form.allCases) func aRenamedDirectoryThatIsAnotherInTheNextTreeIsRefused(form: Form) throws {
            try Farm.run(Self.series(2), Self.options(form)) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                try Program.shell("mv deep renamed; rm -r only", in: mount.path)
                let refused = try farm.exchange(mount, to: "S1", ["carry": true], status: 409)
                #expect(refused["error"].text?.contains("renamed the directory deep") == true, "\(refused)")
                #expect(try File.text(mount.path + "/renamed/er/c") == "0\n")
                try Program.shell("mv renamed deep; mv moves away; echo x >>away/x", in: mount.path)
                let status = try farm.exchange(mount, to: "S1", ["carry": true])
                #expect(try Program.shell("cat away/x away/y; ls", in: mount.path).hasPrefix("x\nx\ny\n"))
                #expect(access(mount.path + "/moves", F_OK) == -1)
                #expect(status["switch"]["conflicts"].elements.contains("only"), "\(status["switch"])")
            }
        }

        @Test func manyExchangesLeaveNothingThatHarmsTheNextSupervisor() throws {
            try Farm.run(Self.series(2), Self.options()) { farm, _ in
                let mount = try farm.mount("m")
                for round in 0..<100 { try farm.exchange(mount, to: "S\(round % 2)", ["discard": true]) }
                try until("one record is left") {
                    try Directory.names(farm.directory + "/run/mounts").count == 1
                }
                try Program.shell("echo mine >own", in: mount.path)
                try farm.exchange(mount, to: "S0", ["carry": true])
                try farm.killSupervisor()
                try farm.startSupervisor()
                #expect(try farm.status(mount)["state"] == "Ready")
                #expect(try File.text(mount.path + "/own") == "mine\n")
            }
        }

        /// A mount that is bound to its client, with an old view that somebody has open.
        @Test func aRestartWithOldViewsLosesNothing() throws {
            try Farm.run(Self.series(1), Self.options()) { farm, _ in
                let client = try BoundClient(farm)
                defer { client.end() }
                let mount = client.mount
                let holder = try holder(in: mount)
                try farm.exchange(mount, to: "S0")
                try Program.shell("echo mine >own", in: mount.path)
                try farm.killSupervisor()
                try farm.startSupervisor()
                #expect(try farm.status(mount)["state"] == "Ready")
                #expect(try File.text(mount.path + "/own") == "mine\n")
                #expect(try farm.uppers() == 2)
                end(holder)
                try until("the old view is gone") { try farm.uppers() == 1 }
                #expect(try farm.status(mount)["state"] == "Ready")
                client.end()
                try until("it ends with its client") { try farm.api.get("/mounts/\(mount.id)").status == 404 }
                #expect(try farm.uppers() == 0)
            }
        }

        @Test func aStopThatKeepsMountsKeepsThoseThatAreBeingExchanged() throws {
            try Farm.run(Self.series(2), Self.options(onStop: "keep")) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                try Program.shell("mkdir out; for i in $(seq 3000); do echo $i >out/$i; done", in: mount.path)
                for round in 0..<6 {
                    let curl = try Program.start(
                        "/usr/bin/curl",
                        [
                            "-s", "--unix-socket", farm.api.socket, "-X", "POST", "-d",
                            #"{"cl":"S\#(1 - round % 2)","carry":true}"#, "http://x/mounts/\(mount.id)/cl",
                        ])
                    // From before it is held up to after it is exchanged.
                    _ = poll(nil, 0, Int32(round * 60))
                    try farm.stopSupervisor()
                    _ = curl.waitForEnd(until: .after(.seconds(10)))
                    _ = curl.reap()
                    try farm.startSupervisor()
                    #expect(try farm.status(mount)["state"] == "Ready", "round \(round)")
                    #expect(try File.text(mount.path + "/out/3000") == "3000\n", "round \(round)")
                    try Program.shell("echo x >works", in: mount.path)
                }
                try until("the old views are gone") { try farm.uppers() == 1 }
            }
        }

        @Test func anEndOfTheMountInTheMiddleOfAnExchangeIsTheEnd() throws {
            try Farm.run(Self.series(2), Self.options()) { farm, _ in
                for round in 0..<40 {
                    let mount = try farm.mount("m\(round)", ["cl": "S0"])
                    let curl = try Program.start(
                        "/usr/bin/curl",
                        [
                            "-s", "--unix-socket", farm.api.socket, "-X", "POST", "-d", #"{"cl":"S1"}"#,
                            "http://x/mounts/\(mount.id)/cl",
                        ])
                    _ = poll(nil, 0, Int32(round))
                    try farm.unmount(mount)
                    _ = curl.waitForEnd(until: .after(.seconds(10)))
                    _ = curl.reap()
                    #expect(try farm.api.get("/mounts/\(mount.id)").status == 404)
                }
                #expect(try farm.mounts().count == 1)
                try until("nothing is left") {
                    try farm.uppers() == 0 && Directory.names(farm.directory + "/run/mounts").isEmpty
                }
                #expect(try farm.processes.named("antares-worker").count <= Farm.spares)
            }
        }

        @Test func whatOthersHaveMountedInItStays() throws {
            try Farm.run(Self.series(1), Self.options()) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell("mount -t tmpfs foreign '\(mount.path)/same'; echo theirs >'\(mount.path)/same/file'")
                defer { umount2(mount.path + "/same", Int32(MNT_DETACH)) }
                let refused = try farm.exchange(mount, to: "S0", ["discard": true], status: 409)
                #expect(refused["error"].text?.contains("/same is mounted in it") == true, "\(refused)")
                #expect(try File.text(mount.path + "/same/file") == "theirs\n")
                try Program.shell("umount '\(mount.path)/same'")
                try farm.exchange(mount, to: "S0")
            }
        }

        /// A refusal is told before anything is held up: a job that writes meanwhile sees no error.
        @Test func aRefusedExchangeDisturbsNobody() throws {
            try Farm.run(Self.series(1), Self.options()) { farm, _ in
                let mount = try farm.mount("m")
                let stop = farm.directory + "/stop"
                let errors = try CapturedOutput()
                let writer = try Program.start(
                    "/bin/bash", ["-euc", "i=0; while [[ ! -e '\(stop)' ]]; do echo $i >file; i=$((i + 1)); done"],
                    errors: errors.raw, directory: mount.path)
                try until("it writes") { access(mount.path + "/file", F_OK) == 0 }
                for _ in 0..<20 { try farm.exchange(mount, to: "S0", status: 409) }
                try Program.shell("touch '\(stop)'")
                #expect(writer.waitForEnd(until: .after(.seconds(10))))
                let complaint = Comment(rawValue: try errors.text())
                #expect(writer.reap() == .code(0), complaint)
            }
        }

        private func holder(in mount: Farm.Mount) throws -> ChildProcess {
            let holder = try Program.start("/bin/sleep", ["1000"], directory: mount.path)
            try until("it runs") { (try? File.linkTarget("/proc/\(holder.pid)/exe"))?.hasSuffix("sleep") == true }
            return holder
        }

        private func end(_ process: ChildProcess) {
            process.signal(SIGKILL)
            _ = process.waitForEnd(until: .after(.seconds(5)))
            _ = process.reap()
        }
    }
}
