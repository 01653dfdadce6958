/// The path and the query of a request as they came, and their decoding.
struct RequestTarget: Sendable {
    /// Still percent-encoded.
    let path: String
    private let query: String

    init(_ target: String) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        self.path = parts.first.map(String.init) ?? "/"
        self.query = parts.count > 1 ? String(parts[1]) : ""
    }

    /// A parameter that is given twice.
    struct Duplicate: Error, Sendable {
        let name: String
    }

    /// The value of a parameter of an `application/x-www-form-urlencoded` query (URL Standard §5.1): `+` is a space, `%XX` a byte, and
    /// a percent sign without two digits stands for itself.
    func parameter(_ name: String) throws(Duplicate) -> [UInt8]? {
        var found: [UInt8]?
        for pair in self.query.utf8.split(separator: 0x26) {
            let parts = pair.split(separator: 0x3d, maxSplits: 1, omittingEmptySubsequences: false)
            guard Self.decode(parts[0], plusIsSpace: true) == Array(name.utf8) else { continue }
            guard found == nil else { throw Duplicate(name: name) }
            found = parts.count > 1 ? Self.decode(parts[1], plusIsSpace: true) : []
        }
        return found
    }

    /// The rest of the path after `prefix`, percent-decoded; nil if the path begins otherwise.
    func remainder(after prefix: String) -> [UInt8]? {
        guard self.path.hasPrefix(prefix) else { return nil }
        return Self.decode(self.path.utf8.dropFirst(prefix.utf8.count), plusIsSpace: false)
    }

    /// Everything but unreserved characters and the slash becomes `%XX` (RFC 3986 §2.1).
    static func encode(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x2f, 0x5f, 0x7e: text.append(byte)
            default: text += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return text
    }

    private static func decode(_ text: some Collection<UInt8>, plusIsSpace: Bool) -> [UInt8] {
        let text = Array(text)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            if text[index] == 0x25, index + 2 < text.count, let high = Self.hex(text[index + 1]),
                let low = Self.hex(text[index + 2])
            {
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(plusIsSpace && text[index] == 0x2b ? 0x20 : text[index])
                index += 1
            }
        }
        return bytes
    }

    /// What stands between `prefix` and `suffix`, percent-decoded; nil if the path begins or ends otherwise.
    func middle(after prefix: String, before suffix: String) -> [UInt8]? {
        guard self.path.hasPrefix(prefix), self.path.hasSuffix(suffix),
            self.path.utf8.count > prefix.utf8.count + suffix.utf8.count
        else { return nil }
        return Self.decode(
            self.path.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count), plusIsSpace: false)
    }

    private static func hex(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}
