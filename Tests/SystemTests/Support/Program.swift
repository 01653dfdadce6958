import Glibc
import LinuxSystem

/// A program that runs to its end: its output and how it ended.
struct Finished {
    let output: String
    let errors: String
    let status: LinuxSystem.ExitStatus

    var succeeded: Bool { status == .code(0) }
}

/// Programs of the machine and of the build.
enum Program {
    static let environment = [
        "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C.UTF-8", "HOME=/nonexistent",
    ]

    /// The directory of the programs under test: ANTARES_BINARIES, else that of the test itself.
    static let binaries: String = {
        if let given = getenv("ANTARES_BINARIES") { return String(cString: given) }
        guard let own = realpath("/proc/self/exe", nil) else { return "." }
        defer { free(own) }
        let path = String(cString: own)
        return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }()

    static func built(_ name: String) -> String {
        binaries + "/" + name
    }

    static let areBuilt = ["antares", "antares-supervisor", "antares-worker", "dicfuse-cache", "antares-origin"]
        .allSatisfy { access(built($0), X_OK) == 0 }

    /// Starts a program; its standard output and error go to the given descriptors.
    static func start(
        _ path: String, _ arguments: [String], output: Int32? = nil, errors: Int32? = nil, directory: String? = nil,
        environment extra: [String] = []
    ) throws -> ChildProcess {
        var spec = ProcessSpec(
            path: path, arguments: arguments, environment: environment + extra, fds: [nil, output, errors])
        spec.directory = directory
        spec.noNewPrivileges = false
        return try ChildProcess.spawn(spec)
    }

    /// Runs a program to its end. One that is not done by the deadline is killed, and the call throws.
    static func run(
        _ path: String, _ arguments: [String], directory: String? = nil, environment: [String] = [],
        limit: Duration = .seconds(60)
    ) throws -> Finished {
        let output = try CapturedOutput()
        let errors = try CapturedOutput()
        let child = try start(
            path, arguments, output: output.raw, errors: errors.raw, directory: directory, environment: environment)
        let ended = child.waitForEnd(until: .after(limit))
        if !ended {
            child.signal(SIGKILL)
            guard child.waitForEnd(until: .after(.seconds(5))) else {
                throw Trouble("\(path) \(arguments) cannot be killed: it waits in the kernel")
            }
        }
        let status = child.reap() ?? .unknown
        let result = Finished(output: try output.text(), errors: try errors.text(), status: status)
        guard ended else { throw Trouble("\(path) \(arguments) is not done after \(limit): \(result.errors)") }
        return result
    }

    /// Runs a shell script; throws unless it succeeds.
    @discardableResult
    static func shell(
        _ script: String, in directory: String? = nil, environment: [String] = [], limit: Duration = .seconds(60)
    ) throws -> String {
        let finished = try run(
            "/bin/bash", ["-euc", script], directory: directory, environment: environment, limit: limit)
        guard finished.succeeded else { throw Trouble("\(script): \(finished.status): \(finished.errors)") }
        return finished.output
    }
}

/// A file in memory that a child writes to: unlike a pipe it takes any amount without a reader.
struct CapturedOutput: ~Copyable {
    private let memory: SharedFile

    init() throws {
        memory = try SharedFile()
    }

    var raw: Int32 { memory.fd.raw }

    func text() throws -> String {
        try check(lseek(memory.fd.raw, 0, SEEK_SET), "lseek")
        return String(decoding: try File.contents(of: memory.fd.raw, limit: 64 << 20), as: UTF8.self)
    }

    private struct SharedFile: ~Copyable {
        let fd: OwnedFD

        init() throws {
            let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
            // O_TMPFILE: the file has no name and goes with its last descriptor.
            fd = try File.open(base, O_RDWR | 0o20200000, mode: 0o600)
        }
    }
}
