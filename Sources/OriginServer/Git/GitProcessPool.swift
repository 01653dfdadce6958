import LinuxSystem

/// Long-running Git processes of one kind, each used by one job at a time, and the threads that wait for them.
///
/// A process that died is replaced and the question asked again, once: questions have no side effects.
final class GitProcessPool: Sendable {
    private struct State {
        var idle: [Member] = []
        var waiting = 0
        var restarts: UInt64 = 0
    }

    private struct Member: Sendable {
        let process: GitProcess
        let identity: FileStatus.Identity
    }

    /// Starts a process of the kind.
    typealias Start = @Sendable (GitRepository, Deadline) throws(OriginError) -> GitProcess

    private let repository: GitRepository
    private let start: Start
    private let deadline: Duration
    private let queueLimit: Int
    private let threads: BlockingThreads
    private let state = Guarded(State())

    /// - Parameters:
    ///   - size: Threads, and so processes, at most.
    ///   - queue: Jobs that may wait; more are answered `busy`.
    init(
        _ repository: GitRepository, size: Int, deadline: Duration, queue: Int, name: String, start: @escaping Start
    ) throws(OriginError) {
        self.repository = repository
        self.start = start
        self.deadline = deadline
        self.queueLimit = queue
        do {
            self.threads = try BlockingThreads(count: size, name: name)
        } catch {
            throw OriginError(.gitFailed, "threads for git cannot be started", cause: error)
        }
    }

    /// Processes started in place of ones that died.
    var restarts: UInt64 { self.state.with { $0.restarts } }

    /// The process ids of those that wait for work.
    var idleProcesses: [Int32] { self.state.with { $0.idle.map(\.process.pid) } }

    /// Lets `body` ask one process; it may be called twice. What it finds missing it must pass to `confirmAbsence`.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable (GitProcess, Absence) throws(OriginError) -> Value
    ) async throws(OriginError) -> Value {
        let deadline = Deadline.after(self.deadline)
        try self.enter()
        return try await self.threads.run { () throws(OriginError) -> Value in
            try self.perform(deadline, body)
        }
    }

    /// As `run`, for a job that reports by itself. `failed` gets the error if it could not.
    func start(
        _ body: @escaping @Sendable (GitProcess, Absence) throws(OriginError) -> Void,
        failed: @escaping @Sendable (OriginError) -> Void
    ) {
        let deadline = Deadline.after(self.deadline)
        do {
            try self.enter()
        } catch {
            return failed(error)
        }
        self.threads.submit {
            do throws(OriginError) {
                try self.perform(deadline, body)
            } catch {
                failed(error)
            }
        }
    }

    private func enter() throws(OriginError) {
        let admitted = self.state.with { state in
            guard state.waiting < self.queueLimit else { return false }
            state.waiting += 1
            return true
        }
        guard admitted else { throw OriginError(.busy, "too many requests wait for git") }
    }

    private func perform<Value>(
        _ deadline: Deadline, _ body: (GitProcess, Absence) throws(OriginError) -> Value
    ) throws(OriginError) -> Value {
        self.state.with { $0.waiting -= 1 }
        guard !deadline.hasPassed else { throw OriginError(.timedOut, "no git process was free in time") }
        do throws(OriginError) {
            return try self.attempt(deadline, body)
        } catch  where error.code == .gitFailed {
            self.state.with { $0.restarts += 1 }
            return try self.attempt(deadline, body)
        }
    }

    private func attempt<Value>(
        _ deadline: Deadline, _ body: (GitProcess, Absence) throws(OriginError) -> Value
    ) throws(OriginError) -> Value {
        let member = try self.borrow(deadline)
        member.process.deadline = deadline
        member.process.forgetComplaint()
        let value = try body(member.process, Absence(repository: self.repository, identity: member.identity))
        if member.process.isQuiet {
            self.state.with { $0.idle.append(member) }
        }
        return value
    }

    private func borrow(_ deadline: Deadline) throws(OriginError) -> Member {
        guard let identity = self.repository.identity else { throw Absence.gone(self.repository) }
        // A process keeps the packs of the repository it was started in open: one that was there before is of no use.
        let (member, stale): (Member?, [Member]) = self.state.with { state in
            let stale = state.idle.filter { $0.identity != identity }
            state.idle.removeAll { $0.identity != identity }
            return (state.idle.popLast(), stale)
        }
        _ = consume stale
        if let member { return member }
        return Member(process: try self.start(self.repository, deadline), identity: identity)
    }
}

/// Tells "is not there" from "cannot be read".
struct Absence: Sendable {
    fileprivate let repository: GitRepository
    fileprivate let identity: FileStatus.Identity

    /// To be called after git said that something is missing: it also says so of an object it fails to read, having complained,
    /// and of everything once the repository has been deleted.
    /// - Throws: `objectDamaged`, `repositoryGone`, or `gitFailed` when another repository has taken the place.
    func confirm(_ process: GitProcess) throws(OriginError) {
        guard let now = self.repository.identity else { throw Self.gone(self.repository) }
        guard now == self.identity else { throw OriginError(.gitFailed, "the repository was replaced") }
        let complaint = process.complaint
        let damaged = complaint.split(separator: "\n").contains { line in
            (line.hasPrefix("error:") || line.hasPrefix("fatal:"))
                && !Self.harmless.contains { line.contains($0) }
        }
        if damaged {
            throw OriginError(.objectDamaged, "git cannot read an object of \(self.repository.directory): \(complaint)")
        }
    }

    /// Said of a name that is a tree or blob where a commit is asked for, and of the first digits of several ids.
    private static let harmless = [": expected commit type", " is ambiguous"]

    fileprivate static func gone(_ repository: GitRepository) -> OriginError {
        OriginError(.repositoryGone, "the repository \(repository.directory) is gone")
    }
}
