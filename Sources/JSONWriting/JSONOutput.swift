/// JSON (RFC 8259) as it is written: objects and arrays that are open, and the bytes so far.
///
/// Foundation's encoder makes a tree of all values, and a dictionary of each object, before it writes a byte; of a list of mounts that was more than
/// half of what the answer cost.
final class JSONOutput {
    private struct Open {
        let end: UInt8
        var isEmpty = true
    }

    private(set) var bytes: [UInt8] = []
    private var open: [Open] = []

    /// Objects and arrays that are open.
    var depth: Int { open.count }

    func beginObject() {
        bytes.append(UInt8(ascii: "{"))
        open.append(Open(end: UInt8(ascii: "}")))
    }

    func beginArray() {
        bytes.append(UInt8(ascii: "["))
        open.append(Open(end: UInt8(ascii: "]")))
    }

    /// Closes what is open beyond the first `depth`.
    func close(to depth: Int) {
        while open.count > depth { bytes.append(open.removeLast().end) }
    }

    /// Begins the next member of the object that is the last of the first `depth`; its value is to follow.
    func member(_ name: String, at depth: Int) {
        element(at: depth)
        text(name)
        bytes.append(UInt8(ascii: ":"))
    }

    /// Begins the next element of the array that is the last of the first `depth`.
    func element(at depth: Int) {
        close(to: depth)
        if open[depth - 1].isEmpty {
            open[depth - 1].isEmpty = false
        } else {
            bytes.append(UInt8(ascii: ","))
        }
    }

    // MARK: Values

    func null() {
        bytes += "null".utf8
    }

    func boolean(_ value: Bool) {
        bytes += (value ? "true" : "false").utf8
    }

    func number(_ value: some BinaryInteger) {
        bytes += String(value).utf8
    }

    /// Throws for what JSON has no number for.
    func number(_ value: some BinaryFloatingPoint & LosslessStringConvertible & Encodable) throws {
        guard value.isFinite else {
            throw EncodingError.invalidValue(value, .init(codingPath: [], debugDescription: "no number of JSON"))
        }
        bytes += String(value).utf8
    }

    func text(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { text in
            var written = 0
            for (index, byte) in text.enumerated() where byte < 0x20 || byte == 0x22 || byte == 0x5C {
                bytes += text[written..<index]
                escape(byte)
                written = index + 1
            }
            bytes += text[written...]
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private func escape(_ byte: UInt8) {
        switch byte {
        case 0x22, 0x5C: bytes += [0x5C, byte]
        case 0x0A: bytes += "\\n".utf8
        case 0x0D: bytes += "\\r".utf8
        case 0x09: bytes += "\\t".utf8
        default: bytes += ((byte < 0x10 ? "\\u000" : "\\u00") + String(byte, radix: 16)).utf8
        }
    }
}
