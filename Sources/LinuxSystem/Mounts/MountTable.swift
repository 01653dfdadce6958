/// The mounts of the caller's namespace, from /proc/self/mountinfo (proc(5)). Reading it touches none of them.
public enum MountTable {
    public struct Entry: Hashable, Sendable {
        public let mountID: Int
        public let parentID: Int
        public let device: String
        public let root: String
        public let mountPoint: String
        public let options: String
        /// Shared, slave and the like, as written there.
        public let propagation: [String]
        public let type: String
        public let source: String
        public let superOptions: String
    }

    public static func current() throws(SystemError) -> [Entry] {
        try read("/proc/self/mountinfo")
    }

    /// The mounts of the namespace that the process is in, as its mountinfo has them.
    public static func of(pid: Int32) throws(SystemError) -> [Entry] {
        try read("/proc/\(pid)/mountinfo")
    }

    private static func read(_ path: String) throws(SystemError) -> [Entry] {
        let text = try File.text(path, limit: 1 << 26)
        return text.split(separator: "\n").compactMap { parse($0) }
    }

    static func parse(_ line: Substring) -> Entry? {
        // Empty fields count: a filesystem may have an empty source.
        let fields = line.split(separator: " ", omittingEmptySubsequences: false)
        guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count >= dash + 3,
            let mountID = Int(fields[0]), let parentID = Int(fields[1])
        else { return nil }
        return Entry(
            mountID: mountID, parentID: parentID, device: String(fields[2]), root: unescape(fields[3]),
            mountPoint: unescape(fields[4]), options: String(fields[5]),
            propagation: fields[6..<dash].map(String.init), type: String(fields[dash + 1]),
            source: unescape(fields[dash + 2]), superOptions: fields.count > dash + 3 ? String(fields[dash + 3]) : "")
    }

    /// Space, tab, newline and backslash are written as three octal digits.
    public static func unescape(_ field: Substring) -> String {
        guard field.contains("\\") else { return String(field) }
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == 0x5C, digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) {
                bytes.append(digits.reduce(0) { $0 &* 8 &+ ($1 - 0x30) })
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
