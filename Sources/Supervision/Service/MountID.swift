/// The name of a mount: a random UUID (RFC 9562, version 4) in lower case, as the published API has it.
public struct MountID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    /// Nil unless it is a UUID of 36 characters.
    public init?(rawValue: String) {
        let text = rawValue.lowercased()
        let dashes = [8, 13, 18, 23]
        guard text.utf8.count == 36 else { return nil }
        for (index, byte) in text.utf8.enumerated() {
            let isHex = (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
            guard dashes.contains(index) ? byte == 0x2D : isHex else { return nil }
        }
        self.rawValue = text
    }

    public static func random() -> MountID {
        let high = (UInt64.random(in: 0 ... .max) & ~0xF000) | 0x4000
        let low = (UInt64.random(in: 0 ... .max) & ~(3 << 62)) | (2 << 62)
        func hex(_ value: UInt64, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: digits - text.count) + text
        }
        let text =
            "\(hex(high >> 32, 8))-\(hex(high >> 16 & 0xFFFF, 4))-\(hex(high & 0xFFFF, 4))"
            + "-\(hex(low >> 48, 4))-\(hex(low & 0xFFFF_FFFF_FFFF, 12))"
        return MountID(rawValue: text)!
    }

    public var description: String {
        rawValue
    }
}
