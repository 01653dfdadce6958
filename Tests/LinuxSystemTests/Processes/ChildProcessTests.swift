import Glibc
import LinuxSystem
import Testing

@Suite(.unsanitized) struct ChildProcessTests {
    /// Runs a shell script to its end; its standard output.
    private func output(
        of script: String, fds: [Int32?] = [], _ change: (inout ProcessSpec) -> Void = { _ in }
    ) throws -> String {
        let pipe = try Pipe()
        var spec = ProcessSpec(
            path: "/bin/sh", arguments: ["-c", script], environment: ["PATH=/usr/bin:/bin"],
            fds: [nil, pipe.write.raw, 2] + fds)
        change(&spec)
        let child = try ChildProcess.spawn(spec)
        let text = try readAll(pipe.takeRead())
        #expect(child.waitForEnd(until: .after(.seconds(20))))
        #expect(child.reap() == .code(0))
        return text
    }

    @Test func theEndIsTold() throws {
        func end(_ script: String) throws -> LinuxSystem.ExitStatus? {
            let child = try ChildProcess.spawn(ProcessSpec(path: "/bin/sh", arguments: ["-c", script]))
            #expect(child.waitForEnd(until: .after(.seconds(20))))
            return child.reap()
        }
        #expect(try end("exit 0") == .code(0))
        #expect(try end("exit 77") == .code(77))
        #expect(try end("kill -9 $$") == .signal(SIGKILL))
    }

    @Test func aRunningChildIsNotReaped() throws {
        let child = try ChildProcess.spawn(ProcessSpec(path: "/bin/sleep", arguments: ["600"]))
        #expect(child.reap() == nil)
        #expect(!child.waitForEnd(until: .now))
        #expect(ProcessIdentity(of: child.pid) == child.identity)
        child.signal(SIGTERM)
        #expect(child.waitForEnd(until: .after(.seconds(20))))
        #expect(child.reap() == .signal(SIGTERM))
        child.signal(SIGKILL)
        #expect(child.reap() == .unknown, "it was reaped already")
    }

    @Test(.timeLimit(.minutes(1))) func aStoppedChildIsSeen() async throws {
        let child = try ChildProcess.spawn(ProcessSpec(path: "/bin/sleep", arguments: ["600"]))
        func wait(for stopped: Bool) async throws {
            while child.isStopped != stopped {
                try Task.checkCancellation()
                await Task.yield()
            }
        }
        #expect(!child.isStopped)
        child.signal(SIGSTOP)
        try await wait(for: true)
        #expect(child.isStopped, "to ask takes nothing away")
        child.signal(SIGCONT)
        try await wait(for: false)
        child.signal(SIGSTOP)
        child.signal(SIGKILL)
        #expect(child.waitForEnd(until: .after(.seconds(20))))
        #expect(!child.isStopped)
        #expect(child.reap() == .signal(SIGKILL))
        #expect(!child.isStopped)
        #expect(try !ChildProcess(adopting: 1).isStopped, "none of ours")
    }

    @Test func onlyTheWantedDescriptorsArrive() throws {
        let held = try Pipe()
        let script = "for f in /proc/$$/fd/*; do [ -L $f ] && printf '%s ' ${f##*/}; done; true"
        let listed = try output(of: script, fds: [held.read.raw])
        // A shell keeps its own descriptors at 10 and above.
        #expect(listed.split(separator: " ").compactMap { Int($0) }.filter { $0 < 10 } == [0, 1, 2, 3])
    }

    @Test func descriptorsAreSwappedIntoPlace() throws {
        // A source number that is another one's target must not be overwritten before it is copied.
        let first = try Pipe()
        let second = try Pipe()
        let low = try first.write.duplicate()
        var fds = [Int32?](repeating: nil, count: 20)
        fds[0] = low.raw
        fds[Int(min(low.raw, 19))] = second.write.raw
        fds[2] = 2
        let target = Int(min(low.raw, 19))
        let child = try ChildProcess.spawn(
            ProcessSpec(
                path: "/bin/sh", arguments: ["-c", "echo zero >&0; echo target >/proc/self/fd/\(target)"], fds: fds))
        #expect(child.waitForEnd(until: .after(.seconds(20))))
        #expect(child.reap() == .code(0))
        var bytes = [UInt8](repeating: 0, count: 16)
        #expect(read(first.read.raw, &bytes, 16) == 5 && bytes.starts(with: "zero\n".utf8))
        #expect(read(second.read.raw, &bytes, 16) == 7 && bytes.starts(with: "target\n".utf8))
    }

    @Test func theEnvironmentIsExactlyTheGivenOne() throws {
        #expect(try output(of: "/usr/bin/env") { $0.environment = ["ONLY=this one"] }.contains("ONLY=this one\n"))
        #expect(try output(of: "printf %s \"$HOME\"") == "")
    }

    @Test(.enabled(if: getuid() == 0)) func identityAndRightsAreDropped() throws {
        let text = try output(of: "id -u; id -g; id -G; grep -E 'CapEff|CapPrm|NoNewPrivs' /proc/self/status") {
            $0.uid = 64001
            $0.gid = 64002
        }
        #expect(text.hasPrefix("64001\n64002\n64002\n"))
        #expect(text.contains("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n"))
    }

    @Test(.enabled(if: getuid() == 0)) func aChangedUserLosesTheGroupsOfTheOldOne() throws {
        #expect(try output(of: "grep Groups /proc/self/status") { $0.uid = 64001 } == "Groups:\t \n")
    }

