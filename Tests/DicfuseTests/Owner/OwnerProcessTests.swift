import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

// The thread sanitizer cannot follow clone(2) with CLONE_VM, by which programs are started.
@Suite(
    "The program dicfuse-cache",
    .enabled(if: ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil), .timeLimit(.minutes(2)))
struct OwnerProcessTests {
    let world: World
    let configuration: CacheConfiguration

    init() throws {
        world = try World(
            .antares, ["a": .file("a\n"), "big": .bytes([UInt8](repeating: 9, count: 100_000))])
        configuration = .test(world.cache, world.origin.url)
    }

    @Test("Killed at any time, a new owner on the same store serves what was stored, and says how the last one ended")
    func killed() throws {
        let first = try OwnerProcess(configuration)
        #expect(first.linesUntilReady() == ["info event=ready"])
        let control = try first.connect()
        let snapshot = try control.pin()
        var worker = try control.attach("main")
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        let root = try worker.directory(snapshot.root)
        let big = root[1]
        _ = try worker.contents(big.id, size: big.size)
        // Answered from the index, not from a flight: then it is committed.
        while try status(control).origins[0].flights > 0 { sched_yield() }
        first.process.signal(SIGKILL)
        #expect(first.end() == .signal(SIGKILL))
        #expect(throws: (any Error).self) { try worker.directory(snapshot.root) }

        let second = try OwnerProcess(configuration)
        #expect(second.linesUntilReady().contains { $0.contains("event=unclean-end") })
        let again = try second.connect()
        #expect(try again.pin(world.commit.hex) == snapshot)
        worker = try again.attach("main")
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        #expect(try worker.directory(snapshot.root).items == root.items)
        #expect(ObjectID.hash(blob: try worker.contents(big.id, size: big.size)) == big.id)
        second.process.signal(SIGTERM)
        #expect(second.end() == .code(0))

        let third = try OwnerProcess(configuration)
        #expect(!third.linesUntilReady().contains { $0.contains("event=unclean-end") })
        let last = try third.connect()
        #expect(try status(last).previousEndedCleanly)
        #expect(try last.ask(.shutDown) == .shuttingDown)
        #expect(third.end() == .code(0))
    }

    private func status(_ control: Client) throws -> StatusReport {
        guard case .status(let json) = try control.ask(.status) else { throw Client.Closed() }
        return try JSONDecoder().decode(StatusReport.self, from: Data(json.utf8))
    }

    @Test("A second owner of a store is refused and told who has it")
    func secondOwner() throws {
        let first = try OwnerProcess(configuration)
        #expect(first.linesUntilReady().last == "info event=ready")
        let second = try OwnerProcess(configuration)
        let lines = second.linesUntilReady()
        #expect(second.end() == .code(4))
        #expect(lines.contains { $0.contains("process \(first.process.pid) (dicfuse-cache)") })
        #expect(try first.connect().pin().commit == world.commit)
    }

    @Test("A configuration that cannot be used ends the program with the reason")
    func badConfiguration() throws {
        let broken = try OwnerProcess(json: #"{"directory":"/x","origins":[]}"#)
        let lines = broken.linesUntilReady()
        #expect(broken.end() == .code(2))
        #expect(lines.contains { $0.hasPrefix("error event=configuration") && $0.contains("origins is empty") })
        let arguments = try OwnerProcess(json: "{}", arguments: ["--unknown"])
        #expect(arguments.end() == .code(2))
        let version = try OwnerProcess(json: "", arguments: ["--version"])
        #expect(version.end() == .code(0))
    }

    @Test("A store that another user made is explained", .enabled(if: getuid() == 0))
    func foreignStore() throws {
        try #require(chown(world.cache, 12345, 12345) == 0)
        let owner = try OwnerProcess(configuration)
        let lines = owner.linesUntilReady()
        #expect(owner.end() == .code(4))
        #expect(lines.contains { $0.contains("belongs to user 12345") })
    }

    @Test("Without requests no thread wakes up")
    func idle() throws {
        let owner = try OwnerProcess(configuration)
        #expect(owner.linesUntilReady().last == "info event=ready")
        let control = try owner.connect()
        _ = try control.pin()
        func switches() throws -> Int {
            var sum = 0
            for task in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(owner.process.pid)/task") {
                let text = try File.text("/proc/\(owner.process.pid)/task/\(task)/status")
                for line in text.split(separator: "\n") where line.hasPrefix("voluntary_ctxt_switches") {
                    sum += Int(line.split(separator: "\t").last ?? "") ?? 0
                }
            }
            return sum
        }
        // Time is what this is about: whatever polls would show in it.
        var before = try switches()
        var quiet = false
        for _ in 0..<20 where !quiet {
            usleep(300_000)
            let now = try switches()
            quiet = now == before
            before = now
        }
        #expect(quiet)
    }
}
