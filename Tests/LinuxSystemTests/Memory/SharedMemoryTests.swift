import Glibc
import LinuxSystem
import Testing

@Suite struct SharedMemoryTests {
    @Test func twoMappingsAreTheSameMemory() throws {
        let one = try SharedMemory(name: "test", size: 8192)
        let two = try SharedMemory(received: try one.fd.duplicate(), minimum: 8192, writable: true)
        one.base.storeBytes(of: 0x1234, toByteOffset: 4096, as: UInt32.self)
        #expect(two.base.load(fromByteOffset: 4096, as: UInt32.self) == 0x1234)
        #expect(two.size == 8192)
    }

    @Test func theSizeIsFixed() throws {
        let memory = try SharedMemory(name: "test", size: 8192)
        #expect(ftruncate(memory.fd.raw, 4096) == -1 && Errno.current == .notPermitted)
        #expect(ftruncate(memory.fd.raw, 16384) == -1 && Errno.current == .notPermitted)
    }

    @Test func aSealedFileCannotBeChanged() throws {
        let file = try SharedMemory.sealedFile(name: "test", Array("content".utf8))
        #expect(pwrite(file.raw, "x", 1, 0) == -1 && Errno.current == .notPermitted)
        #expect(ftruncate(file.raw, 0) == -1 && Errno.current == .notPermitted)
        let memory = try SharedMemory(received: file, minimum: 7, writable: false)
        #expect(Array(UnsafeRawBufferPointer(start: memory.base, count: memory.size)) == Array("content".utf8))
    }

    @Test func memoryThatOthersCouldChangeIsRefused() throws {
        let writable = try SharedMemory(name: "test", size: 4096)
        #expect(refusal(try writable.fd.duplicate(), 4096, writable: false) == .protocolError)
        #expect(refusal(try writable.fd.duplicate(), 4097, writable: true) == .protocolError)
        #expect(refusal(try writable.fd.duplicate(), 4096, writable: true) == nil)
        let pipe = try Pipe()
        #expect(refusal(pipe.takeRead(), 1, writable: true) == .invalidArgument)
    }

    private func refusal(_ file: consuming OwnedFD, _ minimum: Int, writable: Bool) -> Errno? {
        do throws(SystemError) {
            _ = try SharedMemory(received: file, minimum: minimum, writable: writable)
            return nil
        } catch {
            return error.errno
        }
    }
}

@Suite struct ResidentBufferTests {
    @Test(.unsanitized, .enabled(if: getuid() == 0)) func theMemoryIsLocked() throws {
        let before = try lockedKilobytes()
        let buffer = try ResidentBuffer(size: 1 << 20)
        #expect(try lockedKilobytes() >= before + 1024)
        #expect(buffer.bytes.allSatisfy { $0 == 0 })
        #expect(buffer.bytes.count == 1 << 20)
    }

    private func lockedKilobytes() throws -> Int {
        let status = try File.text("/proc/self/status")
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmLck:") })
        return try #require(Int(line.filter(\.isNumber)))
    }
}
