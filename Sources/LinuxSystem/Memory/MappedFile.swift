import Glibc

/// A regular file mapped for writing (mmap(2), MAP_SHARED): what is stored goes to the page cache, not to memory of the process.
public struct MappedFile: ~Copyable {
    public let bytes: UnsafeMutableRawBufferPointer

    /// Allocates `size` bytes of an empty file (fallocate(2)) and maps them. Throws ENOSPC if there is no room: a mapping without it would
    /// end the process with SIGBUS.
    public init(allocating size: Int, of file: Int32) throws(SystemError) {
        // posix_fallocate(3) returns its error; errno says nothing.
        let code = posix_fallocate(file, 0, off_t(size))
        if code != 0 { throw SystemError(Errno(rawValue: code), "posix_fallocate") }
        let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
        guard let address, address != MAP_FAILED else { throw SystemError(Errno.current, "mmap") }
        bytes = UnsafeMutableRawBufferPointer(start: address, count: size)
    }

    deinit {
        munmap(bytes.baseAddress, bytes.count)
    }
}
