import CAntares

/// A request that was being worked on when a worker died, and what the next worker does with it when the kernel sends it again.
public struct JudgedRequest: Hashable, Sendable {
    public enum Treatment: UInt64, Sendable {
        /// Worked on while no other request is: if the worker dies again, it is known of which.
        case alone = 1
        /// Answered EIO unread.
        case refuse = 2
    }

    /// Its number, without `FuseMessage.resentBit`.
    public var unique: UInt64
    public var treatment: Treatment

    public init(unique: UInt64, treatment: Treatment) {
        self.unique = unique
        self.treatment = treatment
    }
}

extension SessionMemory {
    static let judgedOffset = 1600
    /// Requests that can be judged at a time.
    public static let judgedCapacity = 27

    /// Replaces the judged requests; those beyond the capacity are left out. Only the supervisor, while no worker serves.
    public func setJudged(_ requests: [JudgedRequest]) {
        guard layout == Self.currentLayout else { return }
        for index in 0..<Self.judgedCapacity {
            let request = index < requests.count ? requests[index] : nil
            ant_store_release(word(Self.judgedOffset + index * 16 + 8), request?.treatment.rawValue ?? 0)
            ant_store_release(word(Self.judgedOffset + index * 16), request?.unique ?? 0)
        }
    }

    public func judged() -> [JudgedRequest] {
        (0..<Self.judgedCapacity).compactMap { index in
            let unique = ant_load_acquire(word(Self.judgedOffset + index * 16))
            let treatment = JudgedRequest.Treatment(
                rawValue: ant_load_acquire(word(Self.judgedOffset + index * 16 + 8)))
            return treatment.map { JudgedRequest(unique: unique, treatment: $0) }
        }
    }
}
