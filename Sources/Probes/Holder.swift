/// One reason why a mount is in use: a process and what it has of the mount.
public struct Holder: Hashable, Sendable {
    /// What holds the mount.
    public enum Use: Hashable, Sendable {
        case workingDirectory
        case root
        case executable
        case descriptor(Int32)
        /// A file that is mapped into memory.
        case mapping
        /// A mount namespace that keeps a copy of the mount of its own; the process is one that lives in it.
        case namespace
        /// The mount is attached at another place, too (`mount --bind`). No process.
        case bindMount
        /// Something is mounted inside the mount. No process.
        case submount

        /// The stable word for logs and the API.
        public var name: String {
            switch self {
            case .workingDirectory: "cwd"
            case .root: "root"
            case .executable: "exe"
            case .descriptor(let number): "fd \(number)"
            case .mapping: "map"
            case .namespace: "namespace"
            case .bindMount: "bind mount"
            case .submount: "submount"
            }
        }

        public init?(name: some StringProtocol) {
            switch name {
            case "cwd": self = .workingDirectory
            case "root": self = .root
            case "exe": self = .executable
            case "map": self = .mapping
            case "namespace": self = .namespace
            case "bind mount": self = .bindMount
            case "submount": self = .submount
            default:
                guard name.hasPrefix("fd "), let number = Int32(name.dropFirst(3)) else { return nil }
                self = .descriptor(number)
            }
        }
    }

    /// 0 for uses that are of no process.
    public let pid: Int32
    /// Clock ticks after boot: with the pid it names the process for as long as the machine runs.
    public let startTime: UInt64
    public let uid: UInt32
    /// The kernel's name of the process, at most 15 bytes.
    public let command: String
    public let use: Use
    /// Inside the mount, beginning with a slash; for mounts the place they are mounted at.
    public let path: String

    public init(pid: Int32, startTime: UInt64, uid: UInt32, command: String, use: Use, path: String) {
        self.pid = pid
        self.startTime = startTime
        self.uid = uid
        self.command = command
        self.use = use
        self.path = path
    }
}

/// One line for each holder: fields with a tab between, in which control characters and `%` are percent-encoded.
enum HolderLine {
    /// The line that says that nothing was left out.
    static let end = "end"

    static func encode(_ holder: Holder, target: Int) -> String {
        [
            "\(target)", "\(holder.pid)", "\(holder.startTime)", "\(holder.uid)", holder.use.name,
            escape(holder.command),
            escape(holder.path),
        ].joined(separator: "\t")
    }

    static func decode(_ line: some StringProtocol) -> (target: Int, holder: Holder)? {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard fields.count == 7, let target = Int(fields[0]), let pid = Int32(fields[1]),
            let start = UInt64(fields[2]), let uid = UInt32(fields[3]), let use = Holder.Use(name: fields[4])
        else { return nil }
        let holder = Holder(
            pid: pid, startTime: start, uid: uid, command: unescape(fields[5]), use: use, path: unescape(fields[6]))
        return (target, holder)
    }

    private static func escape(_ text: String) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            if byte < 0x20 || byte == 0x7F || byte == 0x25 {
                let digits = Array("0123456789ABCDEF".utf8)
                result += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func unescape(_ text: some StringProtocol) -> String {
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == 0x25, rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                result.append(value)
                rest = rest.dropFirst(2)
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
