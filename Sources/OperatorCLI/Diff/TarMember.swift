/// What stands before the contents of a member of a tar archive: a block of ustar, and before it a pax header for what that has no room for
/// (pax(1), POSIX.1-2001).
struct TarMember {
    enum Kind: UInt8 {
        case file = 0x30
        case symlink = 0x32
        case directory = 0x35
        case pipe = 0x36
    }

    static let block = 512
    /// What ends an archive.
    static let end = [UInt8](repeating: 0, count: 2 * block)

    /// Without a slash at its end; any bytes but NUL.
    var path: [UInt8]
    var kind: Kind
    /// Permissions.
    var mode: UInt32
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    /// Bytes of the contents that follow.
    var size: UInt64 = 0
    /// Seconds after 1970, and the rest.
    var modified: (seconds: Int64, nanoseconds: Int64) = (0, 0)
    /// Of a link.
    var target: [UInt8] = []

    /// Zeros after contents of this size.
    static func padding(after size: UInt64) -> Int {
        (block - Int(size % UInt64(block))) % block
    }

    /// Whole blocks.
    func head() -> [UInt8] {
        let records = records
        guard !records.isEmpty else { return header(shownPath, kind.rawValue, size) }
        let pax = header(Array("PaxHeaders/member".utf8), 0x78, UInt64(records.count), isPlain: true)
        return pax + records + [UInt8](repeating: 0, count: Self.padding(after: UInt64(records.count)))
            + header(shownPath, kind.rawValue, size)
    }

    private var shownPath: [UInt8] {
        kind == .directory ? path + [0x2F] : path
    }

    // MARK: pax

    private var records: [UInt8] {
        var pairs: [(String, [UInt8])] = []
        if shownPath.count > 100 { pairs.append(("path", shownPath)) }
        if target.count > 100 { pairs.append(("linkpath", target)) }
        if pairs.contains(where: { String(validating: $0.1, as: UTF8.self) == nil }) {
            pairs.insert(("hdrcharset", Array("BINARY".utf8)), at: 0)
        }
        if Self.octal(size, 11) == nil { pairs.append(("size", Array("\(size)".utf8))) }
        if Self.octal(UInt64(uid), 7) == nil { pairs.append(("uid", Array("\(uid)".utf8))) }
        if Self.octal(UInt64(gid), 7) == nil { pairs.append(("gid", Array("\(gid)".utf8))) }
        if modified.nanoseconds != 0 || modified.seconds < 0 || Self.octal(UInt64(modified.seconds), 11) == nil {
            pairs.append(("mtime", Array(time.utf8)))
        }
        return pairs.flatMap { Self.record($0.0, $0.1) }
    }

    /// Decimal. The kernel counts nanoseconds upwards also before 1970; a decimal fraction goes the other way.
    private var time: String {
        var (seconds, rest) = (modified.seconds, modified.nanoseconds)
        let isNegative = seconds < 0
        if isNegative, rest > 0 { (seconds, rest) = (seconds + 1, 1_000_000_000 - rest) }
        let digits = String(rest)
        let fraction = rest == 0 ? "" : "." + String(repeating: "0", count: 9 - digits.count) + digits
        return (isNegative ? "-" : "") + String(seconds.magnitude) + fraction
    }

    /// `LENGTH KEY=VALUE` and a newline; the length counts its own digits, too.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = [0x20] + Array(key.utf8) + [0x3D] + value + [0x0A]
        var length = rest.count
        while length != rest.count + String(length).utf8.count { length = rest.count + String(length).utf8.count }
        return Array("\(length)".utf8) + rest
    }

    // MARK: ustar

    private func header(_ path: [UInt8], _ type: UInt8, _ size: UInt64, isPlain: Bool = false) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.block)
        func put(_ bytes: [UInt8], at offset: Int, _ limit: Int) {
            for (index, byte) in bytes.prefix(limit).enumerated() { block[offset + index] = byte }
        }
        func put(_ number: UInt64, at offset: Int, digits: Int) {
            // What has no room is in the pax header.
            put(Self.octal(number, digits) ?? [UInt8](repeating: 0x30, count: digits), at: offset, digits)
        }
        put(path, at: 0, 100)
        put(UInt64(isPlain ? 0o644 : mode & 0o7777), at: 100, digits: 7)
        put(UInt64(isPlain ? 0 : uid), at: 108, digits: 7)
        put(UInt64(isPlain ? 0 : gid), at: 116, digits: 7)
        put(size, at: 124, digits: 11)
        put(isPlain || modified.seconds < 0 ? 0 : UInt64(modified.seconds), at: 136, digits: 11)
        block[156] = type
        if !isPlain { put(target, at: 157, 100) }
        put(Array("ustar\u{0}00".utf8), at: 257, 8)
        // The sum counts its own field as blanks.
        put([UInt8](repeating: 0x20, count: 8), at: 148, 8)
        let sum = block.reduce(0) { $0 + UInt64($1) }
        put((Self.octal(sum, 6) ?? []) + [0, 0x20], at: 148, 8)
        return block
    }

    /// Nil if it has more digits.
    private static func octal(_ number: UInt64, _ digits: Int) -> [UInt8]? {
        let text = Array(String(number, radix: 8).utf8)
        return text.count > digits ? nil : [UInt8](repeating: 0x30, count: digits - text.count) + text
    }
}
