import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What is left to a worker or a cache owner that somebody has taken over.
    @Suite struct HardeningTests {
        /// The attempts of a process of uid 64701 with an object of another user, by name.
        private static func attempts(_ profile: String, environment: [String] = []) throws -> [String: Int32] {
            let scratch = try Scratch("hard")
            defer { scratch.remove() }
            let object = scratch.path + "/object"
            try File.replace(object, with: Array("content".utf8), mode: 0o644)
            try check(chmod(scratch.path, 0o755), "chmod")
            let file = try File.open(object, O_RDONLY)
            let (near, far) = try MessageSocket.pair()
            let output = try CapturedOutput()
            // A process of the same user, as another worker is.
            var victim = ProcessSpec(path: "/bin/sleep", arguments: ["60"], fds: [nil, nil, nil])
            (victim.uid, victim.gid) = (64701, 64701)
            let other = try ChildProcess.spawn(victim)
            defer {
                other.signal(SIGKILL)
                _ = other.waitForEnd(until: .after(.seconds(5)))
                _ = other.reap()
            }
            var spec = ProcessSpec(
                path: Program.built("protocol-double"), arguments: ["attempts", profile, "\(other.pid)"],
                environment: Program.environment + environment,
                fds: [nil, output.raw, nil, file.raw, near.raw])
            (spec.uid, spec.gid) = (64701, 64701)
            let process = try ChildProcess.spawn(spec)
            #expect(process.waitForEnd(until: .after(.seconds(30))))
            #expect(process.reap() == .code(0))
            _ = far
            let lines = try output.text().split(separator: "\n").map { $0.split(separator: "=") }
            return Dictionary(
                uniqueKeysWithValues: lines.compactMap { line in
                    line.count == 2 ? (String(line[0]), Int32(line[1]) ?? -1) : nil
                })
        }

        @Test func aWorkerHasItsDescriptorsAndNothingElse() throws {
            let found = try Self.attempts("worker")
            let denied = [
                "reopen", "open", "link", "truncate", "chmod", "kill", "pidfd", "memory", "inet", "packet", "program",
                "executable", "setuid",
            ]
            for name in denied { #expect(found[name] == EPERM, "\(name): \(found[name] ?? -1)") }
            #expect(found["write"] == EBADF, "an object is open for reading")
            for name in ["thread", "read", "send"] { #expect(found[name] == 0, "\(name): \(found[name] ?? -1)") }
        }

        @Test func anOwnerHasFilesAndTheNetworkAndNothingElse() throws {
            let found = try Self.attempts("owner")
            for name in ["kill", "pidfd", "packet", "program", "setuid"] {
                #expect(found[name] == EPERM, "\(name): \(found[name] ?? -1)")
            }
            for name in ["open", "inet", "thread", "read", "send"] {
                #expect(found[name] == 0, "\(name): \(found[name] ?? -1)")
            }
        }

        /// What the filter is for: without it the same process can do these.
        @Test func switchedOffNothingIsDenied() throws {
            let found = try Self.attempts("worker", environment: ["ANTARES_HARDENING=off"])
            for name in ["open", "kill", "pidfd", "inet", "program", "executable"] {
                #expect(found[name] == 0, "\(name): \(found[name] ?? -1)")
            }
        }

        private func status(of pid: Int32, _ field: String) throws -> String {
            let line = try File.text("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix(field + ":") }
            return line.map { $0.drop { $0 != "\t" }.drop { $0 == "\t" }.description } ?? "-"
        }

        @Test func theRealOnesAreHardenedAndCanBeTakenOver() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                let worker = try farm.workerPID(mount)
                let owner = Int32(try #require(try farm.api.get("/health").body["cache_pid"].number))
                for pid in [worker, owner] {
                    #expect(try status(of: pid, "Seccomp") == "2")
                    #expect(try status(of: pid, "NoNewPrivs") == "1")
                    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                        #expect(try status(of: pid, set) == "0000000000000000", "\(set)")
                    }
                    // What is not dumpable belongs to root in /proc.
                    var found = stat()
                    #expect(stat("/proc/\(pid)/fd", &found) == 0 && found.st_uid == 0)
                }
                // Nor may another process of the workers' user look into one.
                let looked = try Program.run(
                    "/usr/bin/setpriv",
                    ["--reuid", "64701", "--regid", "64701", "--clear-groups", "ls", "/proc/\(worker)/fd/"])
                #expect(!looked.succeeded && looked.errors.contains("Permission denied"))
                // A stopped worker and no owner: the descriptors can be had from the worker alone.
                let job = try ReadingJob(farm, mount)
                try job.waitForRounds(1)
                try farm.signalWorker(mount, SIGSTOP)
                try farm.killSupervisor()
                let process = try ChildProcess(adopting: owner)
                process.signal(SIGKILL)
                #expect(process.waitForEnd(until: .after(.seconds(5))))
                try farm.startSupervisor()
                try job.waitForRounds(2)
                try job.finish()
                #expect(try farm.status(mount)["state"] == "Ready")
                try farm.unmount(mount)
            }
        }

        @Test func theSwitchIsReported() throws {
            try Farm.run(Repository.small, Farm.Options(settings: "hardening = false")) { farm, _ in
                let mount = try farm.mount("m")
                #expect(try status(of: farm.workerPID(mount), "Seccomp") == "0")
                try farm.expectLogged("check=hardening")
                try farm.unmount(mount)
            }
        }

        /// Real users with supplementary groups at the real socket.
        @Test func rolesAreThoseOfTheGroups() throws {
            let settings = "agent_groups = [\"64710\"]\nreader_groups = [\"64711\"]\noperator_groups = [\"64712\"]"
            try Farm.run(Repository.small, Farm.Options(settings: settings)) { farm, _ in
                func ask(
                    _ uid: Int, groups: String, _ method: String, _ path: String, _ body: String = ""
                ) throws -> String {
                    let identity = "setpriv --reuid \(uid) --regid \(uid) --groups \(groups)"
                    let data = body.isEmpty ? "" : "-d '\(body)'"
                    return try Program.shell(
                        "\(identity) curl -sS -o /dev/null -w '%{http_code}' -X \(method) --unix-socket "
                            + "'\(farm.api.socket)' 'http://x\(path)' \(data)")
                }
                let mine = #"{"path":"/","job_id":"mine"}"#
                #expect(try ask(64720, groups: "64799", "GET", "/health") == "403")
                #expect(try ask(64720, groups: "64799,64711", "GET", "/mounts") == "200")
                #expect(try ask(64720, groups: "64711", "POST", "/mounts", mine) == "403")
                #expect(try ask(64721, groups: "64710", "POST", "/mounts", mine) == "200")
                let path = try #require(try farm.api.get("/mounts/by-job/mine").body["mountpoint"].text)
                var found = stat()
                #expect(stat(path, &found) == 0 && found.st_uid == 64721)
                #expect(try ask(64721, groups: "64710", "POST", "/mounts", #"{"path":"/","uid":0}"#) == "403")
                // The same name from another agent is no way to the mount of the first.
                #expect(try ask(64722, groups: "64710", "POST", "/mounts", mine) == "409")
                #expect(try ask(64722, groups: "64710", "GET", "/mounts/by-job/mine") == "404")
                #expect(try ask(64722, groups: "64710", "DELETE", "/mounts/by-job/mine") == "404")
                #expect(try ask(64722, groups: "64710", "POST", "/drain") == "403")
                for (uid, sees) in [(64721, true), (64722, false)] {
                    let events = try Program.shell(
                        "setpriv --reuid \(uid) --regid \(uid) --groups 64710 '\(Program.built("antares"))' events --after 0",
                        environment: ["ANTARES_SOCKET=\(farm.api.socket)"])
                    #expect(events.contains("mount_ready") == sees, "\(events)")
                    #expect(!events.contains("cache_started") && !events.contains("supervisor_started"), "\(events)")
                }
                #expect(try ask(64722, groups: "64712", "GET", "/mounts/by-job/mine") == "200")
                #expect(try ask(64721, groups: "64710", "DELETE", "/mounts/by-job/mine") == "200")
            }
        }

        @Test("Groups that a reload gives a role get in, and nobody's connection outlives the role it came with")
        func rolesChangeWhileItRuns() throws {
            try Farm.run(Repository.small, Farm.Options(settings: "reader_groups = []")) { farm, _ in
                func mode() throws -> UInt32 { try FileStatus(of: farm.api.socket).mode & 0o777 }
                func reload(_ groups: String, until wanted: UInt32) throws {
                    try Program.shell(
                        "sed -i 's/^reader_groups.*/reader_groups = [\(groups)]/' supervisor.toml", in: farm.directory)
                    farm.supervisor?.signal(SIGHUP)
                    let deadline = Deadline.after(.seconds(20))
                    while try mode() != wanted, !deadline.hasPassed { _ = poll(nil, 0, 10) }
                    #expect(try mode() == wanted)
                }
                #expect(try mode() == 0o600)
                try reload("\"64711\"", until: 0o666)
                // Asks over one connection, the second time when a line comes.
                let script = """
                    import http.client, socket, sys
                    class Connection(http.client.HTTPConnection):
                        def connect(self):
                            self.sock = socket.socket(socket.AF_UNIX)
                            self.sock.connect(sys.argv[1])
                    connection = Connection("x")
                    for _ in range(2):
                        connection.request("GET", "/mounts")
                        answer = connection.getresponse()
                        answer.read()
                        print(answer.status, flush=True)
                        sys.stdin.readline()
                    """
                let gate = farm.directory + "/gate"
                let answers = farm.directory + "/answers"
                try File.replace(farm.directory + "/ask.py", with: Array(script.utf8), mode: 0o644)
                try check(mkfifo(gate, 0o600), "mkfifo", gate)
                let client = try Program.start(
                    "/bin/sh",
                    [
                        "-c",
                        "exec setpriv --reuid 64720 --regid 64720 --groups 64711 python3 ask.py '\(farm.api.socket)' "
                            + "<>'\(gate)' >'\(answers)'",
                    ], directory: farm.directory)
                let deadline = Deadline.after(.seconds(20))
                while (try? File.text(answers)) != "200\n", !deadline.hasPassed { _ = poll(nil, 0, 10) }
                try reload("", until: 0o600)
                try Program.shell("printf '\\n\\n' >'\(gate)'")
                #expect(client.waitForEnd(until: .after(.seconds(20))) && client.reap() == .code(0))
                #expect(try File.text(answers) == "200\n403\n")
            }
        }
    }
}
