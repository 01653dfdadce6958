import Glibc
import LinuxSystem
import Testing

@Suite(.unsanitized) struct ExitMonitorTests {
    private typealias ExitStatus = LinuxSystem.ExitStatus

    @Test(.timeLimit(.minutes(1))) func fiftyChildrenEndEachInItsWay() async throws {
        let monitor = try ExitMonitor()
        var children: [(ChildProcess, ExitStatus)] = []
        for number in Int32(0)..<50 {
            let killed = number % 5 == 0
            let child = try ChildProcess.spawn(
                ProcessSpec(path: "/bin/sh", arguments: ["-c", killed ? "exec sleep 600" : "exit \(number)"]))
            children.append((child, killed ? .signal(SIGKILL) : .code(number)))
        }
        await withTaskGroup(of: (ExitStatus, ExitStatus).self) { group in
            for (child, expected) in children {
                group.addTask { (await monitor.end(of: child), expected) }
            }
            for (child, expected) in children where expected == .signal(SIGKILL) { child.signal(SIGKILL) }
            for await (status, expected) in group { #expect(status == expected) }
        }
        for (child, _) in children { #expect(ProcessIdentity(of: child.pid) != child.identity, "it was reaped") }
    }

    @Test(.timeLimit(.minutes(1))) func anEndBeforeTheWaitIsNotMissed() async throws {
        let monitor = try ExitMonitor()
        let child = try ChildProcess.spawn(ProcessSpec(path: "/bin/true"))
        #expect(child.waitForEnd(until: .after(.seconds(20))))
        #expect(await monitor.end(of: child) == .code(0))
        #expect(await monitor.end(of: child) == .unknown, "asked again it answers at once")
    }

    @Test(.timeLimit(.minutes(1))) func ofAStrangerOnlyTheEndIsKnown() async throws {
        let monitor = try ExitMonitor()
        let pipe = try Pipe()
        // The shell's child goes on when the shell has ended; it is nobody's child but init's then.
        var spec = ProcessSpec(
            path: "/bin/sh", arguments: ["-c", "sleep 600 >/dev/null 2>&1 & echo $!"], fds: [nil, pipe.write.raw, nil])
        spec.environment = ["PATH=/usr/bin:/bin"]
        let shell = try ChildProcess.spawn(spec)
        let line = try readAll(pipe.takeRead())
        let stranger = try ChildProcess(adopting: try #require(Int32(line.filter(\.isNumber))))
        #expect(await monitor.end(of: shell) == .code(0))
        stranger.signal(SIGKILL)
        #expect(await monitor.end(of: stranger) == .unknown)
    }
}
