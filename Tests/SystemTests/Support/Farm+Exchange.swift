import LinuxSystem
import Testing

extension Farm {
    /// Exchanges the changelist of a mount; without a name it takes it away.
    @discardableResult
    func exchange(
        _ mount: Mount, to name: String?, _ more: [String: JSON] = [:], status: Int = 200
    ) throws -> JSON {
        let path = "/mounts/\(mount.id)/cl"
        let answer =
            if let name {
                try api.post(path, .object(more.merging(["cl": .string(name)]) { $1 }))
            } else {
                try api.delete(path + "?" + more.keys.sorted().joined(separator: "&"))
            }
        #expect(answer.status == status, "\(answer.body)")
        return answer.body
    }

    /// Uppers that are in use or wait for their end; trash and what is kept are none.
    func uppers() throws -> Int {
        try Directory.names(directory + "/upper").filter { $0.first != 0x2E }.count
    }

    /// Has a system call of the supervisor kill it, at its nth time in one thread. Returns when the tracer watches.
    func kill(at call: String, _ number: Int) throws -> ChildProcess {
        let supervisor = try #require(supervisor)
        let tracer = try Program.start(
            "/usr/bin/strace",
            [
                "-f", "-q", "-o", "\(directory)/trace", "-p", "\(supervisor.pid)", "-e",
                "inject=\(call):signal=SIGKILL:when=\(number)",
            ])
        try until("strace watches") {
            try File.text("/proc/\(supervisor.pid)/status").contains("TracerPid:\t\(tracer.pid)\n")
        }
        return tracer
    }
}
