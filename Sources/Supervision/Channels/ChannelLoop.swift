import Glibc
import LinuxSystem

/// The thread that reads the replies on all control sockets and ends requests whose deadline has passed.
final class ChannelLoop: Sendable {
    private struct State {
        var channels: [UInt64: ControlChannel] = [:]
        var nextToken: UInt64 = 1
        /// Earliest deadline the thread has been told of.
        var nextDeadline = Deadline.never
    }

    private let epoll: Epoll
    private let wakeup: EventCounter
    private let state = Guarded(State())

    init() throws(SystemError) {
        epoll = try Epoll()
        wakeup = try EventCounter()
        try epoll.add(wakeup.raw, .readable, token: 0)
        try SystemThread.start(name: "control", nice: SupervisionExecutor.nice, isPrompt: true) { self.run() }.detach()
    }

    func add(_ channel: ControlChannel) throws(SystemError) {
        let token = state.with { state in
            let token = state.nextToken
            state.nextToken += 1
            state.channels[token] = channel
            return token
        }
        channel.token = token
        do throws(SystemError) {
            try epoll.add(channel.socket.raw, .readable, token: token)
        } catch {
            _ = state.with { $0.channels.removeValue(forKey: token) }
            throw error
        }
    }

    func remove(_ channel: ControlChannel) {
        let known = state.with { $0.channels.removeValue(forKey: channel.token) != nil }
        if known { epoll.remove(channel.socket.raw) }
    }

    /// Makes sure that the thread looks at the deadlines again by then.
    func watch(_ deadline: Deadline) {
        let earlier = state.with { state in
            guard deadline < state.nextDeadline else { return false }
            state.nextDeadline = deadline
            return true
        }
        if earlier { wakeup.add() }
    }

    private func run() {
        while true {
            let deadline = state.with { $0.nextDeadline }
            let events = (try? epoll.wait(until: deadline)) ?? []
            for event in events {
                if event.token == 0 {
                    wakeup.clear()
                } else if let channel = state.with({ $0.channels[event.token] }) {
                    TaskThreads.resuming { channel.readReply() }
                }
            }
            if state.with({ $0.nextDeadline }).hasPassed { expire() }
        }
    }

    private func expire() {
        let channels = state.with { state in
            state.nextDeadline = .never
            return Array(state.channels.values)
        }
        for channel in channels {
            let next = channel.expire()
            state.with { $0.nextDeadline = min($0.nextDeadline, next) }
        }
    }
}
