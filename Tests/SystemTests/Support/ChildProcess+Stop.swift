import Glibc
import LinuxSystem

extension ChildProcess {
    /// Sends SIGSTOP and returns when all threads have stopped: until then they go on answering. A process that is gone counts as stopped.
    func stop() throws {
        signal(SIGSTOP)
        try waitUntilStopped()
    }

    fileprivate func waitUntilStopped() throws {
        let deadline = Deadline.after(.seconds(20))
        while !threadsHaveStopped {
            if deadline.hasPassed { throw Trouble("process \(pid) does not stop") }
            _ = poll(nil, 0, 1)
        }
    }

    /// proc_pid_stat(5): the state follows the name, which may contain anything.
    private var threadsHaveStopped: Bool {
        ((try? Directory.names("/proc/\(pid)/task")) ?? []).allSatisfy { thread in
            guard let text = try? File.text("/proc/\(pid)/task/\(String(decoding: thread, as: UTF8.self))/stat"),
                let name = text.lastIndex(of: ")")
            else { return true }
            return text[name...].dropFirst(2).first == "T"
        }
    }
}

extension [ChildProcess] {
    /// All are told to before the first is waited for.
    func stop() throws {
        for process in self { process.signal(SIGSTOP) }
        for process in self { try process.waitUntilStopped() }
    }
}
