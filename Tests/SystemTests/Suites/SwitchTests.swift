import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// The changelist of a mount is exchanged while jobs use the mount.
    @Suite struct SwitchTests {
        private static func series(_ count: Int) -> (String) throws -> Repository {
            { try ChangelistSeries(in: $0, count: count).repository }
        }

        private static func options(
            _ form: Form = .lazy, limit: Duration = .seconds(120), settings: String = ""
        ) -> Farm.Options {
            Farm.Options(limit: limit, form: form, awaitsImage: false, settings: settings)
        }

        @discardableResult
        private func exchange(
            _ farm: Farm, _ mount: Farm.Mount, to name: String?, _ more: [String: JSON] = [:], status: Int = 200
        ) throws -> JSON {
            try farm.exchange(mount, to: name, more, status: status)
        }

        private func version(_ mount: Farm.Mount) throws -> [String] {
            try ChangelistSeries.versions(in: mount)
        }

        @Test(arguments: Form.allCases) func theSamePathShowsOneChangelistAfterAnother(form: Form) throws {
            try Farm.run(Self.series(2), Self.options(form)) { farm, repository in
                let base = try repository.head()
                let mount = try farm.mount("m")
                #expect(try version(mount) == ["base", "base", "base"])
                for (name, shown) in [("S0", "0"), ("S1", "1"), (nil, "base"), ("S0", "0")] as [(String?, String)] {
                    let status = try exchange(farm, mount, to: name)
                    #expect(try version(mount) == [shown, shown, shown])
                    #expect(status["mount_id"].text == mount.id && status["mountpoint"].text == mount.path)
                    #expect(status["cl"].text == name && status["commit"].text == base && status["state"] == "Ready")
                    #expect(status["switch"]["state"] == "done" && status["switch"]["cl"].text == name)
                    #expect(access("\(mount.path)/only/0", F_OK) == (shown == "0" ? 0 : -1))
                    try Program.shell("echo x >new && rm new", in: mount.path)
                    #expect(try farm.mounts().count == 2, "one mount, and the root of mounts")
                }
                // The commit stays where the branch goes on.
                try repository.commit([("a", .file("later"))])
                try exchange(farm, mount, to: nil)
                #expect(try farm.status(mount)["commit"].text == base)
                #expect(try version(mount) == ["base", "base", "base"])
                try exchange(farm, mount, to: "S1", ["rev": "main"])
                #expect(try farm.status(mount)["commit"].text == repository.head())
                // Without a changelist there is nothing to take away.
                try exchange(farm, mount, to: nil)
                let status = try exchange(farm, mount, to: nil)
                #expect(status["cl"] == .null)
                #expect(try farm.mount("m", ["rev": "main"]).id == mount.id, "the job's request is the one it has now")
            }
        }

        /// Three readers look at one directory each time: what it shows is of one changelist, and it is always there.
        @Test(arguments: Form.allCases) func readersSeeOneOrTheOtherAndNoError(form: Form) throws {
            let switches = 1000
            try Farm.run(Self.series(2), Self.options(form, limit: .seconds(400))) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                let stop = farm.directory + "/stop"
                let script = """
                    import os, sys
                    rounds, seen = 0, set()
                    while not os.path.exists('\(stop)'):
                        root = os.open('\(mount.path)', os.O_RDONLY | os.O_DIRECTORY)
                        versions = set()
                        for name in \(ChangelistSeries.files):
                            file = os.open(name, os.O_RDONLY, dir_fd=root)
                            versions.add(os.read(file, 16))
                            os.close(file)
                        assert 'same' in os.listdir(root)
                        os.close(root)
                        assert len(versions) == 1, versions
                        # By path: each lookup may meet the next one, and must meet one.
                        for name in \(ChangelistSeries.files): os.stat('\(mount.path)/' + name)
                        seen |= versions
                        rounds += 1
                    assert len(seen) == 2, seen
                    print(rounds)
                    """
                let program = farm.directory + "/reader.py"
                try File.replace(program, with: Array(script.utf8))
                let readers = try (0..<3).map {
                    try Program.start("/bin/sh", ["-c", "exec python3 '\(program)' >'\(program).\($0)' 2>&1"])
                }
                for number in 1...switches { try exchange(farm, mount, to: "S\(number % 2)") }
                try Program.shell("touch '\(stop)'")
                for (number, reader) in readers.enumerated() {
                    #expect(reader.waitForEnd(until: .after(.seconds(30))))
                    let said = try File.text("\(program).\(number)")
                    #expect(reader.reap() == .code(0), "\(said)")
                    print("rounds of a reader during \(switches) exchanges: \(said)")
                }
                // Every old view ends with its last reader.
                try until("the old views are gone") {
                    try farm.processes.named("antares-worker").count <= Farm.spares + 1
                }
                #expect(try farm.mounts().count == 2)
            }
        }

        @Test func whatWasWrittenIsNeitherLostNorKeptInSilence() throws {
            try Farm.run(Self.series(2), Self.options()) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                try Program.shell("echo mine >same/one; echo new >own; rm gone", in: mount.path)
                let refused = try exchange(farm, mount, to: "S1", status: 409)
                #expect(refused["code"] == "CONFLICT")
                for name in ["same/one", "own", "gone"] {
                    #expect(refused["error"].text?.contains(name) == true, "\(refused)")
                }
                #expect(try farm.status(mount)["switch"]["state"] == "failed")
                #expect(try version(mount) == ["0", "0", "0"])
                try Program.shell("echo more >>own", in: mount.path)

                let status = try exchange(farm, mount, to: "S1", ["discard": true])
                #expect(status["switch"]["carried"] == 0)
                #expect(try version(mount) == ["1", "1", "1"])
                #expect(try File.text(mount.path + "/same/one") == "one\n")
                #expect(access(mount.path + "/own", F_OK) == -1 && access(mount.path + "/gone", F_OK) == 0)
                #expect(
                    try farm.api.post("/mounts/\(mount.id)/cl", ["cl": "S0", "carry": true, "discard": true]).status
                        == 400)
            }
        }

        @Test(arguments: Form.allCases) func whatWasWrittenIsCarriedOver(form: Form) throws {
            try Farm.run(Self.series(2), Self.options(form)) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                let script = """
                    echo mine >same/one; touch -d @1600000000 same/one
                    mkdir -p out/deep; head -c 3000000 /dev/zero >out/deep/object; ln out/deep/object out/hard
                    ln -s deep/object out/link; chmod 750 out
                    rm gone; rm -r moves; mkdir moves; echo z >moves/z
                    mv same renamed; echo job >a; rm deep/b
                    truncate -s 1G sparse
                    """
                try Program.shell(script, in: mount.path)
                let look =
                    "find . -mindepth 1 -printf '%p %y %m %s %n %l\\n' | grep -vE '^./(deep|only)' | sort; cat renamed/* a moves/z | md5sum; du -k sparse; stat -c %Y renamed/one"
                let before = try Program.shell(look, in: mount.path)
                let status = try exchange(farm, mount, to: "S1", ["carry": true])
                #expect(try Program.shell(look, in: mount.path) == before)
                #expect(access(mount.path + "/deep/b", F_OK) == -1)
                #expect(
                    try File.text(mount.path + "/deep/er/c") == "1\n", "what the job has not touched is the next one's")
                #expect(try File.text(mount.path + "/a") == "job\n")
                let conflicts = status["switch"]["conflicts"].elements.compactMap(\.text)
                #expect(conflicts == ["a", "deep/b"], "\(status["switch"])")
                #expect((status["switch"]["carried"].number ?? 0) >= 8)
                // It goes on from there.
                try Program.shell(
                    "echo more >>out/deep/object; cmp out/deep/object out/hard; rm out/link", in: mount.path)
                try exchange(farm, mount, to: nil, ["carry": true])
                #expect(access(mount.path + "/out/link", F_OK) == -1)
                #expect(try File.text(mount.path + "/a") == "job\n")
            }
        }

        @Test func aFileThatIsBeingWrittenIsNotTakenOverByHalf() throws {
            try Farm.run(Self.series(2), Self.options()) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                let gate = farm.directory + "/gate"
                try Program.shell("mkfifo '\(gate)'")
                let writer = try Program.start(
                    "/bin/bash", ["-euc", "exec 3>log; echo one >&3; read <'\(gate)'; echo two >&3"],
                    directory: mount.path)
                try until("it writes") { (try? File.text(mount.path + "/log")) == "one\n" }
                let refused = try exchange(farm, mount, to: "S1", ["carry": true], status: 409)
                #expect(refused["error"].text?.contains("open for writing") == true)
                #expect(refused["error"].text?.contains("bash[\(writer.pid)]") == true, "\(refused)")
                let plain = try exchange(farm, mount, to: "S1", status: 409)
                #expect(plain["error"].text?.contains("A log") == true, "\(plain)")
                try Program.shell("echo still >works", in: mount.path)
                try Program.shell("echo >'\(gate)'")
                #expect(writer.waitForEnd(until: .after(.seconds(20))))
                #expect(writer.reap() == .code(0))
                try exchange(farm, mount, to: "S1", ["carry": true])
                #expect(try File.text(mount.path + "/log") == "one\ntwo\n")
            }
        }

        /// Who has the old view open keeps it, through the death of its worker; and is named.
        @Test(arguments: Form.allCases) func theOldViewLivesForThoseWhoHaveIt(form: Form) throws {
            try Farm.run(Self.series(2), Self.options(form)) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                let worker = try farm.workerPID(mount)
                let gate = farm.directory + "/gate"
                try Program.shell("mkfifo '\(gate)'")
                let output = try CapturedOutput()
                let job = try Program.start(
                    "/bin/bash", ["-euc", "echo begun; read <'\(gate)'; cat deep/er/c same/two; echo old >written"],
                    output: output.raw, directory: mount.path)
                try until("it runs") { try output.text() == "begun\n" }
                let status = try exchange(farm, mount, to: "S1")
                let holders = status["switch"]["holders"].elements
                #expect(holders.contains { $0["pid"].number == Int(job.pid) && $0["what"] == "cwd" }, "\(status)")
                #expect(try version(mount) == ["1", "1", "1"])
                (try? ChildProcess(adopting: worker))?.signal(SIGKILL)
                try Program.shell("echo >'\(gate)'")
                #expect(job.waitForEnd(until: .after(.seconds(20))))
                #expect(job.reap() == .code(0))
                #expect(try output.text() == "begun\n0\ntwo\n")
                #expect(access(mount.path + "/written", F_OK) == -1)
                try until("its upper is gone") {
                    try farm.uppers() == 1
                }
                #expect(try farm.processes.named("antares-worker").count <= Farm.spares + 1)
            }
        }

        @Test func theLeaseGoesOn() throws {
            try Farm.run(Self.series(1), Self.options()) { farm, _ in
                let mount = try farm.mount("m", ["ttl": 4])
                let status = try exchange(farm, mount, to: "S0")
                #expect((status["lease_left_s"].number ?? 9) <= 4)
                #expect(try version(mount) == ["0", "0", "0"])
                try until("the mount ends") { try farm.api.get("/mounts/\(mount.id)").status == 404 }
                // Bound to a client that ends while nothing else happens.
                let client = try BoundClient(farm)
                let id = client.mount.id
                try exchange(farm, client.mount, to: "S0")
                client.end()
                try until("it ends with its client") { try farm.api.get("/mounts/\(id)").status == 404 }
            }
        }

        @Test func theOldViewEndsWhenItsTimeIsOver() throws {
            try Farm.run(Self.series(1), Self.options(settings: "old_view_limit = \"1s\"")) { farm, _ in
                let mount = try farm.mount("m")
                let holder = try Program.start("/bin/sleep", ["1000"], directory: mount.path)
                defer {
                    holder.signal(SIGKILL)
                    _ = holder.waitForEnd(until: .after(.seconds(5)))
                    _ = holder.reap()
                }
                try exchange(farm, mount, to: "S0")
                try until("its upper is gone") {
                    try farm.uppers() == 1
                }
                #expect(try version(mount) == ["0", "0", "0"])
                try farm.expectLogged("its time is over")
            }
        }

        @Test func theEndOfTheMountIsTheEndOfItsOldViews() throws {
            try Farm.run(Self.series(2), Self.options()) { farm, _ in
                let mount = try farm.mount("m")
                let holders = try (0..<2).map { number in
                    let holder = try Program.start("/bin/sleep", ["1000"], directory: mount.path)
                    try until("it runs") {
                        (try? File.linkTarget("/proc/\(holder.pid)/exe"))?.hasSuffix("sleep") == true
                    }
                    try exchange(farm, mount, to: "S\(number)")
                    return holder
                }
                defer {
                    for holder in holders {
                        holder.signal(SIGKILL)
                        _ = holder.waitForEnd(until: .after(.seconds(5)))
                        _ = holder.reap()
                    }
                }
                #expect(try farm.processes.connections().count == 3)
                let began = Deadline.now
                try farm.unmount(mount)
                #expect(Deadline.now < began.advanced(by: .seconds(10)))
                #expect(try farm.processes.connections().isEmpty)
                #expect(try farm.processes.named("antares-worker").count <= Farm.spares)
            }
        }

        @Test func whatCannotBeBuiltChangesNothing() throws {
            try Farm.run(Self.series(1), Self.options()) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                try Program.shell("echo mine >own", in: mount.path)
                let unknown = try exchange(farm, mount, to: "NONE", ["carry": true], status: 404)
                #expect(unknown["code"] == "CHANGELIST_NOT_FOUND")
                let status = try farm.status(mount)
                #expect(status["state"] == "Ready" && status["cl"] == "S0")
                #expect(status["switch"]["state"] == "failed" && status["switch"]["reason"].text != nil)
                try farm.stopOrigin()
                #expect(try farm.api.post("/mounts/\(mount.id)/cl", ["cl": "S1", "carry": true]).status >= 500)
                try farm.startOrigin()
                try Program.shell("echo more >>own; echo x >a", in: mount.path)
                #expect(try File.text(mount.path + "/own") == "mine\nmore\n")
                for body in [
                    ["cl": 5], ["x": 1], ["cl": "S0", "base": "x"], ["cl": "S0", "base": "cl", "rev": "main"],
                ] as [JSON] {
                    #expect(try farm.api.post("/mounts/\(mount.id)/cl", body).status == 400, "\(body)")
                }
                #expect(
                    try farm.api.post("/mounts/00000000-0000-0000-0000-000000000000/cl", ["cl": "S0"]).status == 404)
                #expect(
                    try farm.uppers() == 1)
            }
        }

        /// Killed at any moment: the mount is the one or the other, whole, and can be exchanged again.
        @Test(arguments: Form.allCases) func aSupervisorThatDiesInAnExchangeLeavesOneOrTheOther(form: Form) throws {
            try Farm.run(Self.series(2), Self.options(form, limit: .seconds(300))) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                try Program.shell("echo mine >own", in: mount.path)
                var shown = "0"
                let began = Deadline.now
                for _ in 0..<4 {
                    shown = shown == "0" ? "1" : "0"
                    try exchange(farm, mount, to: "S\(shown)", ["carry": true])
                }
                let taken = Deadline.now.since(began) / 4
                var outcomes: [Bool: Int] = [:]
                let rounds = 16
                for round in 0..<rounds {
                    let next = shown == "0" ? "1" : "0"
                    let curl = try begin(farm, mount, to: next)
                    // From before the first step to after the last one.
                    let delay = taken * (round + 1) * 3 / (rounds * 2)
                    _ = poll(nil, 0, Int32(delay / .milliseconds(1)))
                    try farm.killSupervisor()
                    let now = try expectOne(farm, mount, shown, next, "round \(round)", curl)
                    outcomes[now == next, default: 0] += 1
                    shown = now
                }
                print("exchanges that a killed supervisor had come to: \(outcomes)")
                try exchange(farm, mount, to: "S\(shown == "0" ? "1" : "0")", ["carry": true])
                try expectOneUpper(farm)
            }
        }

        /// Killed on entering a system call: before the mount is frozen, before the next view is attached, before the old one is detached, and at each record.
        @Test func aSupervisorThatDiesAtAStepLeavesOneOrTheOther() throws {
            try Farm.run(Self.series(2), Self.options(limit: .seconds(300))) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                try Program.shell("echo mine >own", in: mount.path)
                var shown = "0"
                let steps =
                    ["fspick:1", "move_mount:1", "umount2:1"] + (1...7).map { "/^rename:\($0)" }
                for step in steps {
                    let next = shown == "0" ? "1" : "0"
                    let parts = step.split(separator: ":")
                    let supervisor = try #require(farm.supervisor)
                    let tracer = try farm.kill(at: String(parts[0]), Int(parts[1])!)
                    let curl = try begin(farm, mount, to: next)
                    _ = curl.waitForEnd(until: .after(.seconds(30)))
                    let died = supervisor.waitForEnd(until: .after(.seconds(1)))
                    tracer.signal(SIGTERM)
                    #expect(tracer.waitForEnd(until: .after(.seconds(10))))
                    _ = tracer.reap()
                    // Where there are fewer records it goes to its end.
                    #expect(died || step.hasPrefix("/^rename"), "\(step)")
                    try farm.killSupervisor()
                    shown = try expectOne(farm, mount, shown, next, step, curl)
                    print("killed at \(step) (\(died)): \(shown == next ? "exchanged" : "as before")")
                    if step == "fspick:1" || step == "move_mount:1" { #expect(shown != next) }
                    if step == "umount2:1" { #expect(shown == next, "the next view has the place") }
                }
                try exchange(farm, mount, to: "S\(shown == "0" ? "1" : "0")", ["carry": true])
                try expectOneUpper(farm)
            }
        }

        private func begin(_ farm: Farm, _ mount: Farm.Mount, to next: String) throws -> ChildProcess {
            try Program.start(
                "/usr/bin/curl",
                [
                    "-s", "--max-time", "60", "--unix-socket", farm.api.socket, "-X", "POST", "-d",
                    #"{"cl":"S\#(next)","carry":true}"#, "http://x/mounts/\(mount.id)/cl",
                ])
        }

        /// Starts the next supervisor, and expects one of the two views, writable and with what the job wrote.
        private func expectOne(
            _ farm: Farm, _ mount: Farm.Mount, _ shown: String, _ next: String, _ when: String, _ client: ChildProcess
        ) throws -> String {
            _ = client.waitForEnd(until: .after(.seconds(10)))
            _ = client.reap()
            try farm.startSupervisor()
            let now = try version(mount)
            #expect(Set(now).count == 1 && [shown, next].contains(now[0]), "\(when): \(now)")
            let status = try farm.status(mount)
            #expect(status["state"] == "Ready", "\(when): \(status)")
            #expect(status["cl"].text == "S\(now[0])", "\(when)")
            #expect(try File.text(mount.path + "/own") == "mine\n", "\(when)")
            try Program.shell("echo x >last; rm last", in: mount.path)
            #expect(try farm.mounts().count == 2, "\(when)")
            return now[0]
        }

        private func expectOneUpper(_ farm: Farm) throws {
            try until("the old views are gone") { try farm.uppers() == 1 }
        }
    }
}
