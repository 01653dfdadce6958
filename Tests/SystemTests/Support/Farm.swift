import Glibc
import LinuxSystem
import Testing

/// An origin, a supervisor with all it starts, and their directories: real programs, real mounts, numbers for the unprivileged users.
final class Farm: Sendable {
    struct Options: Sendable {
        var strictMega = false
        /// Another origin than the one of the farm.
        var originURL: String?
        var requestTimeout = "10s"
        var limit: Duration = .seconds(120)
        /// Of the head's mounts.
        var form = Form.lazy
        /// Whether the image of the head is there, if it is to be, before the test begins.
        var awaitsImage = true
        var onStop = "unmount"
        /// Workers and the owner run from copies in the farm, which a test may replace.
        var ownPrograms = false
        /// Faults of the workers, as `antares-worker --test-faults` takes them.
        var workerFaults: String?
        /// Whether pointers of Git LFS are followed.
        var lfs = false
        /// As `antares-supervisor --log-format` takes it.
        var logFormat = "text"
        /// Further lines of the section [supervisor].
        var settings = ""
    }

    /// The supervisor's default.
    static let spares = 4

    let directory: String
    let repository: String
    let api: APIClient
    let processes: FarmProcesses
    private let options: Options
    private let state = Guarded(State())

    private struct State {
        var origin: ChildProcess?
        var originURL = ""
        var supervisor: ChildProcess?
        var connections: Set<FarmProcesses.Connection> = []
    }

    private init(_ directory: String, _ repository: String, _ options: Options) {
        self.directory = directory
        self.repository = repository
        self.options = options
        api = APIClient(socket: directory + "/run/api.sock")
        processes = FarmProcesses(directory: directory)
    }

    /// Starts a farm on the repository that `make` makes in a directory, calls `body`, stops the farm, and records an issue for
    /// everything that is left of it. Takes it away whatever happens.
    static func run(
        _ make: (String) throws -> Repository, _ options: Options = Options(), _ body: (Farm, Repository) throws -> Void
    ) throws {
        let scratch = try Scratch("farm")
        let repository = try make(scratch.path)
        let farm = Farm(scratch.path, repository.path, options)
        let watchdog = try Watchdog(farm.processes, limit: options.limit)
        defer {
            #expect(!watchdog.stop(), "the test took longer than \(options.limit)")
            farm.wipe()
            scratch.remove()
        }
        do {
            if options.ownPrograms { for program in farm.programs.keys { try farm.install(program) } }
            try farm.startOrigin()
            try farm.startSupervisor()
            if options.form == .sealed, options.awaitsImage { try farm.seal(repository) }
            try body(farm, repository)
            if options.onStop == "keep" {
                try farm.stopSupervisor()
                try farm.startSupervisor(onStop: "unmount")
            }
            try farm.stopOrigin()
            try farm.stopSupervisor()
            try farm.expectNothingLeft()
        } catch {
            farm.showLogs()
            throw error
        }
    }

    // MARK: Parts

    var originURL: String { state.with { $0.originURL } }
    var originPID: Int32? { state.with { $0.origin?.pid } }
    var supervisorPID: Int32? { state.with { $0.supervisor?.pid } }
    var supervisor: ChildProcess? { state.with { $0.supervisor } }
    var mountRoot: String { directory + "/mnt" }
    /// A root under which clients may choose mountpoints.
    var builds: String { directory + "/builds" }

    /// Starts the origin, again at the port that it had.
    func startOrigin() throws {
        let listen = originURL.isEmpty ? "127.0.0.1:0" : String(originURL.dropFirst("http://".count))
        let arguments = ["--repo", repository, "--listen", listen] + (options.strictMega ? ["--strict-mega"] : [])
        let (process, line) = try start("antares-origin", arguments, log: "origin.log", until: "listening on ")
        let url = line.drop { $0 != "h" }
        state.with {
            $0.origin = process
            $0.originURL = String(url)
        }
    }

    func stopOrigin() throws {
        guard let origin = state.with({ $0.origin }) else { return }
        origin.signal(SIGCONT)
        origin.signal(SIGTERM)
        guard origin.waitForEnd(until: .after(.seconds(20))) else { throw Trouble("the origin does not end") }
        #expect(origin.reap() == .code(0))
        state.with { $0.origin = nil }
    }

