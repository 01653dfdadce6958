import CAntares
import Glibc

/// A memfd_create(2) file of fixed size, mapped shared: memory that outlives the process that works in it.
public struct SharedMemory: ~Copyable, @unchecked Sendable {
    // Sendable: the mapping is plain memory; whoever stores into it from two threads uses atomics or the owner's lock.

    public let fd: SharedFD
    public let base: UnsafeMutableRawPointer
    public let size: Int

    /// Makes a memfd whose size can never change again (F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL), so that a holder that maps it
    /// cannot be killed with SIGBUS by another one. Pages are allocated when first touched.
    public init(name: String, size: Int) throws(SystemError) {
        let file = OwnedFD(taking: try check(ant_memfd(name), "memfd_create", name))
        try check(ftruncate(file.raw, off_t(size)), "ftruncate", name)
        try check(ant_add_seals(file.raw, Self.sizeSeals), "fcntl(F_ADD_SEALS)", name)
        try self.init(mapping: file, size: size, writable: true)
    }

    /// Maps a memfd that came from elsewhere, after checking that its size is sealed and at least `minimum` bytes, and, for a
    /// read-only mapping, that nobody can write to it any more (EPROTO if not).
    public init(received file: consuming OwnedFD, minimum: Int, writable: Bool) throws(SystemError) {
        let seals = UInt32(try check(ant_get_seals(file.raw), "fcntl(F_GET_SEALS)"))
        let needed = UInt32(ANT_SEAL_SHRINK) | (writable ? 0 : UInt32(ANT_SEAL_WRITE))
        let size = Int(try File.size(of: file.raw))
        guard seals & needed == needed, size >= minimum else {
            throw SystemError(.protocolError, "mapping a received memfd", "", detail: "not sealed or too small")
        }
        try self.init(mapping: file, size: size, writable: writable)
    }

    private init(mapping file: consuming OwnedFD, size: Int, writable: Bool) throws(SystemError) {
        let protection = writable ? PROT_READ | PROT_WRITE : PROT_READ
        let address = mmap(nil, size, protection, MAP_SHARED, file.raw, 0)
        guard let address, address != MAP_FAILED else { throw SystemError(Errno.current, "mmap") }
        self.base = address
        self.size = size
        self.fd = SharedFD(file)
    }

    deinit {
        munmap(base, size)
    }

    private static let sizeSeals = UInt32(ANT_SEAL_SHRINK | ANT_SEAL_GROW | ANT_SEAL_SEAL)

    public static func sealedFile(name: String, _ bytes: [UInt8]) throws(SystemError) -> OwnedFD {
        let result: Result<Int32, SystemError> = bytes.withUnsafeBytes { buffer in
            do throws(SystemError) {
                return .success(try sealedFile(name: name, buffer).take())
            } catch {
                return .failure(error)
            }
        }
        return OwnedFD(taking: try result.get())
    }

    /// A read-only memfd with these contents, sealed against every change: for passing a large value to another process.
    public static func sealedFile(name: String, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> OwnedFD {
        let file = try openFile(name: name)
        try File.write(file.raw, bytes)
        try seal(file.raw)
        return file
    }

    /// An empty memfd, for contents that arrive piece by piece.
    public static func openFile(name: String) throws(SystemError) -> OwnedFD {
        OwnedFD(taking: try check(ant_memfd(name), "memfd_create", name))
    }

    /// Forbids every change of a memfd (fcntl(2), F_ADD_SEALS).
    public static func seal(_ fd: Int32) throws(SystemError) {
        let all = UInt32(ANT_SEAL_SHRINK | ANT_SEAL_GROW | ANT_SEAL_WRITE | ANT_SEAL_SEAL)
        try check(ant_add_seals(fd, all), "fcntl(F_ADD_SEALS)")
    }
}
