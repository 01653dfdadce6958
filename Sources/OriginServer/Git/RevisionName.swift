import GitObjects

/// A name for a commit that is safe to give to `cat-file`: a full id, `HEAD`, or the name of a tag or branch, short or from
/// `refs/`.
///
/// Git's revision language is much larger (gitrevisions(7)); what searches history or reflogs or names paths is refused.
struct RevisionName: Hashable, Sendable {
    let text: String

    /// Nil unless it is a name as git-check-ref-format(1) allows it, or an id.
    init?(_ text: String) {
        guard (1...255).contains(text.utf8.count), !text.hasPrefix("-"), !text.hasPrefix("/"), text != "@" else {
            return nil
        }
        // Git's own rules: no control characters, white space or characters of the revision language, no component that is
        // empty, begins with a dot or ends in `.lock`, and no `..` or `@{`.
        let forbidden = Set("~^:?*[\\ \u{7f}".utf8)
        guard text.utf8.allSatisfy({ $0 > 0x20 && !forbidden.contains($0) }) else { return nil }
        guard !text.contains(".."), !text.contains("@{"), !text.hasSuffix(".") else { return nil }
        for component in text.split(separator: "/", omittingEmptySubsequences: false) {
            guard !component.isEmpty, !component.hasPrefix("."), !component.hasSuffix(".lock") else { return nil }
        }
        self.text = text
    }

    var id: ObjectID? {
        let id = ObjectID(hex: self.text)
        return id?.kind == .sha1 ? id : nil
    }
}
