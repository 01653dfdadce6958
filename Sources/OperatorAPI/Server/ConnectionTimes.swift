import NIOCore

/// How long a client may take for each part of an exchange.
struct ConnectionLimits: Hashable, Sendable {
    /// From the connection, or the last answer, to the head of a request.
    var idle: TimeAmount = .seconds(60)
    /// From the head of a request to its end.
    var request: TimeAmount = .seconds(15)
    /// From the first byte of an answer until the client took the last.
    var response: TimeAmount = .seconds(30)
}

/// Which limit runs on a connection; pure, so that every order of events can be tested.
///
/// Nothing runs while a request is being served: how long that takes is the service's affair. A byte now and then resets nothing.
struct ConnectionTimes {
    enum Event {
        case opened, requestHead, requestEnd, responseHead, responseEnd
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

    init(limits: ConnectionLimits) {
        self.limits = limits
    }

    mutating func handle(_ event: Event) -> Action {
        switch event {
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
        case .responseEnd:
            isWriting = false
            open = max(0, open - 1)
            if isReading { return .start(limits.request) }
            return open == 0 ? .start(limits.idle) : .stop
        }
    }
}
