import Glibc
import LinuxSystem
import NIOCore

/// What was read from a pipe and not yet used. Plain memory, so that nothing is zeroed before it is read into.
struct ReadBuffer: ~Copyable {
    /// Larger than the longest line, so that there is always room to read on.
    private static let capacity = 256 * 1024

    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: ReadBuffer.capacity, alignment: 16)
    private var start = 0
    private var end = 0

    deinit {
        self.memory.deallocate()
    }

    var count: Int { self.end - self.start }

    var first: UInt8? { self.count > 0 ? self.memory[self.start] : nil }

    /// read(2) into the free part; 0 at the end of the pipe.
    mutating func fill(from fd: Int32) -> Result<Int, Errno> {
        if self.start == self.end {
            self.start = 0
            self.end = 0
        } else if self.end > Self.capacity / 2, let base = self.memory.baseAddress {
            memmove(base, base + self.start, self.count)
            self.end -= self.start
            self.start = 0
        }
        let free = UnsafeMutableRawBufferPointer(rebasing: self.memory[self.end...])
        let count = read(fd, free.baseAddress, free.count)
        if count < 0 { return .failure(.current) }
        self.end += count
        return .success(count)
    }

    /// The next line without its end, if it is complete. `searched` bytes are known not to hold one.
    mutating func takeLine(searched: Int = 0, terminator: UInt8 = 0x0a) -> [UInt8]? {
        guard let base = self.memory.baseAddress, self.count > searched,
            let found = memchr(base + self.start + searched, Int32(terminator), self.count - searched)
        else { return nil }
        let end = UnsafeRawPointer(found) - UnsafeRawPointer(base)
        defer { self.start = end + 1 }
        return Array(self.memory[self.start..<end])
    }

    mutating func take(_ count: Int, into buffer: inout ByteBuffer) {
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: self.memory[self.start..<(self.start + count)]))
        self.start += count
    }

    mutating func drop(_ count: Int) {
        self.start += count
    }

    mutating func takeAll() -> [UInt8] {
        defer { self.start = self.end }
        return Array(self.memory[self.start..<self.end])
    }
}
