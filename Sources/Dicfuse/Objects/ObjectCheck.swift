import GitHashing
import GitObjects
import LinuxSystem

/// Finds out whether a file still is the object it is named after.
enum ObjectCheck {
    /// The id of the first `size` bytes of a file as a blob, read from its begin; nil if there are fewer, or if the disk does not give
    /// them. `pause` is told how many bytes were read, and may stop the reading (false), which throws ECANCELED.
    static func hash(
        _ fd: Int32, as id: ObjectID, size: UInt64, pause: (Int) -> Bool = { _ in true }
    ) throws(SystemError) -> ObjectID? {
        var hasher = ObjectHasher(kind: id.kind, type: .blob, size: size)
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { chunk.deallocate() }
        var offset: UInt64 = 0
        while offset < size {
            let part = UnsafeMutableRawBufferPointer(rebasing: chunk[..<Int(min(UInt64(chunk.count), size - offset))])
            var count = 0
            do throws(SystemError) {
                count = try File.read(fd, into: part, at: Int64(offset))
            } catch {
                if error.errno == .ioError || error.errno == .needsCleaning { return nil }
                throw error
            }
            guard count == part.count else { return nil }
            hasher.update(UnsafeRawBufferPointer(part))
            offset += UInt64(count)
            guard pause(count) else { throw SystemError(.cancelled, "pread") }
        }
        return hasher.finish()
    }
}
