/// Numbers with units, as they are written in the configuration.
public enum Quantity {
    private static let durations: [(unit: String, nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
        ("h", 3_600_000_000_000), ("d", 86_400_000_000_000),
    ]

    private static let sizes: [(unit: String, bytes: UInt64)] = [
        ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
        ("kB", 1000), ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40),
    ]

    /// A duration such as `250ms`, `10s`, `5m`; a bare number counts seconds. Nil if it is none, or too long to count.
    public static func duration(_ text: String) -> Duration? {
        guard let (number, unit) = split(text) else { return nil }
        guard let scale = unit.isEmpty ? 1_000_000_000 : durations.first(where: { $0.unit == unit })?.nanoseconds,
            let count = Int64(exactly: number)
        else { return nil }
        let (nanoseconds, overflow) = count.multipliedReportingOverflow(by: scale)
        return overflow ? nil : .nanoseconds(nanoseconds)
    }

    /// A size such as `20GiB` or `500MB`; a bare number counts bytes. `K`, `M`, `G`, `T` are powers of 1024.
    public static func bytes(_ text: String) -> UInt64? {
        guard let (number, unit) = split(text) else { return nil }
        guard let scale = unit.isEmpty ? 1 : sizes.first(where: { $0.unit == unit })?.bytes else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: scale)
        return overflow ? nil : bytes
    }

    /// The shortest form that reads back as the same duration.
    public static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        for (unit, scale) in [durations[3], durations[2], durations[1]] where nanoseconds % scale == 0 {
            return "\(nanoseconds / scale)\(unit)"
        }
        return "\(nanoseconds)ns"
    }

    /// The shortest form that reads back as the same size.
    public static func text(bytes: UInt64) -> String {
        for (unit, scale) in sizes[1...4].reversed() where bytes > 0 && bytes % scale == 0 {
            return "\(bytes / scale)\(unit)"
        }
        return "\(bytes)B"
    }

    private static func split(_ text: String) -> (number: UInt64, unit: String)? {
        let digits = text.utf8.prefix { (0x30...0x39).contains($0) }.count
        guard digits > 0, let number = UInt64(text.prefix(digits)) else { return nil }
        return (number, String(text.dropFirst(digits).drop { $0 == " " }))
    }
}