    @Test func signalsAreAsNew() throws {
        let status = try output(of: "grep -E 'SigBlk|SigIgn' /proc/self/status")
        let masks = status.split(separator: "\n").compactMap { UInt64($0.suffix(16), radix: 16) }
        // 32 and 33 belong to the C library, which lets nobody change them (signal(7)).
        #expect(masks.map { $0 & ~(3 << 31) } == [0, 0])
    }

    @Test(.enabled(if: getuid() == 0)) func limitsAreSet() throws {
        let text = try output(of: "ulimit -n; ulimit -l; cat /proc/self/oom_score_adj") {
            $0.openFileLimit = 777
            $0.memoryLockLimit = 5 << 20
            $0.oomScoreAdjust = 321
        }
        #expect(text == "777\n5120\n321\n")
    }

    @Test func theSessionIsItsOwn() throws {
        let script = "read -r line </proc/self/stat; set -- ${line##*) }; echo $4 $$"
        let own = try output(of: script).split(whereSeparator: \.isWhitespace)
        #expect(own.count == 2 && own[0] == own[1])
        let shared = try output(of: script) { $0.newSession = false }.split(whereSeparator: \.isWhitespace)
        #expect(shared.first == "\(getsid(0))")
    }

    @Test func theStepThatFailedIsTold() throws {
        var spec = ProcessSpec(path: "/nonexistent/program")
        let missing = systemError { _ = try ChildProcess.spawn(spec) }
        #expect(missing?.errno == .notFound && missing?.detail == "executing the program")
        #expect(missing?.subject == "/nonexistent/program")
        spec.path = "/bin/true"
        spec.directory = "/nonexistent"
        let directory = systemError { _ = try ChildProcess.spawn(spec) }
        #expect(directory?.errno == .notFound && directory?.detail == "entering the working directory")
        spec.directory = nil
        spec.fds = [Int32](repeating: 0, count: 65)
        #expect(systemError { _ = try ChildProcess.spawn(spec) }?.errno == .invalidArgument)
        spec.fds = [nil, nil, 4_000_000]
        let bad = systemError { _ = try ChildProcess.spawn(spec) }
        #expect(bad?.errno == .badFileDescriptor && bad?.detail == "placing file descriptors")
    }

    @Test func aFailedChildIsNoZombie() throws {
        for _ in 0..<20 { _ = systemError { _ = try ChildProcess.spawn(ProcessSpec(path: "/nonexistent")) } }
        #expect(try unexecutedZombies() == 0)
    }

    @Test func aProcessIsAdoptedByItsPid() throws {
        let child = try ChildProcess.spawn(ProcessSpec(path: "/bin/sleep", arguments: ["600"]))
        let adopted = try ChildProcess(adopting: child.pid)
        #expect(adopted.identity == child.identity)
        child.signal(SIGKILL)
        #expect(adopted.waitForEnd(until: .after(.seconds(20))))
        #expect(systemError { _ = try ChildProcess(adopting: child.pid) }?.errno == .noSuchProcess)
        #expect(child.reap() == .signal(SIGKILL))
        #expect(adopted.reap() == .unknown)
        #expect(systemError { _ = try ChildProcess(adopting: child.pid) }?.errno == .noSuchProcess)
    }

    @Test(.enabled(if: getuid() == 0)) func aDescriptorIsTakenFromAStoppedProcess() throws {
        let pipe = try Pipe()
        let child = try ChildProcess.spawn(
            ProcessSpec(path: "/bin/sleep", arguments: ["600"], fds: [nil, nil, nil, pipe.write.raw]))
        child.signal(SIGSTOP)
        let stolen = try child.duplicateFD(3)
        try write("mine", to: stolen.raw)
        var bytes = [UInt8](repeating: 0, count: 4)
        #expect(read(pipe.read.raw, &bytes, 4) == 4 && bytes == Array("mine".utf8))
        #expect(systemError { _ = try child.duplicateFD(99) }?.errno == .badFileDescriptor)
        child.signal(SIGKILL)
        #expect(child.waitForEnd(until: .after(.seconds(20))))
        _ = child.reap()
    }

    /// Children that ended before they became another program, and that nobody reaped.
    private func unexecutedZombies() throws -> Int {
        let own = try File.text("/proc/self/comm").dropLast()
        var found = 0
        for task in try Directory.names("/proc/self/task") {
            let list = try? File.text("/proc/self/task/\(String(decoding: task, as: UTF8.self))/children")
            for pid in (list ?? "").split(separator: " ") {
                let line = try? File.text("/proc/\(pid)/stat")
                if line?.hasPrefix("\(pid) (\(own)) Z") == true { found += 1 }
            }
        }
        return found
    }
}

@Suite struct ProcessIdentityTests {
    @Test func aProcessIsItself() {
        #expect(ProcessIdentity.current == ProcessIdentity(of: getpid()))
        #expect(ProcessIdentity.current.startTime > 0)
        #expect(ProcessIdentity(of: 1) != ProcessIdentity.current)
        #expect(ProcessIdentity(of: 4_194_305) == nil, "above the kernel's highest pid")
    }
}

@Suite struct AccountsTests {
    @Test func usersByNameAndNumber() {
        #expect(Accounts.user("root") == Accounts.User(uid: 0, gid: 0))
        #expect(Accounts.user("0") == Accounts.User(uid: 0, gid: 0))
        #expect(Accounts.user("64123") == Accounts.User(uid: 64123, gid: 64123))
        #expect(Accounts.user("no such user") == nil)
        #expect(Accounts.group("root") == 0)
        #expect(Accounts.group("64123") == 64123)
        #expect(Accounts.group("no such group") == nil)
    }
}
