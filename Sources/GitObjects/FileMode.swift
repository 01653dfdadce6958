/// What a tree entry is. The raw values are the modes Git stores (git's `tree-walk.c`, `canon_mode`).
public enum FileMode: UInt32, Sendable, BitwiseCopyable, CaseIterable {
    case regular = 0o100644
    case executable = 0o100755
    case symlink = 0o120000
    case submodule = 0o160000
    case directory = 0o040000

    /// Reduces any mode a Git tree may hold to one of the five: a file is executable when its owner may execute it.
    /// Nil for a file type that Git has not.
    public init?(normalising mode: UInt32) {
        switch mode & 0o170000 {
        case 0o100000: self = mode & 0o100 != 0 ? .executable : .regular
        case 0o120000: self = .symlink
        case 0o160000: self = .submodule
        case 0o040000: self = .directory
        default: return nil
        }
    }

    /// Reads the octal text of a tree entry, such as `100664` or `40000`; leading zeros are allowed as Git allows them.
    public init?(octal text: some Collection<UInt8>) {
        // Six digits hold every mode; one more is room for the leading zero some old tools wrote.
        guard (1...7).contains(text.count) else { return nil }
        var mode: UInt32 = 0
        for character in text {
            guard (0x30...0x37).contains(character) else { return nil }
            mode = mode << 3 | UInt32(character - 0x30)
        }
        self.init(normalising: mode)
    }

    /// As Git writes it in a tree: no leading zero.
    public var octal: String { String(self.rawValue, radix: 8) }

    public var isFile: Bool { self == .regular || self == .executable }

    /// True for what has a blob: files and symbolic links.
    public var hasBlob: Bool { self == .regular || self == .executable || self == .symlink }
}
