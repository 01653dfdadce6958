import Glibc
import LinuxSystem
import Testing

@testable import Dicfuse

@Suite struct LogTests {
    /// A pipe in which there is no room for a line.
    private func fullPipe() throws -> Pipe {
        let pipe = try Pipe()
        try pipe.write.setNonBlocking(true)
        let bytes = [UInt8](repeating: 0, count: 4096)
        while write(pipe.write.raw, bytes, bytes.count) > 0 {}
        return pipe
    }

    @Test func aLineThatNobodyTakesIsCounted() throws {
        let full = try fullPipe()
        let free = try Pipe()
        let log = Log(descriptor: full.write.raw)
        log.info("first")
        log.info("second")
        #expect(log.droppedLines == 2)
        let other = Log(descriptor: free.write.raw, lines: LineSink(inherited: full.write.raw))
        other.info("third")
        #expect(other.droppedLines == 1, "the supervisor does not get it")
        let third = Log(descriptor: free.write.raw)
        third.info("fourth")
        #expect(third.droppedLines == 0)
        #expect(LineSink().write([10]), "nobody wants it")
    }
}
