extension Repository {
    /// A few entries, enough to build something.
    static func small(in directory: String) throws -> Repository {
        try Repository(in: directory, smallEntries)
    }

    static let smallEntries: [(String, Content)] =
        [
            ("README.md", .file("# A repository for tests\n")),
            ("bin/hello", .program("#!/bin/sh\necho hello from $(cat \"${0%/*}/../src/name\")\n")),
            ("src/name", .file("the tree\n")),
            ("src/deep/down/leaf", .file("leaf\n")),
            ("lib/one", .file("1\n")), ("lib/two", .file("2\n")),
            ("link", .link("src/name")), ("dangling", .link("nowhere")),
            ("module", .submodule), ("empty", .file("")),
        ] + (0..<200).map { ("many/file\($0)", .file(String(repeating: "line \($0)\n", count: 50))) }
}
