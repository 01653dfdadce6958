import CAntares
import Glibc

/// Awaits the end of processes: one thread, one epoll, one pidfd for each process.
public final class ExitMonitor: Sendable {
    private struct Waiter {
        let process: ChildProcess
        let receive: @Sendable (ExitStatus) -> Void
    }

    private struct State {
        var waiters: [UInt64: Waiter] = [:]
        var nextToken: UInt64 = 1
    }

    private final class Shared: Sendable {
        let epoll: Epoll
        let state = Guarded(State())

        init() throws(SystemError) {
            epoll = try Epoll()
        }
    }

    private let shared: Shared

    /// Starts the thread; it lives as long as the process.
    public init() throws(SystemError) {
        let shared = try Shared()
        self.shared = shared
        try SystemThread.start(name: "exit-monitor", nice: -10, isPrompt: true) { Self.loop(shared) }.detach()
    }

    /// Suspends until the process has ended, and reaps it if it is a child. One waiter for each process.
    public func end(of process: ChildProcess) async -> ExitStatus {
        await withCheckedContinuation { continuation in
            whenEnded(process) { continuation.resume(returning: $0) }
        }
    }

    /// Calls `receive` once on the monitor's thread when the process has ended, after reaping it if it is a child. `receive` must not
    /// block. One receiver for each process.
    public func whenEnded(_ process: ChildProcess, _ receive: @escaping @Sendable (ExitStatus) -> Void) {
        // Registered before the descriptor is added, because the event may come at once.
        let token = shared.state.with { state in
            let token = state.nextToken
            state.nextToken += 1
            state.waiters[token] = Waiter(process: process, receive: receive)
            return token
        }
        do throws(SystemError) {
            try shared.epoll.add(process.pidfd, [.readable, .oneShot], token: token)
        } catch {
            let waiter = shared.state.with { $0.waiters.removeValue(forKey: token) }
            waiter?.receive(.unknown)
        }
    }

    /// Nobody is told about the end of this process any more, and its descriptor is not kept. For processes that are no children.
    public func forget(_ process: ChildProcess) {
        let isKnown = shared.state.with { state in
            guard let token = state.waiters.first(where: { $0.value.process === process })?.key else { return false }
            return state.waiters.removeValue(forKey: token) != nil
        }
        if isKnown { shared.epoll.remove(process.pidfd) }
    }

    private static func loop(_ shared: Shared) {
        while true {
            guard let events = try? shared.epoll.wait() else { continue }
            for event in events {
                guard let waiter = shared.state.with({ $0.waiters.removeValue(forKey: event.token) }) else { continue }
                shared.epoll.remove(waiter.process.pidfd)
                waiter.receive(waiter.process.reap() ?? .unknown)
            }
        }
    }
}
