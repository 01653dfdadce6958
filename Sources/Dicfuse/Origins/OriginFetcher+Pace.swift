import LinuxSystem

/// Who may fetch in the background while that has a limit: one after the other.
struct Pace {
    var limit: RateLimit
    fileprivate var isTaken = false
    fileprivate var line: [(urgency: Urgency, continuation: CheckedContinuation<Void, Never>)] = []

    init(limit: RateLimit) {
        self.limit = limit
    }
}

extension OriginFetcher {
    /// Waits until something in the background may begin, or is wanted. True if it may begin as one in the background: call `givePace` when
    /// it has ended.
    func takePace() async -> Bool {
        guard pace.limit.rate > 0, let urgency = Self.urgency else { return false }
        while pace.isTaken, urgency.isBackground, !thread.isStopping {
            await withCheckedContinuation { pace.line.append((urgency, $0)) }
        }
        guard urgency.isBackground, !thread.isStopping else {
            // It was this one's turn, which is another's now.
            if !pace.isTaken { callNext() }
            return false
        }
        pace.isTaken = true
        while urgency.isBackground, !thread.isStopping {
            let begin = pace.limit.begin(now: .now)
            guard begin > .now else { break }
            await sleep(until: min(begin, .after(.milliseconds(50))))
        }
        return true
    }

    func givePace() {
        pace.isTaken = false
        callNext()
    }

    /// What is wanted waits no longer.
    func leavePace(_ urgency: Urgency) {
        let raised = pace.line.filter { $0.urgency === urgency }
        pace.line.removeAll { $0.urgency === urgency }
        for waiter in raised { waiter.continuation.resume() }
    }

    private func callNext() {
        guard !pace.line.isEmpty else { return }
        pace.line.removeFirst().continuation.resume()
    }
}
