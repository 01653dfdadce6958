import CacheProtocol
import Glibc
import LinuxSystem

/// An owner of another build than the program that is configured.
extension CacheOwner {
    /// Has the owner end, after it has written what it has to write, if it was started from another program; the next one is started at
    /// once, and workers are given sockets to it. A program that does not speak this supervisor's protocol is not started: the present
    /// owner stays.
    func replaceOutdated() async {
        guard let process, let running = try? ProgramIdentity(of: process),
            let current = try? ProgramIdentity(path: program), running != current
        else { return }
        let program = program
        let versions = try? await BlockingThreads(count: 1, name: "cache-version").run {
            Self.controlVersions(of: program)
        }
        let own = ControlProtocolVersion.oldest...ControlProtocolVersion.newest
        guard let versions = versions ?? nil, ControlProtocolVersion.agreed(own, versions) != nil else {
            return log.log(
                .error,
                "a cache owner of another build is left in place: the new program does not speak with this supervisor",
                [("program", program), ("versions", (versions ?? nil).map { "\($0)" } ?? "unknown")])
        }
        log.log(.notice, "replacing a cache owner of another build", [("pid", "\(process.pid)")])
        events.record(.cacheReplaced, cause: "its program was replaced", details: [("pid", "\(process.pid)")])
        _ = try? await ask(.shutDown, deadline: .after(Self.stopTimeout))
        _ = try? await BlockingThreads(count: 1, name: "cache-end").run {
            if !process.waitForEnd(until: .after(Self.stopTimeout)) { process.signal(SIGKILL) }
        }
        // Until the next one answers: workers are replaced after that.
        _ = try? await askPatiently(.status, deadline: .after(Self.startTimeout))
    }

    /// Throws when the owner and this supervisor have no version of the control protocol in common.
    func greet(deadline: Deadline) async throws(SupervisorError) {
        _ = try await ask(Self.greeting, deadline: deadline)
    }

    static var greeting: ControlRequest {
        .greet(oldest: ControlProtocolVersion.oldest, newest: ControlProtocolVersion.newest)
    }

    /// What a program says it speaks: `… control OLDEST-NEWEST …` in the line that `--version` prints.
    static func controlVersions(of program: String) -> ClosedRange<UInt16>? {
        guard let pipe = try? Pipe() else { return nil }
        let spec = ProcessSpec(path: program, arguments: ["--version"], fds: [nil, pipe.write.raw, nil])
        guard let process = try? ChildProcess.spawn(spec) else { return nil }
        if !process.waitForEnd(until: .after(.seconds(5))) {
            process.signal(SIGKILL)
            _ = process.waitForEnd(until: .after(.seconds(1)))
        }
        guard process.reap() == .code(0) else { return nil }
        let reader = pipe.takeRead()
        let text = String(decoding: (try? File.contents(of: reader.raw, limit: 4096)) ?? [], as: UTF8.self)
        let words = text.split { $0 == " " || $0 == "\n" || $0 == "," }
        guard let index = words.firstIndex(of: "control"), index + 1 < words.count else { return nil }
        let bounds = words[index + 1].split(separator: "-").compactMap { UInt16($0) }
        guard bounds.count == 2, bounds[0] <= bounds[1] else { return nil }
        return bounds[0]...bounds[1]
    }
}
