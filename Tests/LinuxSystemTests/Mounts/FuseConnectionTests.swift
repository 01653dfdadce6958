import Glibc
import LinuxSystem
import Testing

@Suite(.serialized, .enabled(if: getuid() == 0)) struct FuseConnectionTests {
    /// A connection whose INIT nobody answers.
    private func connect(_ fuse: borrowing OwnedFD) throws -> DetachedMount {
        let context = try FilesystemContext("fuse")
        try context.set("fd", "\(fuse.raw)")
        try context.set("rootmode", "40000")
        try context.set("user_id", "0")
        try context.set("group_id", "0")
        try context.create()
        return try context.mount([.noSetuid, .noDevices])
    }

    @Test func aConnectionBeginsWithTheMount() throws {
        let fuse = try FuseConnection.open()
        #expect(throws: SystemError.self) { try FuseConnection(of: fuse.raw) }
    }

    @Test func abortingEndsTheConnectionForItsServer() throws {
        try FuseConnection.ensureControlFilesystem()
        let fuse = try FuseConnection.open()
        let mount = try connect(fuse)
        let connection = try FuseConnection(of: fuse.raw)
        #expect(connection.exists)
        #expect(try connection.waiting() != nil)
        let device = try mount.identity()
        #expect(try !device.isAttached())
        try connection.abort()
        try connection.abort()
        var request = [UInt8](repeating: 0, count: 1 << 17)
        #expect(read(fuse.raw, &request, request.count) == -1 && Errno.current == .noDevice)
    }

    @Test func aConnectionThatIsGoneIsNoError() throws {
        let none = FuseConnection(number: 4_000_000_000)
        #expect(!none.exists)
        #expect(try none.waiting() == nil)
        try none.abort()
    }
}
