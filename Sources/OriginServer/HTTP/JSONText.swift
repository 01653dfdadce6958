/// Writes JSON (RFC 8259) into bytes. Text that is not UTF-8 is repaired with U+FFFD.
struct JSONText: Sendable {
    private(set) var bytes: [UInt8] = []

    mutating func raw(_ text: String) {
        self.bytes += text.utf8
    }

    mutating func string(_ text: [UInt8]) {
        self.string(String(decoding: text, as: UTF8.self))
    }

    mutating func string(_ text: String) {
        self.bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5c: self.bytes += [0x5c, byte]
            case 0x0a: self.bytes += "\\n".utf8
            case 0x0d: self.bytes += "\\r".utf8
            case 0x09: self.bytes += "\\t".utf8
            case 0..<0x20:
                self.bytes += "\\u00".utf8
                self.bytes += (byte < 16 ? "0" : "").utf8
                self.bytes += String(byte, radix: 16).utf8
            default: self.bytes.append(byte)
            }
        }
        self.bytes.append(0x22)
    }

    /// An object; the values are written by the closures.
    mutating func object(_ members: [(String, (inout JSONText) -> Void)]) {
        self.raw("{")
        for (index, (key, value)) in members.enumerated() {
            if index > 0 { self.raw(",") }
            self.string(key)
            self.raw(":")
            value(&self)
        }
        self.raw("}")
    }

    mutating func array<Elements: Sequence>(_ elements: Elements, _ write: (inout JSONText, Elements.Element) -> Void) {
        self.raw("[")
        var first = true
        for element in elements {
            if !first { self.raw(",") }
            first = false
            write(&self, element)
        }
        self.raw("]")
    }
}
