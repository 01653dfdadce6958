public import GitObjects

/// How the file of an object is called: `ab/cdef…`, the digits of its id with a slash after the first two.
///
/// The id of a Git LFS file is of another space than Git's, and its contents are checked in another way, so its name says that it is one.
public enum ObjectFileName {
    private static let lfsSuffix = "-lfs"

    /// The name below the directory of the objects.
    public static func path(of id: ObjectID) -> String {
        var text = id.hex + suffix(of: id.kind)
        text.insert("/", at: text.index(text.startIndex, offsetBy: 2))
        return text
    }

    /// What follows the digits.
    public static func suffix(of kind: ObjectID.Kind) -> String {
        kind == .lfs ? lfsSuffix : ""
    }

    /// The object whose file is called so in the directory of the ids that begin with `part`. Nil for what is no object's name; digits are in
    /// lower case only, because an object has one name.
    public static func object(_ part: UInt8, _ name: some Collection<UInt8>) -> ObjectID? {
        var digits = Array(name)
        var isLFS = false
        if digits.count == 62 + lfsSuffix.utf8.count, digits.suffix(lfsSuffix.utf8.count).elementsEqual(lfsSuffix.utf8)
        {
            isLFS = true
            digits.removeLast(lfsSuffix.utf8.count)
        }
        guard digits.count == 38 || digits.count == 62 else { return nil }
        var bytes = [part]
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = byte(digits[place], digits[place + 1]) else { return nil }
            bytes.append(byte)
        }
        return ObjectID(kind: isLFS ? .lfs : digits.count == 38 ? .sha1 : .sha256, bytes: bytes)
    }

    /// The byte of two digits; nil if they are not.
    public static func byte(_ high: UInt8, _ low: UInt8) -> UInt8? {
        guard let high = digit(high), let low = digit(low) else { return nil }
        return high << 4 | low
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x61...0x66: character - 0x61 + 10
        default: nil
        }
    }
}
