import Glibc
import LinuxSystem

/// Files of a mount that is attached nowhere, by path below its root.
enum Fd {
    /// Another descriptor of the same open file, for a number whose owner stays.
    static func duplicate(_ number: Int32) throws -> OwnedFD {
        OwnedFD(taking: try check(fcntl(number, F_DUPFD_CLOEXEC, 3), "fcntl"))
    }

    static func status(_ root: Int32, _ path: String) throws -> stat {
        var status = stat()
        try check(fstatat(root, path, &status, AT_SYMLINK_NOFOLLOW), "fstatat", path)
        return status
    }

    static func contents(_ root: Int32, _ path: String) throws -> [UInt8] {
        let file = try File.open(at: root, path, O_RDONLY)
        return try File.contents(of: file.raw, path, limit: 1 << 28)
    }

    static func bytes(_ root: Int32, _ path: String, at offset: Int64, count: Int) throws -> [UInt8] {
        let file = try File.open(at: root, path, O_RDONLY)
        var bytes = [UInt8](repeating: 0xEE, count: count)
        let n = try bytes.withUnsafeMutableBytes { try File.read(file.raw, into: $0, at: offset) }
        return Array(bytes.prefix(n))
    }

    static func target(_ root: Int32, _ path: String) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 8192)
        let n = try check(
            buffer.withUnsafeMutableBytes { readlinkat(root, path, $0.baseAddress!, $0.count) }, "readlinkat", path)
        return Array(buffer.prefix(n))
    }

    /// Names and types, without "." and "..", in the order of the directory.
    static func list(_ root: Int32, _ path: String) throws -> [(name: [UInt8], type: UInt8, node: UInt64)] {
        let file = try File.open(at: root, path, O_RDONLY | O_DIRECTORY)
        guard let stream = fdopendir(file.take()) else { throw SystemError(Errno.current, "fdopendir", path) }
        defer { closedir(stream) }
        var entries: [(name: [UInt8], type: UInt8, node: UInt64)] = []
        Glibc.errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name != [0x2E], name != [0x2E, 0x2E] {
                entries.append((name, entry.pointee.d_type, UInt64(entry.pointee.d_ino)))
            }
        }
        if Glibc.errno != 0 { throw SystemError(Errno.current, "readdir", path) }
        return entries
    }

    /// The error of a call that must fail, or nil.
    static func failure(_ body: () throws -> Void) -> Errno? {
        do {
            try body()
            return nil
        } catch let error as SystemError {
            return error.errno
        } catch {
            return nil
        }
    }
}
