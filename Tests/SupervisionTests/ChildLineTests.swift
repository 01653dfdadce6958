import Glibc
import LinuxSystem
import Testing

@testable import Supervision

@Suite(.timeLimit(.minutes(1))) struct ChildLineTests {
    @Test func linesAreTakenApart() {
        let id = MountID.random()
        let worker = ChildLine("antares-worker[42] \(id): no answer: from the owner")
        #expect(worker.part == .worker && worker.level == .warning)
        #expect(worker.message == "no answer: from the owner")
        #expect(shown(worker) == ["mount=\(id)", "pid=42"])
        let owner = ChildLine(
            #"error event=origin-offline origin=main serving="what is \"cached\"" path="a\\b\nc" empty="" end=1"#)
        #expect(owner.part == .cache && owner.level == .error)
        #expect(owner.message == "origin-offline")
        #expect(
            shown(owner) == ["origin=main", #"serving=what is "cached""#, "path=a\\b\nc", "empty=", "end=1"])
        #expect(ChildLine("info event=ready").message == "ready")
    }

    @Test(arguments: [
        "", "antares-worker[", "antares-worker[x] y: z", "antares-worker[1]", "Fatal error: x=y z", "event=\"open",
        "event=a  b=c", "event=\"a\"b=c", "event=a =c", "event=\"a\\",
    ]) func whatIsNeitherIsTheOwnersWord(odd: String) {
        let line = ChildLine(odd)
        #expect(line.part == .cache && line.level == .info && line.message == odd && line.fields.isEmpty)
        let prefixed = ChildLine("warning " + odd)
        #expect(prefixed.level == .warning && prefixed.message == odd && prefixed.fields.isEmpty)
    }

    private func shown(_ line: ChildLine) -> [String] {
        line.fields.map { "\($0.0)=\($0.1)" }
    }

    @Test func bytesAreCutIntoLines() {
        var splitter = LineSplitter(maximum: 8)
        func take(_ text: String) -> [String] {
            splitter.take(Array(text.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(take("one\ntw") == ["one"])
        #expect(take("o\n\n\nthree\n") == ["two", "three"])
        #expect(take("far too long to be kept") == ["far too "])
        #expect(take(" and on\nnext\n") == ["next"])
    }

    /// What is kept, in its order.
    private final class Kept: SupervisorLog {
        private let state = Guarded<[String]>([])
        var messages: [String] { state.with { $0 } }

        func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)]) {}
        func relay(_ level: LogLevel, of part: LogPart, _ message: String, _ fields: [(String, String)]) {
            state.with { $0.append(message) }
        }
    }

    @Test func theNextSupervisorReadsTheSameChildren() async throws {
        let directory = try runDirectory()
        defer { remove(directory) }
        let kept = Kept()
        let lines = try ChildLines(runDirectory: directory, log: kept)
        let end = try #require(lines.openEnd())
        let null = try File.open("/dev/null", O_RDWR)
        let sink = LineSink(inherited: end.raw, standardError: null.raw)
        sink.write(Array("info event=one\n".utf8))
        while kept.messages.count < 1 { await Task.yield() }
        // Another one on the same FIFO, as after a restart: whichever reads, the child's end is the same.
        let next = try ChildLines(runDirectory: directory, log: kept)
        sink.write(Array("info event=two\n".utf8))
        while kept.messages.count < 2 { await Task.yield() }
        sink.write(Array(repeating: UInt8(ascii: "x"), count: 100_000))
        while kept.messages.count < 3 { await Task.yield() }
        #expect(kept.messages[..<2] == ["one", "two"])
        // A full one delays nobody.
        for _ in 0..<2000 { sink.write(Array("info event=flood\n".utf8)) }
        withExtendedLifetime(next) {}
    }

    /// A FIFO that nobody writes to any more is always ready: a reader that stayed would take a whole processor.
    @Test func theReaderEndsWithTheLastWriter() async throws {
        let directory = try runDirectory()
        defer { remove(directory) }
        let others = try readers()
        var lines: ChildLines? = try ChildLines(runDirectory: directory, log: Kept())
        let end = try #require(lines?.openEnd())
        // A thread names itself, so it has its name a little later.
        let reader = try await eventually { try readers().subtracting(others).first }
        lines = nil
        // A child that outlives the supervisor's part still has somebody to write to.
        #expect(try readers().contains(reader))
        _ = consume end
        _ = try await eventually { try readers().contains(reader) ? nil : true }
    }

    /// What is found at last; the suite's time limit is its deadline.
    private func eventually<Found>(_ find: () throws -> Found?) async throws -> Found {
        while true {
            if let found = try find() { return found }
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    /// The threads of this process that read children's lines.
    private func readers() throws -> Set<String> {
        let tasks = "/proc/self/task"
        return Set(
            try Directory.names(tasks).map { String(decoding: $0, as: UTF8.self) }
                .filter { (try? File.text("\(tasks)/\($0)/comm")) == "child-lines\n" })
    }

    private func runDirectory() throws -> String {
        let directory = "/tmp/antares-lines-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        try Directory.create(directory, mode: 0o700)
        return directory
    }

    private func remove(_ directory: String) {
        unlink(directory + "/" + ChildLines.name)
        rmdir(directory)
    }
}
