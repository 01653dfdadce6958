/// One `--output SRC[:DEST]` of `antares run`.
///
/// SRC is relative to the mount. DEST is relative to the directory where `antares` was called; without it, the same relative path there. A
/// DEST that ends with `/` is a directory into which SRC is put under its own name. The last colon separates the two.
struct OutputSpec: Hashable {
    let source: String
    let destination: String

    /// Throws a message for what cannot be meant.
    init(_ text: String) throws(CLIError) {
        let colon = text.lastIndex(of: ":")
        let source = Self.clean(colon.map { text[..<$0] } ?? text[...])
        let parts = source.split(separator: "/", omittingEmptySubsequences: true)
        if source.isEmpty || source.hasPrefix("/") || parts.contains("..") {
            throw CLIError(.usage, "--output \(text): SRC must be a path inside the mount, like `build/app`")
        }
        self.source = source
        guard let colon else {
            destination = source
            return
        }
        let given = text[text.index(after: colon)...]
        if given.isEmpty { throw CLIError(.usage, "--output \(text): DEST is missing after the colon") }
        if given.hasSuffix("/") {
            destination = given + (parts.last.map(String.init) ?? "")
        } else {
            destination = String(given)
        }
    }

    /// Without `./` in front and slashes at the end; `.` is the whole mount.
    private static func clean(_ text: Substring) -> String {
        var text = text
        while text.hasPrefix("./") { text = text.dropFirst(2) }
        while text.count > 1, text.hasSuffix("/") { text = text.dropLast() }
        return String(text)
    }

    /// The directory that `destination` is in, and its name there.
    func target(in directory: String) -> (parent: String, name: String) {
        let path = destination.hasPrefix("/") ? destination : directory + "/" + destination
        var parts = path.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        let name = parts.popLast() ?? "."
        return ("/" + parts.joined(separator: "/"), name)
    }
}
