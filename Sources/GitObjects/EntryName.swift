/// Whether a name from a tree may be shown in a file system. A hostile or broken tree can hold any bytes.
public enum EntryName {
    /// NAME_MAX of linux/limits.h: the longest name a directory entry can have, in bytes.
    public static let maximumLength = 255

    public enum Problem: String, Sendable, CaseIterable {
        case empty
        case dot
        case dotDot = "dot-dot"
        case slash
        case nul
        case tooLong = "too-long"
        case duplicate
    }

    /// Nil when the name alone is fit; a duplicate is found by `firstDuplicate`.
    public static func check(_ name: UnsafeRawBufferPointer) -> Problem? {
        switch name.count {
        case 0: return .empty
        case 1 where name[0] == 0x2e: return .dot
        case 2 where name[0] == 0x2e && name[1] == 0x2e: return .dotDot
        case (maximumLength + 1)...: return .tooLong
        default: break
        }
        for byte in name {
            if byte == 0x2f { return .slash }
            if byte == 0 { return .nul }
        }
        return nil
    }

    public static func check(_ name: [UInt8]) -> Problem? {
        name.withUnsafeBytes { check($0) }
    }

    /// The index of the first entry that has the name of an earlier one.
    ///
    /// Git's order does not put equal names side by side: a file `a` and a directory `a` may have `a.b` between them.
    public static func firstDuplicate(in entries: [TreeEntry]) -> Int? {
        var ascending = true
        for index in entries.indices.dropFirst()
        where !entries[index - 1].name.lexicographicallyPrecedes(entries[index].name) {
            ascending = false
            break
        }
        if ascending { return nil }
        var seen = Set<[UInt8]>(minimumCapacity: entries.count)
        return entries.firstIndex { !seen.insert($0.name).inserted }
    }
}
