import CAntares
import Glibc

/// An epoll(7) instance. The token that was registered with a descriptor comes back with its events.
public struct Epoll: ~Copyable, Sendable {
    public struct Events: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let readable = Events(rawValue: UInt32(ANT_EPOLL_IN))
        public static let writable = Events(rawValue: UInt32(ANT_EPOLL_OUT))
        public static let error = Events(rawValue: UInt32(ANT_EPOLL_ERR))
        public static let hangUp = Events(rawValue: UInt32(ANT_EPOLL_HUP))
        public static let peerClosed = Events(rawValue: UInt32(ANT_EPOLL_RDHUP))
        /// Reported once, then silent until changed again: so that one of several threads handles a descriptor at a time.
        public static let oneShot = Events(rawValue: UInt32(ANT_EPOLL_ONESHOT))
        public static let edge = Events(rawValue: UInt32(ANT_EPOLL_ET))
    }

    public struct Event: Sendable {
        public let token: UInt64
        public let events: Events
    }

    private let file: OwnedFD

    public init() throws(SystemError) {
        file = OwnedFD(taking: try check(ant_epoll_create(), "epoll_create1"))
    }

    public borrowing func add(_ fd: Int32, _ events: Events, token: UInt64) throws(SystemError) {
        try check(ant_epoll_set(file.raw, fd, events.rawValue, token, 0), "epoll_ctl(ADD)")
    }

    public borrowing func change(_ fd: Int32, _ events: Events, token: UInt64) throws(SystemError) {
        try check(ant_epoll_set(file.raw, fd, events.rawValue, token, 1), "epoll_ctl(MOD)")
    }

    public borrowing func remove(_ fd: Int32) {
        _ = ant_epoll_remove(file.raw, fd)
    }

    /// Waits until something happens or the deadline passes (then the result is empty). An interruption by a signal is an empty
    /// result, too.
    public borrowing func wait(until deadline: Deadline = .never, limit: Int = 64) throws(SystemError) -> [Event] {
        try withUnsafeTemporaryAllocation(of: ant_epoll_event.self, capacity: limit) {
            buffer -> Result<[Event], SystemError> in
            let n = ant_epoll_wait(file.raw, buffer.baseAddress!, Int32(limit), deadline.pollTimeout)
            if n == -1 {
                let error = Errno.current
                return error == .interrupted ? .success([]) : .failure(SystemError(error, "epoll_wait"))
            }
            return .success(
                (0..<Int(n)).map { Event(token: buffer[$0].token, events: Events(rawValue: buffer[$0].events)) })
        }.get()
    }
}
