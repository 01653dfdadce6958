import Foundation
import LinuxSystem

/// A program that serves while a test runs, and is killed afterwards.
final class ServingProgram {
    private let process = Process()
    private let errors = Foundation.Pipe()

    init(_ path: String, _ arguments: [String]) throws {
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
    }

    deinit {
        stop()
    }

    /// The next line it says, without its end.
    func line() throws -> String {
        var line = Data()
        while let byte = try errors.fileHandleForReading.read(upToCount: 1), !byte.isEmpty, byte != Data("\n".utf8) {
            line += byte
        }
        return String(decoding: line, as: UTF8.self)
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }
}

/// Programs that only some builds and machines have.
enum Programs {
    /// antares-origin: built beside the tests unless the core alone is, or where ANTARES_BINARIES says.
    static let origin: String? = {
        let given = ProcessInfo.processInfo.environment["ANTARES_BINARIES"].map { "\($0)/antares-origin" }
        let beside = (try? OwnerProcess.program()).map {
            ($0 as NSString).deletingLastPathComponent + "/antares-origin"
        }
        return [given, beside].compactMap { $0 }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    /// Debian's nginx.
    static let nginx: String? = {
        let path = "/usr/sbin/nginx"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    /// antares-origin for a repository; its address.
    static func serve(_ repository: TestRepository, _ arguments: String...) throws -> (ServingProgram, url: String) {
        guard let origin else { throw TestRepository.Failure("there is no antares-origin") }
        let program = try ServingProgram(
            origin, ["--repo", repository.directory, "--listen", "127.0.0.1:0"] + arguments)
        let line = try program.line()
        guard let url = line.split(separator: " ").last, url.hasPrefix("http://") else {
            throw TestRepository.Failure("antares-origin says \(line)")
        }
        return (program, String(url))
    }

    /// A port of the loopback that was free a moment ago.
    static func freePort() throws -> UInt16 {
        let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(probe) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(probe, address, length) == 0 && getsockname(probe, address, &length) == 0
            }
        }
        guard bound else { throw TestRepository.Failure("bind: \(Errno.current)") }
        return UInt16(bigEndian: address.sin_port)
    }

    /// nginx with this configuration, once it listens on `port`.
    static func serveNginx(_ configuration: String, in directory: String, port: UInt16) throws -> ServingProgram {
        guard let nginx else { throw TestRepository.Failure("there is no nginx") }
        let file = "\(directory)/nginx.conf"
        try configuration.write(toFile: file, atomically: true, encoding: .utf8)
        let program = try ServingProgram(
            nginx,
            [
                "-p", directory, "-c", file, "-g",
                "daemon off; user root; pid \(directory)/pid; error_log \(directory)/log;",
            ])
        let deadline = Deadline.after(.seconds(20))
        while !deadline.hasPassed {
            if accepts(port) { return program }
            sched_yield()
        }
        let log = (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? ""
        throw TestRepository.Failure("nginx does not listen: \(log)")
    }

    private static func accepts(_ port: UInt16) -> Bool {
        let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(probe) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(probe, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
