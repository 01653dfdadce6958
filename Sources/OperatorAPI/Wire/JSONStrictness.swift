import FoundationEssentials

/// What Foundation's decoder lets pass and two readers of one text may understand differently: a name that an object has twice, a comma with nothing
/// behind it, text in another encoding than UTF-8 (RFC 8259 §4, §5, §8.1). All else that is no JSON the decoder refuses.
struct JSONStrictness {
    /// Objects and arrays inside of each other.
    static let maximumDepth = 32

    /// What is open: the names that an object has so far; nil for an array.
    private var open: [Set<String>?] = []
    /// The byte before, without blanks; a string counts as its quote.
    private var previous: UInt8 = 0

    private init() {}

    /// What is wrong with a text; nil if it is none of this.
    static func problem(of text: some Collection<UInt8>) -> String? {
        let bytes = Array(text)
        // No JSON in UTF-8 has a zero, and every other encoding of one does.
        if bytes.contains(0) { return "the body is not JSON in UTF-8" }
        var strictness = JSONStrictness()
        var place = 0
        while place < bytes.count {
            let end = bytes[place] == UInt8(ascii: "\"") ? endOfString(bytes, from: place) : place + 1
            if let problem = strictness.take(bytes[place..<end]) { return problem }
            place = end
        }
        return nil
    }

    /// A string with its quotes, or one other byte.
    private mutating func take(_ token: ArraySlice<UInt8>) -> String? {
        guard let byte = token.first else { return nil }
        switch byte {
        case 0x20, 0x09, 0x0A, 0x0D:
            return nil
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            if open.count == Self.maximumDepth {
                return "the body has more than \(Self.maximumDepth) objects and arrays inside of each other"
            }
            open.append(byte == UInt8(ascii: "{") ? [] : nil)
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            if previous == UInt8(ascii: ",") { return "the body has a comma before `\(Unicode.Scalar(byte))`" }
            _ = open.popLast()
        case UInt8(ascii: "\"") where previous == UInt8(ascii: "{") || previous == UInt8(ascii: ","):
            if let problem = takeName(token) { return problem }
        default:
            break
        }
        previous = byte
        return nil
    }

    /// In an array it is no name.
    private mutating func takeName(_ token: ArraySlice<UInt8>) -> String? {
        guard let last = open.indices.last, open[last] != nil else { return nil }
        guard let name = Self.name(token) else { return nil }
        return open[last]?.insert(name).inserted == false ? "field `\(name)` is there twice" : nil
    }

    /// The same name can be written in several ways, seldom in another than plainly. Nil for one that is no string, which the decoder refuses.
    private static func name(_ token: ArraySlice<UInt8>) -> String? {
        guard token.contains(UInt8(ascii: "\\")) else {
            return String(decoding: token.dropFirst().dropLast(), as: UTF8.self)
        }
        return try? JSONDecoder().decode(String.self, from: Data(token))
    }

    /// The place behind the string that begins there, or the text's end.
    private static func endOfString(_ bytes: [UInt8], from start: Int) -> Int {
        var place = start + 1
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
            place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(place + 1, bytes.count)
    }
}
