import CAntares
import Glibc

/// Files that are mostly holes.
public enum SparseCopy {
    /// Reserves `size` bytes on the disk, which read as zeros (fallocate(2)). Throws ENOSPC if there is no room.
    public static func reserve(_ fd: Int32, size: UInt64) throws(SystemError) {
        try check(ant_reserve(fd, size), "fallocate")
    }

    /// Writes what `source` has, its holes left out, at the same places of `target` (lseek(2), SEEK_DATA).
    public static func copyData(of source: Int32, to target: Int32) throws(SystemError) {
        let size = off_t(try File.size(of: source))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        var place: off_t = 0
        while place < size {
            // From linux/fs.h; Glibc's own are behind _GNU_SOURCE.
            let (seekData, seekHole): (Int32, Int32) = (3, 4)
            place = lseek(source, place, seekData)
            if place == -1 {
                if Errno.current == .noSuchDeviceAddress { return }
                throw SystemError(Errno.current, "lseek(SEEK_DATA)")
            }
            let end = lseek(source, place, seekHole)
            if end == -1 { throw SystemError(Errno.current, "lseek(SEEK_HOLE)") }
            while place < end {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, Int(end - place))])
                let count = try File.read(source, into: part, at: Int64(place))
                if count == 0 { return }
                try File.write(target, UnsafeRawBufferPointer(rebasing: part[..<count]), at: Int64(place))
                place += off_t(count)
            }
        }
    }
}
