import Glibc
import LinuxSystem
import Testing
import WorkerProtocol

@testable import Supervision

@Suite(.serialized, .enabled(if: getuid() == 0)) struct CarryProgramTests {
    private let monitor: ExitMonitor

    init() throws {
        monitor = try ExitMonitor()
    }

    @Test func whatItComplainsAboutIsInTheError() async throws {
        let program = try CarryProgram("/bin/sh", ["-c", "echo no room >&2; exit 3"], descriptors: [])
        let error = await #expect(throws: SystemError.self) {
            try await program.finish(until: .after(.seconds(30)), reapedBy: monitor) { false }
        }
        #expect(error?.errno == .ioError)
        #expect(error?.description.contains("no room") == true)
        #expect(error?.description.contains("exit code 3") == true)
    }

    @Test func aCancelledOneIsKilled() async throws {
        let program = try CarryProgram("/bin/sleep", ["60"], descriptors: [])
        let error = await #expect(throws: SystemError.self) {
            try await program.finish(until: .after(.seconds(30)), reapedBy: monitor) { true }
        }
        #expect(error?.errno == .cancelled)
    }

    /// A process whose request the server has read and does not answer cannot be killed.
    @Test func oneThatCannotBeKilledIsLeftBehindInTime() async throws {
        try FuseConnection.ensureControlFilesystem()
        let fuse = try FuseConnection.open()
        let context = try FilesystemContext("fuse")
        for (key, value) in [("fd", "\(fuse.raw)"), ("rootmode", "40000"), ("user_id", "0"), ("group_id", "0")] {
            try context.set(key, value)
        }
        try context.create()
        let mount = try context.mount([.noSetuid, .noDevices])
        let connection = try FuseConnection(of: fuse.raw)
        let watchdog = Task {
            try await Task.sleep(for: .seconds(20))
            try connection.abort()
        }
        defer {
            watchdog.cancel()
            try? connection.abort()
        }
        var request = [UInt8](repeating: 0, count: 1 << 17)
        let size = try check(read(fuse.raw, &request, request.count), "reading", "FUSE_INIT")
        let reply = try FuseHandshake.reply(to: Array(request[..<size]))
        try check(write(fuse.raw, reply, reply.count), "answering", "FUSE_INIT")

        let begun = Deadline.now
        let program = try CarryProgram("/usr/bin/stat", ["/proc/self/fd/3/x"], descriptors: [mount.raw])
        try check(read(fuse.raw, &request, request.count), "reading", "the program's request")
        let error = await #expect(throws: SystemError.self) {
            try await program.finish(until: .after(.milliseconds(20)), reapedBy: monitor) { false }
        }
        #expect(error?.errno == .timedOut)
        #expect(!begun.advanced(by: .seconds(10)).hasPassed)
        try connection.abort()
    }
}