    /// The configuration key of each program that can be installed.
    let programs = ["antares-worker": "worker_program", "dicfuse-cache": "cache_program"]

    /// Puts a program into the farm as a package manager does: a new file, renamed over the old one. `script` instead of the real one.
    func install(_ program: String, script: String? = nil) throws {
        let place = "\(directory)/bin/\(program)"
        try Program.shell("mkdir -p -m 711 '\(directory)/bin'")
        if let script {
            try File.replace(place + ".new", with: Array("#!/bin/sh\n\(script)\n".utf8), mode: 0o755)
        } else {
            try Program.shell("cp '\(Program.built(program))' '\(place).new'")
        }
        try Program.shell("mv '\(place).new' '\(place)'")
    }

    func startSupervisor(
        onStop: String? = nil, environment: [String] = [], inherited: [(name: String, fd: Int32)] = []
    ) throws {
        try writeConfiguration(onStop: onStop)
        let (process, _) = try start(
            "antares-supervisor", ["--config", configurationPath, "--log-format", options.logFormat],
            log: "supervisor.log",
            until: options.logFormat == "json" ? #""part":"supervisor","message":"ready""# : " supervisor ready ",
            environment: supervisorEnvironment + environment, inherited: inherited)
        state.with { $0.supervisor = process }
    }

