import GitHashing
import GitObjects

/// The id of a directory at an origin that lists by commit and path: SHA-256 of `antares-path`, NUL, the commit in hexadecimal,
/// NUL and the absolute path.
enum PathKey {
    static func of(commit: ObjectID, path: [UInt8]) -> ObjectID {
        let text = Array("antares-path\0\(commit.hex)\0".utf8) + path
        guard let id = ObjectID(kind: .path, bytes: SHA256.digest(text)) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return id
    }

    /// The path of an entry of the directory at `parent`.
    static func child(of parent: [UInt8], _ name: [UInt8]) -> [UInt8] {
        parent == [0x2F] ? parent + name : parent + [0x2F] + name
    }

    /// The components of a path as a user writes it: leading, trailing and doubled slashes do not count.
    static func components(_ path: [UInt8]) -> [[UInt8]] {
        path.split(separator: 0x2F).map(Array.init)
    }
}

/// Percent-encoding of RFC 3986, section 2.1.
enum PercentEncoding {
    /// Everything but unreserved characters, and slashes if `keepingSlashes`, becomes `%XX`.
    static func encode(_ bytes: some Sequence<UInt8>, keepingSlashes: Bool) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E:
                text.append(byte)
            case 0x2F where keepingSlashes:
                text.append(byte)
            default:
                text += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` stands for; nil if a percent sign has no two hexadecimal digits behind it.
    static func decode(_ text: String) -> [UInt8]? {
        let text = Array(text.utf8)
        guard text.contains(0x25) else { return text }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            if text[index] != 0x25 {
                bytes.append(text[index])
                index += 1
                continue
            }
            let digits = text[(index + 1)...].prefix(2)
            guard digits.count == 2, digits.first != 0x2B,
                let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(byte)
            index += 3
        }
        return bytes
    }
}
