import Glibc
import LinuxSystem
import Testing

@Suite struct LockFileTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test func theSecondIsToldWhoHoldsIt() throws {
        let path = directory.path + "/lock"
        let lock = try LockFile(path, name: "first")
        #expect(
            heldMessage(path)
                == "\(path) is locked by process \(getpid()) (first)")
        release(lock)
        #expect(heldMessage(path) == nil)
    }

    @Test func aLinkIsNotFollowed() throws {
        let target = try directory.file("target", "kept")
        try #require(symlink(target, directory.path + "/lock") == 0)
        do throws(LockFile.Failure) {
            _ = try LockFile(directory.path + "/lock", name: "x")
            Issue.record("the link was followed")
        } catch {
            if case .system(let reason) = error {
                #expect(reason.errno == .tooManyLinks)
            } else {
                Issue.record("\(error)")
            }
        }
        #expect(try File.text(target) == "kept")
    }

    @Test(.unsanitized) func aDeadHolderHoldsNothing() throws {
        let path = try directory.file("lock")
        let pipe = try Pipe()
        var spec = ProcessSpec(
            path: "/bin/sh", arguments: ["-c", "exec 9<>\(path); flock 9; echo held; exec sleep 600"],
            environment: ["PATH=/usr/bin:/bin"], fds: [nil, pipe.write.raw, 2])
        spec.noNewPrivileges = false
        let holder = try ChildProcess.spawn(spec)
        let reading = pipe.takeRead()
        var line = [UInt8](repeating: 0, count: 5)
        try #require(read(reading.raw, &line, 5) == 5)
        #expect(heldMessage(path) != nil)
        holder.signal(SIGKILL)
        #expect(holder.waitForEnd(until: .after(.seconds(20))))
        #expect(holder.reap() == .signal(SIGKILL))
        #expect(heldMessage(path) == nil)
    }

    /// What a process that wants the lock is told; nil if it gets it.
    private func heldMessage(_ path: String) -> String? {
        do throws(LockFile.Failure) {
            _ = try LockFile(path, name: "another")
            return nil
        } catch {
            if case .held(let held) = error { return held.description }
            return "\(error)"
        }
    }

    private func release(_ lock: consuming LockFile) {}
}
