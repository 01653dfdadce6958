import GitHashing
import GitObjects

/// How directories are shown to Mega clients.
struct Listing: Sendable {
    let strict: Bool

    /// The oid shown for an entry. In strict mode the id of a directory is as opaque as a published server's may be: stable,
    /// but not the hash of what `file/tree` returns.
    func oid(_ entry: TreeEntry) -> ObjectID {
        entry.mode == .directory ? self.treeOID(entry.id) : entry.id
    }

    func treeOID(_ id: ObjectID) -> ObjectID {
        guard self.strict else { return id }
        return ObjectID(kind: .sha1, bytes: SHA1.digest(Array("antares-origin strict tree ".utf8) + id.bytes)) ?? id
    }

    func isDirectory(_ entry: TreeEntry) -> Bool { entry.mode == .directory }

    /// Directories first, then by bytes of the name.
    func sorted(_ entries: [TreeEntry]) -> [TreeEntry] {
        entries.sorted { left, right in
            self.isDirectory(left) == self.isDirectory(right)
                ? left.name.lexicographicallyPrecedes(right.name) : self.isDirectory(left)
        }
    }

    /// `{"name":…,"content_type":…,"oid":…}`.
    func write(_ entry: TreeEntry, to json: inout JSONText) {
        json.object([
            ("name", { $0.string(entry.name) }),
            ("content_type", { $0.string(self.contentType(entry)) }),
            ("oid", { $0.string(self.oid(entry).hex) }),
        ])
    }

    func contentType(_ entry: TreeEntry) -> String { self.isDirectory(entry) ? "directory" : "file" }

    /// The tree as `file/tree` gives it. The published server writes it anew from parsed entries, with normal modes.
    func treeBytes(_ payload: [UInt8]) throws(GitObjectError) -> [UInt8] {
        guard self.strict else { return payload }
        var entries = try TreeParser.entries(of: payload)
        for index in entries.indices { entries[index].id = self.oid(entries[index]) }
        return TreeWriter.payload(of: entries)
    }
}
