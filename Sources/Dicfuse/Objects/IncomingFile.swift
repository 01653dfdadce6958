import Glibc
import LinuxSystem

/// A file under `incoming/`; removed when it is let go of without having been published.
///
/// When the disk has no room for it, it goes on in memory, where it can be read but will not become an object: a full disk costs a
/// fetch for each reading, not an error.
struct IncomingFile: ~Copyable {
    private var file: OwnedFD
    private let directory: Int32
    /// Its name under `incoming/`; nil when it is in memory or has been published.
    private(set) var name: String?
    private let memory: SpillBudget
    private var taken: UInt64 = 0
    private let diskIsFull: @Sendable () -> Void

    init(
        file: consuming OwnedFD, directory: Int32, name: String, memory: SpillBudget,
        diskIsFull: @escaping @Sendable () -> Void
    ) {
        self.file = file
        self.directory = directory
        self.name = name
        self.memory = memory
        self.diskIsFull = diskIsFull
    }

    init(inMemory memory: SpillBudget) throws(SystemError) {
        file = try SharedMemory.openFile(name: "object")
        directory = -1
        name = nil
        self.memory = memory
        diskIsFull = {}
    }

    deinit {
        if let name { unlinkat(directory, name, 0) }
        memory.give(taken)
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        guard let name else { return try append(bytes) }
        let begin = try check(lseek(file.raw, 0, SEEK_CUR), "lseek")
        do throws(SystemError) {
            return try File.write(file.raw, bytes)
        } catch {
            guard error.isLackOfSpace else { throw error }
        }
        diskIsFull()
        try moveToMemory(UInt64(begin))
        unlinkat(directory, name, 0)
        self.name = nil
        try append(bytes)
    }

    /// For reading back what was written.
    var raw: Int32 { file.raw }

    /// It is an object now.
    mutating func hasName() {
        name = nil
    }

    /// What is in memory, unchangeable.
    consuming func sealed() throws(SystemError) -> SharedFD {
        try SharedMemory.seal(file.raw)
        // Another open file description, so that nobody shares a position or could write.
        return SharedFD(try File.open("/proc/self/fd/\(file.raw)", O_RDONLY))
    }

    private mutating func moveToMemory(_ count: UInt64) throws(SystemError) {
        let target = try SharedMemory.openFile(name: "object")
        try take(count)
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { chunk.deallocate() }
        var offset: UInt64 = 0
        while offset < count {
            let part = UnsafeMutableRawBufferPointer(rebasing: chunk[..<Int(min(UInt64(chunk.count), count - offset))])
            let n = try File.read(file.raw, into: part, at: Int64(offset))
            guard n > 0 else { throw SystemError(.ioError, "pread", name ?? "") }
            try File.write(target.raw, UnsafeRawBufferPointer(rebasing: part[..<n]))
            offset += UInt64(n)
        }
        file = target
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try take(UInt64(bytes.count))
        try File.write(file.raw, bytes)
    }

    private mutating func take(_ count: UInt64) throws(SystemError) {
        guard memory.take(count) else {
            throw SystemError(
                .noSpace, "write", "",
                detail:
                    "the disk is full, and what may be kept in memory instead is used up: make room or raise the limit")
        }
        taken += count
    }
}

/// How much memory all contents together may take for which the disk has no room, while they are being received.
final class SpillBudget: Sendable {
    private let left: Guarded<UInt64>

    init(_ bytes: UInt64) {
        left = Guarded(bytes)
    }

    /// False, and nothing taken, if there is not so much.
    func take(_ bytes: UInt64) -> Bool {
        left.with { left in
            guard left >= bytes else { return false }
            left -= bytes
            return true
        }
    }

    func give(_ bytes: UInt64) {
        left.with { $0 += bytes }
    }
}
