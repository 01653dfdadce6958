import CacheProtocol
import Foundation
import GitObjects
import LinuxSystem

@testable import Dicfuse

/// The program `dicfuse-cache`, started as the supervisor starts it.
final class OwnerProcess {
    let process: ChildProcess
    let socketPath: String
    private let errors: OwnedFileBox
    private var unread: [UInt8] = []
    private var reaped = false

    /// Beside the test bundle, where SwiftPM builds all programs.
    static func program() throws -> String {
        let maps = try File.text("/proc/self/maps", limit: 64 << 20)
        for line in maps.split(separator: "\n") where line.hasSuffix("PackageTests.xctest") {
            guard let slash = line.firstIndex(of: "/") else { continue }
            return (String(line[slash...]) as NSString).deletingLastPathComponent + "/dicfuse-cache"
        }
        throw TestRepository.Failure("the test bundle is not among the mapped files")
    }

    init(
        json: String, arguments: [String] = [], openFileLimit: UInt64? = nil, under wrapper: [String] = [],
        user: UInt32? = nil
    ) throws {
        socketPath = try TemporaryDirectory.make("run") + "/control"
        let listener = try MessageSocket.listen(socketPath)
        let configuration = try json.utf8.withContiguousStorageIfAvailable { bytes in
            try SharedMemory.sealedFile(name: "configuration", UnsafeRawBufferPointer(bytes)).take()
        }
        guard let configuration else { throw TestRepository.Failure("no configuration") }
        let owned = OwnedFD(taking: configuration)
        var pipes: [Int32] = [-1, -1]
        guard pipe(&pipes) == 0 else { throw SystemError(Errno.current, "pipe") }
        errors = OwnedFileBox(OwnedFD(taking: pipes[0]))
        let writing = OwnedFD(taking: pipes[1])
        let command = wrapper + [try Self.program()] + arguments
        var spec = ProcessSpec(
            path: command[0], arguments: Array(command.dropFirst()),
            fds: [nil, nil, writing.raw, listener.raw, owned.raw])
        if let openFileLimit { spec.openFileLimit = openFileLimit }
        (spec.uid, spec.gid) = (user, user)
        process = try ChildProcess.spawn(spec)
    }

    convenience init(
        _ configuration: CacheConfiguration, openFileLimit: UInt64? = nil, under wrapper: [String] = [],
        user: UInt32? = nil
    ) throws {
        try self.init(
            json: String(decoding: try JSONEncoder().encode(configuration), as: UTF8.self),
            openFileLimit: openFileLimit, under: wrapper, user: user)
    }

    deinit {
        if !reaped {
            process.signal(SIGKILL)
            _ = end()
        }
        try? FileManager.default.removeItem(atPath: (socketPath as NSString).deletingLastPathComponent)
    }

    /// The next line of standard error; nil at its end.
    func line() -> String? {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            if let newline = unread.firstIndex(of: 0x0A) {
                defer { unread.removeSubrange(...newline) }
                return String(decoding: unread[..<newline], as: UTF8.self)
            }
            var entry = pollfd(fd: errors.value.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 30_000) == 1 else { return nil }
            let n = read(errors.value.raw, &chunk, chunk.count)
            guard n > 0 else { return nil }
            unread += chunk[..<n]
        }
    }

    /// All lines up to and with `ready`, or to the end.
    func linesUntilReady() -> [String] {
        var lines: [String] = []
        while let line = line() {
            lines.append(line)
            if line == "info event=ready" { break }
        }
        return lines
    }

    func connect() throws -> Client {
        try Client(MessageSocket.connect(socketPath))
    }

    func end() -> ExitStatus? {
        guard process.waitForEnd(until: .after(.seconds(30))) else { return nil }
        reaped = true
        return process.reap()
    }
}