    /// Starts the supervisor again and does not wait until it is ready.
    func spawnSupervisor() throws {
        let file = try File.open(directory + "/supervisor.log", O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
        let process = try Program.start(
            Program.built("antares-supervisor"), ["--config", configurationPath], errors: file.raw,
            environment: supervisorEnvironment)
        state.with { $0.supervisor = process }
    }

    private var supervisorEnvironment: [String] {
        options.workerFaults.map { ["ANTARES_TEST_WORKER_FAULTS=\($0)"] } ?? []
    }

    var configurationPath: String { directory + "/supervisor.toml" }

    private func writeConfiguration(onStop: String? = nil) throws {
        try Directory.create(builds)
        let installed = programs.map { "\($1) = \"\(directory)/bin/\($0)\"" }.joined(separator: "\n")
        let configuration = """
            [supervisor]
            socket = "\(api.socket)"
            state_dir = "\(directory)/state"
            run_dir = "\(directory)/run"
            mount_root = "\(mountRoot)"
            mountpoint_roots = ["\(builds)"]
            upper_root = "\(directory)/upper"
            worker_user = "64701"
            request_timeout = "\(options.requestTimeout)"
            on_stop = "\(onStop ?? options.onStop)"
            \(options.ownPrograms ? installed : "")
            \(options.settings)
            [cache]
            dir = "\(directory)/cache"
            user = "64702"
            limit = "4GiB"
            seal = \(options.form == .sealed)
            [origins.local]
            url = "\(options.originURL ?? originURL)"
            \(options.lfs ? "lfs = \"\(originURL)/info/lfs\"" : "")
            """
        try File.replace(configurationPath, with: Array(configuration.utf8))
    }

    /// Ends the supervisor as a service manager does, and expects that all its mounts and processes go with it.
    func stopSupervisor() throws {
        guard let supervisor = state.with({ $0.supervisor }) else { return }
        supervisor.signal(SIGTERM)
        guard supervisor.waitForEnd(until: .after(.seconds(30))) else { throw Trouble("the supervisor does not end") }
        #expect(supervisor.reap() == .code(0))
        state.with { $0.supervisor = nil }
    }

    /// Ends the supervisor alone, as a crash does.
    func killSupervisor() throws {
        guard let supervisor = state.with({ $0.supervisor }) else { return }
        supervisor.signal(SIGKILL)
        guard supervisor.waitForEnd(until: .after(.seconds(10))) else { throw Trouble("the supervisor does not end") }
        #expect(supervisor.reap() == .signal(SIGKILL))
        state.with { $0.supervisor = nil }
    }

    /// The supervisor's log so far.
    func log() throws -> String {
        try File.text(directory + "/supervisor.log", limit: 64 << 20)
    }

    /// Waits until the log says so: its lines are written by a thread of their own, which may come after an answer.
    func expectLogged(_ text: String) throws {
        try until("\"\(text)\" in the log") { try log().contains(text) }
    }

    func expectNothingLeft() throws {
        #expect(try mounts() == [])
        #expect(try processes.all() == [])
        let sockets = try Program.shell("find '\(directory)' -type s")
        #expect(sockets == "", "\(sockets)")
        // Trash may be more than a stop has time for; the next supervisor goes on with it.
        let left = try Program.shell(
            "find '\(directory)'/{mnt,upper,builds} -mindepth 2 -not -path '*/.trash-*' 2>/dev/null || true")
        #expect(left == "", "\(left)")
        // The kernel ends the superblocks of a process that was killed in its own time.
        let deadline = Deadline.after(.seconds(5))
        while state.with({ $0.connections.contains(where: \.exists) }), !deadline.hasPassed { usleep(10_000) }
        #expect(state.with { $0.connections.filter(\.exists).count } == 0, "FUSE connections")
    }

    /// Mountpoints of the farm, its mount root among them.
    func mounts() throws -> [String] {
        try MountTable.current().map(\.mountPoint).filter { $0.hasPrefix(directory + "/") }
    }

    // MARK: Mounts

    struct Mount: Sendable {
        let id: String
        let path: String
    }

    var form: Form { options.form }

    /// Has a commit sealed, and returns when its image is there: what is mounted from then on is sealed.
    func seal(_ repository: Repository, _ revision: String = "HEAD") throws {
        let commit = try repository.git("rev-parse", revision).filter { !$0.isWhitespace }
        let root = try repository.git("rev-parse", commit + "^{tree}").filter { !$0.isWhitespace }
        // The owner says it in the log, once for each time that there is an image anew.
        let before = try log().utf8.count
        let answer = try api.post("/cache/prefetch", ["rev": .string(commit), "depth": 0])
        guard answer.status == 202 else { throw Trouble("pin \(commit): \(answer.status) \(answer.body)") }
        if answer.body["sealed"] == .boolean(true) { return }
        let deadline = Deadline.after(.seconds(60))
        while try !log().utf8.dropFirst(before).split(separator: 0x0A).contains(where: { line in
            String(line)?.contains(" cache sealed origin=local root=\(root) ") == true
        }) {
            if deadline.hasPassed { throw Trouble("\(commit) is not sealed:\n\(try log())") }
            _ = poll(nil, 0, 5)
        }
    }

    /// Takes all objects away, as an eviction does: whoever opens a file next has it fetched, but for what its mount has opened before.
    func evictObjects() throws {
        try Program.shell("find '\(directory)'/cache/local*/{layer,inbox} -type f -delete")
    }

    /// Makes a mount, which must be of the form `lower`, or of the farm's if that was waited for and it may not be of any.
    func mount(
        _ job: String, _ more: [String: JSON] = [:], lower: Form? = nil, ofAnyForm: Bool = false
    ) throws -> Mount {
        var body: [String: JSON] = ["path": "/", "job_id": .string(job)]
        body.merge(more) { $1 }
        let answer = try api.post("/mounts", .object(body))
        guard answer.status == 200, let id = answer.body["mount_id"].text, let path = answer.body["mountpoint"].text
        else {
            throw Trouble("mount \(job): \(answer.status) \(answer.body)")
        }
        if let wanted = lower ?? (options.awaitsImage && !ofAnyForm ? form : nil) {
            #expect(answer.body["lower"].text == wanted.rawValue, "mount \(job)")
        }
        let connections = try processes.connections()
        state.with { $0.connections.formUnion(connections) }
        return Mount(id: id, path: path)
    }

    /// Numbers of the FUSE connections of mounts that have a record.
    func recordedConnections() -> Set<UInt64> {
        let records = directory + "/run/mounts"
        let names = ((try? Directory.names(records)) ?? []).map { String(decoding: $0, as: UTF8.self) }
        return Set(
            names.compactMap { name in
                (try? JSON(File.contents("\(records)/\(name)")))?["connection"].number.map { UInt64($0) }
            })
    }

    func unmount(_ mount: Mount) throws {
        let answer = try api.delete("/mounts/\(mount.id)")
        guard answer.status == 200 else { throw Trouble("unmount: \(answer.status) \(answer.body)") }
        #expect(answer.body["state"] == "Unmounted")
    }

    func status(_ mount: Mount) throws -> JSON {
        try api.get("/mounts/\(mount.id)").body
    }

    func workerPID(_ mount: Mount) throws -> Int32 {
        guard let pid = try status(mount)["worker"]["pid"].number else { throw Trouble("the mount has no worker") }
        return Int32(pid)
    }

    /// SIGSTOP returns when it has stopped (``ChildProcess/stop()``).
    func signalWorker(_ mount: Mount, _ number: Int32) throws {
        let worker = try ChildProcess(adopting: workerPID(mount))
        if number == SIGSTOP { try worker.stop() } else { worker.signal(number) }
    }

    /// Waits until the mount's status is as wanted; throws after the limit.
    @discardableResult
    func wait(
        for mount: Mount, limit: Duration = .seconds(30), _ what: String, _ condition: (JSON) -> Bool
    ) throws -> JSON {
        let deadline = Deadline.after(limit)
        while true {
            let status = try status(mount)
            if condition(status) { return status }
            if deadline.hasPassed { throw Trouble("\(what): not after \(limit): \(status)") }
            _ = poll(nil, 0, 5)
        }
    }

    /// Runs the operator's command.
    func antares(_ arguments: String..., directory: String? = nil, limit: Duration = .seconds(60)) throws -> Finished {
        try Program.run(
            Program.built("antares"), arguments, directory: directory,
            environment: ["ANTARES_SOCKET=\(api.socket)"], limit: limit)
    }

    /// What the origin was asked for, without the questions that pin a commit.
    func fetched() throws -> String {
        try Program.shell(
            "curl -sS '\(originURL)/metrics' | grep -vE '\"/metrics\"|latest-commit|/commits\"|/capabilities\"'")
    }

    // MARK: Processes

    private func start(
        _ program: String, _ arguments: [String], log: String, until sign: String, environment: [String] = [],
        inherited: [(name: String, fd: Int32)] = []
    ) throws -> (ChildProcess, Substring) {
        let path = directory + "/" + log
        let file = try File.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
        let begin = try File.size(of: file.raw)
        let process: ChildProcess
        if inherited.isEmpty {
            process = try Program.start(
                Program.built(program), arguments, errors: file.raw, environment: environment)
        } else {
            // As a service manager gives back what it kept (sd_listen_fds(3)); the pid is known to the process alone.
            let names = inherited.map(\.name).joined(separator: ":")
            var spec = ProcessSpec(
                path: "/bin/sh",
                arguments: ["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"", Program.built(program)] + arguments,
                environment: Program.environment + environment
                    + ["LISTEN_FDS=\(inherited.count)", "LISTEN_FDNAMES=\(names)"],
                fds: [nil, nil, file.raw] + inherited.map(\.fd))
            spec.noNewPrivileges = false
            process = try ChildProcess.spawn(spec)
        }
        let deadline = Deadline.after(.seconds(20))
        while true {
            let text = try File.contents(path, limit: 64 << 20).dropFirst(Int(begin))
            let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
            for line in lines {
                let line = String(decoding: line, as: UTF8.self)
                if line.contains(sign) { return (process, Substring(line)) }
            }
            if process.waitForEnd(until: .after(.milliseconds(10))) {
                _ = process.reap()
                throw Trouble("\(program) ended: \(String(decoding: text, as: UTF8.self))")
            }
            if deadline.hasPassed { throw Trouble("\(program) does not say `\(sign)`") }
        }
    }

    private func showLogs() {
        for log in ["supervisor.log", "origin.log"] {
            Issue.record("\(log):\n\(lastLines(of: log, 40))")
        }
    }

    /// Of a log in the farm's directory; empty if there is none.
    func lastLines(of log: String, _ count: Int) -> String {
        let text = (try? File.text(directory + "/" + log, limit: 64 << 20)) ?? ""
        return text.split(separator: "\n").suffix(count).joined(separator: "\n")
    }

    private func wipe() {
        processes.end()
        for child in [state.with({ $0.supervisor }), state.with({ $0.origin })] {
            guard let child, child.waitForEnd(until: .after(.seconds(10))) else { continue }
            _ = child.reap()
        }
        for path in ((try? mounts()) ?? []).reversed() { try? Mounts.detach(path) }
    }
}
