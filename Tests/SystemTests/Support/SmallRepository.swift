extension Repository {
    /// A few entries, enough to build something.
    static func small(in directory: String) throws -> Repository {
        try Repository(in: directory, smallEntries)
    }

    /// The name by which a mount's worker is asked for `src/deep/down/leaf`: in a sealed mount its object's.
    static func nameOfLeaf(_ form: Form) -> String {
        form == .lazy ? "leaf" : "07dce52fe09ba0b92ec208189aec36bd24df49"
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
