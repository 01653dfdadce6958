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
    }

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
            try farm.startOrigin()
            try farm.startSupervisor()
            try body(farm, repository)
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

    func startSupervisor() throws {
        try Directory.create(builds)
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
            [cache]
            dir = "\(directory)/cache"
            user = "64702"
            limit = "4GiB"
            [origins.local]
            url = "\(options.originURL ?? originURL)"
            """
        let path = directory + "/supervisor.toml"
        try File.replace(path, with: Array(configuration.utf8))
        let (process, _) = try start("antares-supervisor", ["--config", path], log: "supervisor.log", until: "ready")
        state.with { $0.supervisor = process }
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

    func expectNothingLeft() throws {
        #expect(try mounts() == [])
        #expect(try processes.all() == [])
        #expect(try Program.shell("find '\(directory)' -type s") == "", "sockets")
        #expect(try Program.shell("find '\(directory)'/{mnt,upper,builds} -mindepth 2 2>/dev/null || true") == "")
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

    func mount(_ job: String, _ more: [String: JSON] = [:]) throws -> Mount {
        var body: [String: JSON] = ["path": "/", "job_id": .string(job)]
        body.merge(more) { $1 }
        let answer = try api.post("/mounts", .object(body))
        guard answer.status == 200, let id = answer.body["mount_id"].text, let path = answer.body["mountpoint"].text
        else {
            throw Trouble("mount \(job): \(answer.status) \(answer.body)")
        }
        let connections = try processes.connections()
        state.with { $0.connections.formUnion(connections) }
        return Mount(id: id, path: path)
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
        _ program: String, _ arguments: [String], log: String, until sign: String
    ) throws -> (ChildProcess, Substring) {
        let path = directory + "/" + log
        let file = try File.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
        let begin = try File.size(of: file.raw)
        let process = try Program.start(Program.built(program), arguments, errors: file.raw)
        let deadline = Deadline.after(.seconds(20))
        while true {
            let text = try File.contents(path, limit: 64 << 20).dropFirst(Int(begin))
            let lines = text.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast()
            for line in lines {
                let line = String(decoding: line, as: UTF8.self)
                if line.hasPrefix(sign) { return (process, Substring(line)) }
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
            let text = (try? File.text(directory + "/" + log, limit: 64 << 20)) ?? ""
            let lines = text.split(separator: "\n").suffix(40).joined(separator: "\n")
            Issue.record("\(log):\n\(lines)")
        }
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
