import Glibc
import LinuxSystem

/// A program of this build, run with its output caught.
final class Program: Sendable {
    struct Result: Sendable {
        let status: ExitStatus
        let output: String
        let errors: String
    }

    private static let threads = Swift.Result { try BlockingThreads(count: 16, name: "test-program") }

    private let process: ChildProcess
    private let output: SharedFD
    private let errorFile: String

    /// Starts `name`, a path or a program that was built beside the tests, with a standard input that is empty.
    init(_ name: String, _ arguments: [String], environment: [String] = [], directory: String) throws {
        let pipe = try Pipe()
        output = SharedFD(try pipe.read.duplicate())
        errorFile = "\(directory)/stderr-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
        let errors = try File.open(errorFile, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        var spec = ProcessSpec(
            path: name.hasPrefix("/") ? name : Self.directory + "/" + name, arguments: arguments,
            environment: ["PATH=/usr/local/bin:/usr/bin:/bin"] + environment, fds: [nil, pipe.write.raw, errors.raw])
        spec.directory = directory
        spec.newSession = false
        process = try ChildProcess.spawn(spec)
    }

    /// Runs it to its end.
    static func run(
        _ name: String, _ arguments: [String], environment: [String] = [], directory: String
    ) async throws -> Result {
        try await Program(name, arguments, environment: environment, directory: directory).result()
    }

    var pid: Int32 {
        process.pid
    }

    func signal(_ number: Int32) {
        process.signal(number)
    }

    /// The next line of its output; what it had so far if the output ends.
    func line() async throws -> String {
        try await Self.threads.get().run { [output] () throws(SystemError) in
            var line: [UInt8] = []
            var byte: UInt8 = 0
            while true {
                let n = try retrying("read") { read(output.raw, &byte, 1) }
                if n == 0 || byte == UInt8(ascii: "\n") { break }
                line.append(byte)
            }
            return String(decoding: line, as: UTF8.self)
        }
    }

    /// Waits for the end, a minute at most.
    func result() async throws -> Result {
        try await Self.threads.get().run { [process, output, errorFile] () throws(SystemError) in
            let text = try File.contents(of: output.raw)
            guard process.waitForEnd(until: .after(.seconds(60))) else {
                process.signal(SIGKILL)
                throw SystemError(.timedOut, "wait")
            }
            return Result(
                status: process.reap() ?? .unknown, output: String(decoding: text, as: UTF8.self),
                errors: try File.text(errorFile))
        }
    }

    /// Where the programs are: beside the test bundle, which is this process's executable or one of its arguments.
    static var directory: String {
        let own = realpath("/proc/self/exe", nil).map { path in
            defer { free(path) }
            return String(cString: path)
        }
        let candidates = [own].compactMap { $0 } + CommandLine.arguments
        for path in candidates {
            let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
            if access(folder + "/antares", X_OK) == 0 { return folder }
        }
        return "."
    }
}
