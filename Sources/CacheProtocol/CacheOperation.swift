/// What can be asked of the cache owner. The numbers are part of the protocol.
///
/// Operations below 16 come on a worker's socket, from 16 on the supervisor's control socket; each socket accepts only its own.
public enum CacheOperation: UInt16, Sendable, CaseIterable {
    case hello = 1
    case directory = 2
    case stat = 3
    case open = 4
    case cancel = 5

    case pin = 16
    case attach = 17
    case status = 18
    case shutDown = 19

    public var isControl: Bool {
        rawValue >= 16
    }
}

/// The versions of the worker–owner protocol that this build speaks.
public enum CacheProtocolVersion {
    public static let oldest: UInt16 = 1
    public static let newest: UInt16 = 1

    /// The highest version both sides speak, or nil.
    public static func agreed(oldest: UInt16, newest: UInt16) -> UInt16? {
        let version = min(newest, Self.newest)
        return version >= max(oldest, Self.oldest) ? version : nil
    }
}
