import Glibc
import LinuxSystem
import Testing

@Suite struct OwnedFDTests {
    @Test func aDescriptorIsClosedWithItsOwner() throws {
        let pipe = try Pipe()
        let reading = try pipe.read.duplicate()
        let writing = try pipe.write.duplicate()
        drop(pipe)
        #expect(!isAtEnd(reading.raw))
        drop(writing)
        #expect(isAtEnd(reading.raw))
    }

    @Test func aTakenDescriptorStaysOpen() throws {
        let pipe = try Pipe()
        let reading = try pipe.read.duplicate()
        let number = pipe.takeWrite().take()
        #expect(!isAtEnd(reading.raw))
        close(number)
        #expect(isAtEnd(reading.raw))
    }

    @Test func aSharedDescriptorIsClosedWithItsLastUser() throws {
        let pipe = try Pipe()
        let reading = try pipe.read.duplicate()
        var first: SharedFD? = SharedFD(pipe.takeWrite())
        var second = first
        first = nil
        #expect(!isAtEnd(reading.raw))
        #expect(second != nil)
        second = nil
        #expect(first == nil && isAtEnd(reading.raw))
    }

    @Test func duplicatesAreClosedOnExec() throws {
        let pipe = try Pipe()
        let copy = try pipe.read.duplicate()
        #expect(fcntl(copy.raw, F_GETFD) & FD_CLOEXEC == FD_CLOEXEC)
        #expect(copy.raw != pipe.read.raw)
    }

    private func drop(_ fd: consuming OwnedFD) {}
    private func drop(_ pipe: consuming Pipe) {}
}
