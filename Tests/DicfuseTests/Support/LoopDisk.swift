import Foundation
import LinuxSystem

/// An ext4 file system in a file, mounted over a loop device (loop(4)) that the kernel lets go of with the mount.
///
/// Everything happens in a mount namespace of one thread (`PrivateMounts`): whatever becomes of the test, nothing stays mounted.
final class LoopDisk {
    let image: String
    let path: String

    /// A new file system. Blocks are allocated late, as is ext4's default: until then a file that was renamed is empty after a power cut.
    init(bytes: Int64) throws {
        let directory = try TemporaryDirectory.make("disk")
        (image, path) = (directory + "/image", directory + "/mounted")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard FileManager.default.createFile(atPath: image, contents: nil), truncate(image, off_t(bytes)) == 0 else {
            throw TestRepository.Failure("\(image): \(Errno.current)")
        }
        try Self.run("/usr/sbin/mkfs.ext4", "-q", "-F", image)
        // What is written reaches the image soon and all the time, not every five seconds.
        try Self.run("/usr/bin/mount", "-o", "loop,commit=1", image, path)
    }

    /// What a power cut leaves of `other`: its image as it is, block after block, while it is being written. The journal is replayed
    /// by the mount; what that leaves inconsistent is repaired, as a machine does that starts.
    init(cutFrom other: LoopDisk) throws {
        let directory = try TemporaryDirectory.make("disk")
        (image, path) = (directory + "/image", directory + "/mounted")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Self.copy(other.image, image)
        if (try? Self.run("/usr/bin/mount", "-o", "loop", image, path)) != nil {
            try Self.run("/usr/bin/umount", path)
        }
        // 1: errors were corrected.
        let code = try Self.status("/usr/sbin/e2fsck", "-fy", image)
        guard code == .code(0) || code == .code(1) else { throw TestRepository.Failure("e2fsck: \(code)") }
        try Self.run("/usr/bin/mount", "-o", "loop", image, path)
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        try? FileManager.default.removeItem(atPath: (image as NSString).deletingLastPathComponent)
    }

    /// In small pieces, between which others run: the pieces are of different moments.
    private static func copy(_ from: String, _ to: String) throws {
        let source = try File.open(from, O_RDONLY)
        let target = try File.open(to, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        let size = try File.size(of: source.raw)
        try check(ftruncate(target.raw, off_t(size)), "ftruncate", to)
        var piece = [UInt8](repeating: 0, count: 128 << 10)
        for offset in stride(from: UInt64(0), to: size, by: piece.count) {
            let count = try piece.withUnsafeMutableBytes { try File.read(source.raw, into: $0, at: Int64(offset)) }
            if piece[..<count].contains(where: { $0 != 0 }) {
                try check(Int32(pwrite(target.raw, piece, count, off_t(offset))), "pwrite", to)
            }
            sched_yield()
        }
    }

    private static func run(_ program: String, _ arguments: String...) throws {
        let code = try status(program, arguments)
        guard code == .code(0) else { throw TestRepository.Failure("\(program) \(arguments): \(code)") }
    }

    private static func status(_ program: String, _ arguments: String...) throws -> ExitStatus {
        try status(program, arguments)
    }

    private static func status(_ program: String, _ arguments: [String]) throws -> ExitStatus {
        let process = try ChildProcess.spawn(
            ProcessSpec(
                path: program, arguments: arguments, environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                fds: [nil, nil, nil]))
        guard process.waitForEnd(until: .after(.seconds(60))) else {
            process.signal(SIGKILL)
            throw TestRepository.Failure("\(program) does not end")
        }
        return process.reap() ?? .unknown
    }
}

/// Runs a body in a thread with a mount namespace of its own (unshare(2), CLONE_NEWNS), which ends with the thread and the programs
/// that it started, and with it every mount that was made there.
enum PrivateMounts {
    static func run(_ body: @escaping @Sendable () throws -> Void) throws {
        let result = Guarded<Result<Void, any Error>?>(nil)
        let thread = try SystemThread.start(name: "mounts") {
            let outcome = Result {
                try check(unshareMounts(), "unshare")
                try check(mount("none", "/", nil, UInt(MS_REC | MS_PRIVATE), nil), "mount", "/")
                try body()
            }
            result.with { $0 = outcome }
        }
        thread.join()
        try result.with { $0 }?.get()
    }

    /// unshare(CLONE_NEWNS), which glibc shows only to GNU programs.
    private static func unshareMounts() -> Int32 {
        guard let symbol = dlsym(nil, "unshare") else {
            errno = ENOSYS
            return -1
        }
        return unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)(0x0002_0000)
    }
}
