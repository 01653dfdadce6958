/// Which of too many connections has to go; pure.
///
/// Somebody who opens thousands of connections must not keep others out until a limit of time ends each of them. So a new one is always taken
/// in, and of those whose client's turn it is one is given up: of the peer that has most of them, the one that has waited longest. What is being served
/// or answered stays.
struct ConnectionCensus {
    private struct Entry {
        let peer: String
        /// Grows with each time that a connection begins to wait; nil while it is served.
        var waitsSince: UInt64?
    }

    let limit: Int
    private var entries: [UInt64: Entry] = [:]
    private var clock: UInt64 = 0

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int {
        entries.count
    }

    /// A connection, which waits for its first request. Answers the one that has to go: never this one, and none if all others are being served.
    mutating func opened(_ number: UInt64, peer: String) -> UInt64? {
        clock += 1
        entries[number] = Entry(peer: peer, waitsSince: clock)
        guard entries.count > limit else { return nil }
        var waiting: [String: (count: Int, oldest: UInt64, since: UInt64)] = [:]
        for (other, entry) in entries {
            guard other != number, let since = entry.waitsSince else { continue }
            var known = waiting[entry.peer] ?? (0, other, since)
            known.count += 1
            if since < known.since { (known.oldest, known.since) = (other, since) }
            waiting[entry.peer] = known
        }
        let most = waiting.values.max { ($0.count, $1.since) < ($1.count, $0.since) }
        guard let victim = most?.oldest else { return nil }
        // It counts no more, however long its end takes.
        entries[victim] = nil
        return victim
    }

    /// Whether it is the client's turn now.
    mutating func waits(_ number: UInt64, _ isWaiting: Bool) {
        guard entries[number] != nil else { return }
        clock += 1
        entries[number]?.waitsSince = isWaiting ? clock : nil
    }

    mutating func closed(_ number: UInt64) {
        entries[number] = nil
    }
}
