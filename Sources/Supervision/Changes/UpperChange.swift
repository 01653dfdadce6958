/// One difference between what a mount shows and its snapshot.
///
/// At a path there is one change at most. Directories count as in Git, for what is in them, but a new one that is empty is told; a change of
/// permissions other than the owner's right to execute a file is none.
public struct UpperChange: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case added
        /// Other contents, another mode, or something of another type in its place.
        case modified
        /// For a directory all that the snapshot has in it, except what is told as renamed to another place.
        case deleted
        /// What the snapshot has at this path is here now, in the place of whatever the snapshot has here. A directory came here as a whole: what
        /// differs in it is told besides. A file is the same to the last byte.
        case renamed(from: [UInt8])
    }

    public enum EntryType: String, Hashable, Sendable, CaseIterable {
        case file
        case executable
        case symlink
        case directory
        /// A device, a pipe or a socket.
        case other
    }

    /// In the mount, without a leading slash. Any bytes but NUL.
    public var path: [UInt8]
    public var kind: Kind
    /// What is there; of what was deleted, what was there.
    public var type: EntryType

    public init(path: [UInt8], kind: Kind, type: EntryType) {
        self.path = path
        self.kind = kind
        self.type = type
    }
}

/// For messages: `A path`, `R from -> to`; what is no printable text is replaced.
extension UpperChange: CustomStringConvertible {
    public var description: String {
        switch kind {
        case .added: "A \(Self.text(path))"
        case .modified: "M \(Self.text(path))"
        case .deleted: "D \(Self.text(path))"
        case .renamed(let from): "R \(Self.text(from)) -> \(Self.text(path))"
        }
    }

    static func text(_ path: [UInt8]) -> String {
        String(
            String.UnicodeScalarView(
                String(decoding: path, as: UTF8.self).unicodeScalars.map {
                    $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : $0
                }))
    }
}
