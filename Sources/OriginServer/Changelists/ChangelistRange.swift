/// A changelist as it is configured: `NAME=BASE..TIP`. Both are looked up when the changelist is asked for.
public struct ChangelistRange: Hashable, Sendable {
    public let name: String
    /// Nil for a change that begins with nothing.
    let base: RevisionName?
    let tip: RevisionName

    /// Nil unless name, base and tip are names as git-check-ref-format(1) allows them; the base may be left out.
    public init?(text: String) {
        guard let equals = text.firstIndex(of: "="), let name = RevisionName(String(text[..<equals])) else {
            return nil
        }
        let range = text[text.index(after: equals)...]
        // A revision's name has no two dots.
        guard let dots = range.firstRange(of: "..") else { return nil }
        let base = String(range[..<dots.lowerBound])
        guard let tip = RevisionName(String(range[dots.upperBound...])) else { return nil }
        self.name = name.text
        self.base = RevisionName(base)
        self.tip = tip
        guard base.isEmpty || self.base != nil else { return nil }
    }
}
