/// What can be asked of the cache owner. The numbers are part of the protocol.
///
/// Operations below 16 come on a worker's socket, from 16 on the supervisor's control socket; each socket accepts only its own.
public enum CacheOperation: UInt16, Sendable, CaseIterable {
    case hello = 1
    case directory = 2
    case stat = 3
    case open = 4
    case cancel = 5
    case provide = 6
    case ahead = 7

    case pin = 16
    case attach = 17
    case status = 18
    case shutDown = 19
    case greet = 20
    case deposit = 21
    case release = 22
    case reclaim = 23
    case holdings = 24
    case ping = 25
    case sealed = 26
    case collect = 27
    case verify = 28
    case prefetch = 29
    case pinChangelist = 30
    case lookUp = 31
    case list = 32
    case tell = 33

    public var isControl: Bool {
        rawValue >= 16
    }
}

/// The versions of the worker–owner protocol that this build speaks.
public enum CacheProtocolVersion {
    public static let oldest: UInt16 = 1
    public static let newest: UInt16 = 2
    /// The first one with `ahead`.
    public static let ahead: UInt16 = 2

    /// The highest version both sides speak, or nil.
    public static func agreed(oldest: UInt16, newest: UInt16) -> UInt16? {
        let version = min(newest, Self.newest)
        return version >= max(oldest, Self.oldest) ? version : nil
    }
}

/// The versions of the supervisor–owner protocol that this build speaks.
public enum ControlProtocolVersion {
    public static let oldest: UInt16 = 2
    public static let newest: UInt16 = 5
    /// The first one with `pinChangelist`.
    public static let changelists: UInt16 = 3
    /// The first one with `lookUp` and `list`.
    public static let lookups: UInt16 = 4
    /// The first one with `tell`.
    public static let limits: UInt16 = 5

    /// The highest version that two sides speak, or nil.
    public static func agreed(
        _ one: ClosedRange<UInt16>, _ other: ClosedRange<UInt16>
    ) -> UInt16? {
        let version = min(one.upperBound, other.upperBound)
        return version >= max(one.lowerBound, other.lowerBound) ? version : nil
    }
}
