/// Makes tree payloads as Git does.
public enum TreeWriter {
    /// The payload of a tree of these entries, put in Git's order whatever order they come in.
    public static func payload(of entries: [TreeEntry]) -> [UInt8] {
        var payload: [UInt8] = []
        for entry in entries.sorted(by: precedes) {
            payload += entry.mode.octal.utf8
            payload.append(0x20)
            payload += entry.name
            payload.append(0)
            entry.id.withBytes { payload.append(contentsOf: $0) }
        }
        return payload
    }

    /// Git's order: by bytes of the name, a directory as if its name ended in a slash (git's `base_name_compare`).
    public static func precedes(_ left: TreeEntry, _ right: TreeEntry) -> Bool {
        for (first, second) in zip(left.name, right.name) where first != second {
            return first < second
        }
        let common = min(left.name.count, right.name.count)
        return Self.byte(of: left, at: common) < Self.byte(of: right, at: common)
    }

    private static func byte(of entry: TreeEntry, at index: Int) -> UInt8 {
        if index < entry.name.count { return entry.name[index] }
        return entry.mode == .directory && index == entry.name.count ? 0x2f : 0
    }
}
