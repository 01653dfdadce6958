/// What is needed of a commit: its tree, where it comes from, and what a log line shows.
///
/// Names and message are decoded as UTF-8 with replacement: Git promises no encoding.
public struct Commit: Hashable, Sendable {
    public var tree: ObjectID
    public var parents: [ObjectID]
    public var author: String
    public var committer: String
    /// When it was committed, in seconds since 1970.
    public var time: Int64
    /// The first line of the message.
    public var summary: String

    /// Reads the payload of a commit (`git cat-file commit`, git-commit-tree(1)).
    /// - Throws: `GitObjectError` when the headers are not a commit's.
    public init(payload: [UInt8], kind: ObjectID.Kind = .sha1) throws(GitObjectError) {
        var tree: ObjectID?
        var parents: [ObjectID] = []
        var author: Signature?
        var committer: Signature?
        var offset = 0
        while offset < payload.count, payload[offset] != 0x0a {
            let end = payload[offset...].firstIndex(of: 0x0a) ?? payload.endIndex
            let line = payload[offset..<end]
            if let id = Self.value(of: "tree", in: line), tree == nil {
                tree = ObjectID(hex: id)
            } else if let id = Self.value(of: "parent", in: line) {
                guard let parent = ObjectID(hex: id) else { throw GitObjectError(.header, at: offset) }
                parents.append(parent)
            } else if let text = Self.value(of: "author", in: line) {
                author = author ?? Signature(text)
            } else if let text = Self.value(of: "committer", in: line) {
                committer = committer ?? Signature(text)
            }
            offset = end + 1
        }
        guard let tree, tree.kind == kind, let committer else { throw GitObjectError(.header, at: 0) }
        self.tree = tree
        self.parents = parents
        self.author = author?.name ?? ""
        self.committer = committer.name
        self.time = committer.time
        let message = payload.dropFirst(offset + 1).drop { $0 == 0x0a }
        self.summary = String(decoding: message.prefix { $0 != 0x0a }, as: UTF8.self)
    }

    private static func value(of key: StaticString, in line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let length = key.utf8CodeUnitCount
        guard line.count > length, line[line.startIndex + length] == 0x20 else { return nil }
        let same = key.withUTF8Buffer { line.prefix(length).elementsEqual($0) }
        return same ? line.dropFirst(length + 1) : nil
    }
}

/// `Name <address> seconds zone`.
private struct Signature {
    let name: String
    let time: Int64

    init(_ text: ArraySlice<UInt8>) {
        let opening = text.firstIndex(of: 0x3c) ?? text.endIndex
        var name = text[..<opening]
        while name.last == 0x20 { name.removeLast() }
        self.name = String(decoding: name, as: UTF8.self)
        let closing = text.lastIndex(of: 0x3e) ?? text.endIndex
        let digits = text[closing...].dropFirst().drop { $0 == 0x20 }.prefix { $0 != 0x20 }
        self.time = Int64(String(decoding: digits, as: UTF8.self)) ?? 0
    }
}
