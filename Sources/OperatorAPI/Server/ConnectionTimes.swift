import NIOCore

/// How long a client may take for each part of an exchange.
struct ConnectionLimits: Hashable, Sendable {
    /// From the connection to the end of the TLS handshake.
    var handshake: TimeAmount = .seconds(15)
    /// From the connection, or the last answer, to the head of a request.
    var idle: TimeAmount = .seconds(60)
    /// From the head of a request to its end.
    var request: TimeAmount = .seconds(15)
    /// From the first byte of an answer until the client took the last.
    var response: TimeAmount = .seconds(30)
    /// Connections at a time, on each address. One more, and the one that has waited longest has to go.
    var connections = 512
}

/// Which limit runs on a connection; pure, so that every order of events can be tested.
///
/// Nothing runs while a request is being served: how long that takes is the service's affair. A byte now and then resets nothing.
struct ConnectionTimes {
    enum Event {
        case handshakeBegun, opened, requestHead, requestEnd, responseHead, responseEnd
        /// The head of an answer that goes on for as long as the client wants; then each of its parts, queued and taken.
        case streamHead, partQueued, partTaken
    }

    enum Action: Equatable {
        case nothing
        /// Replaces the limit that runs.
        case start(TimeAmount)
        case stop
    }

    let limits: ConnectionLimits
    /// Requests that arrived, at least in part, and are not answered.
    private var open = 0
    private var isReading = false
    private var isWriting = false
    private var isStreaming = false
    private var parts = 0

    /// Whether it is the client's turn: nothing of it is being served, and no answer is on the way to it.
    var isWaiting: Bool {
        (open == 0 || isReading) && !isWriting
    }

    init(limits: ConnectionLimits) {
        self.limits = limits
    }

    mutating func handle(_ event: Event) -> Action {
        switch event {
        case .handshakeBegun:
            return .start(limits.handshake)
        case .opened:
            return .start(limits.idle)
        case .requestHead:
            open += 1
            isReading = true
            return isWriting ? .nothing : .start(limits.request)
        case .requestEnd:
            isReading = false
            if isWriting { return .nothing }
            return open == 0 ? .start(limits.idle) : .stop
        case .responseHead:
            isWriting = true
            return .start(limits.response)
        case .streamHead:
            isWriting = true
            isStreaming = true
            return .stop
        case .partQueued:
            guard isStreaming else { return .nothing }
            parts += 1
            // The limit of the oldest part runs on.
            return parts == 1 ? .start(limits.response) : .nothing
        case .partTaken:
            guard isStreaming else { return .nothing }
            parts = max(0, parts - 1)
            return parts == 0 ? .stop : .start(limits.response)
        case .responseEnd:
            isWriting = false
            isStreaming = false
            parts = 0
            open = max(0, open - 1)
            if isReading { return .start(limits.request) }
            return open == 0 ? .start(limits.idle) : .stop
        }
    }
}
