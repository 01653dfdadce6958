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
        let log = Log(lines: LineSink(standardError: full.write.raw))
        log.info("first")
        log.info("second")
        #expect(log.droppedLines == 2)
        let other = Log(lines: LineSink(inherited: full.write.raw, standardError: full.write.raw))
        other.info("third")
        #expect(other.droppedLines == 1)
        let third = Log(lines: LineSink(standardError: free.write.raw))
        third.info("fourth")
        #expect(third.droppedLines == 0)
    }

    @Test("The supervisor gets a line, and standard error only what the supervisor does not") func oneOfTwo() throws {
        func text(_ pipe: borrowing Pipe) throws -> String {
            try pipe.read.setNonBlocking(true)
            var buffer = [UInt8](repeating: 0, count: 4096)
            return String(decoding: buffer[..<max(0, read(pipe.read.raw, &buffer, buffer.count))], as: UTF8.self)
        }
        let supervisor = try Pipe()
        let standardError = try Pipe()
        LineSink(inherited: supervisor.write.raw, standardError: standardError.write.raw).write(Array("a\n".utf8))
        #expect(try text(supervisor) == "a\n" && text(standardError) == "")

        let full = try fullPipe()
        LineSink(inherited: full.write.raw, standardError: standardError.write.raw).write(Array("b\n".utf8))
        #expect(try text(standardError) == "b\n", "no room")

        let gone = try Pipe().takeWrite()
        LineSink(inherited: gone.raw, standardError: standardError.write.raw).write(Array("c\n".utf8))
        #expect(try text(standardError) == "c\n", "no reader")

        let null = try File.open("/dev/null", O_RDWR)
        LineSink(inherited: null.raw, standardError: standardError.write.raw).write(Array("d\n".utf8))
        #expect(try text(standardError) == "d\n", "no FIFO")
    }
}
