import GitHashing
import GitObjects
import Testing

@Suite struct TreeTests {
    static let blob = ObjectID.emptyBlobSHA1

    static func entry(_ name: String, _ mode: FileMode = .regular, _ id: ObjectID = blob) -> TreeEntry {
        TreeEntry(mode: mode, id: id, name: Array(name.utf8))
    }

    @Test func roundTripInGitOrder() throws {
        let entries = [
            Self.entry("a", .directory, .emptyTreeSHA1), Self.entry("a.b"), Self.entry("a-b", .executable),
            Self.entry("a0", .symlink), Self.entry("Z", .submodule),
            TreeEntry(mode: .regular, id: Self.blob, name: [0xff, 0x20]),
        ]
        let parsed = try TreeParser.entries(of: TreeWriter.payload(of: entries.shuffled()))
        // "a/" sorts after "a-" and "a." but before "a0".
        #expect(parsed.map { String(decoding: $0.name, as: UTF8.self) } == ["Z", "a-b", "a.b", "a", "a0", "\u{fffd} "])
        #expect(Set(parsed) == Set(entries))
    }

    @Test func sha256Width() throws {
        let id = ObjectID.hash(blob: Array("x".utf8), kind: .sha256)
        let payload = TreeWriter.payload(of: [Self.entry("f", .regular, id), Self.entry("g", .regular, id)])
        #expect(try TreeParser.entries(of: payload, kind: .sha256).map(\.id) == [id, id])
        #expect(throws: GitObjectError.self) { try TreeParser.entries(of: payload, kind: .sha1) }
    }

    @Test func emptyTree() throws {
        #expect(try TreeParser.entries(of: []).isEmpty)
        #expect(TreeWriter.payload(of: []).isEmpty)
    }

    @Test func everyTruncationIsAnErrorOrFewerEntries() throws {
        let entries = [Self.entry("abc"), Self.entry("d", .directory, .emptyTreeSHA1)]
        let payload = TreeWriter.payload(of: entries)
        let boundary = TreeWriter.payload(of: [entries[0]]).count
        for length in 1..<payload.count where length != boundary {
            #expect(throws: GitObjectError.self) { try TreeParser.entries(of: Array(payload.prefix(length))) }
        }
        #expect(try TreeParser.entries(of: Array(payload.prefix(boundary))) == [entries[0]])
    }

    @Test(arguments: [
        ("100644", GitObjectError.Reason.modeUnterminated), ("1006449999999 a", .modeUnterminated), (" a", .mode),
        ("100648 a", .mode), ("777 a", .mode), ("100644 ", .nameUnterminated), ("100644 abc", .nameUnterminated),
        ("100644 \0", .nameEmpty), ("100644 a\0short", .idTruncated),
    ])
    func malformed(text: String, reason: GitObjectError.Reason) {
        let error = #expect(throws: GitObjectError.self) { try TreeParser.entries(of: Array(text.utf8)) }
        #expect(error?.reason == reason)
    }

    @Test func errorNamesTheOffset() {
        let good = TreeWriter.payload(of: [Self.entry("a")])
        let error = #expect(throws: GitObjectError.self) { try TreeParser.entries(of: good + Array("9 ".utf8)) }
        #expect(error == GitObjectError(.mode, at: good.count))
    }

    @Test func entryLimit() throws {
        let payload = TreeWriter.payload(of: (0..<10).map { Self.entry("f\($0)") })
        #expect(try TreeParser.entries(of: payload, limit: 10).count == 10)
        let error = #expect(throws: GitObjectError.self) { try TreeParser.entries(of: payload, limit: 9) }
        #expect(error?.reason == .tooManyEntries)
    }

    @Test(arguments: [
        ("", EntryName.Problem.empty), (".", .dot), ("..", .dotDot), ("a/b", .slash), ("/", .slash), ("a\0", .nul),
        (String(repeating: "x", count: 256), .tooLong),
    ])
    func unfitNames(name: String, problem: EntryName.Problem) {
        #expect(EntryName.check(Array(name.utf8)) == problem)
    }

    @Test(arguments: ["a", "...", ".git", "a\nb", " ", String(repeating: "x", count: 255)])
    func fitNames(name: String) {
        #expect(EntryName.check(Array(name.utf8)) == nil)
    }

    @Test func duplicates() {
        #expect(EntryName.firstDuplicate(in: []) == nil)
        #expect(EntryName.firstDuplicate(in: [Self.entry("a"), Self.entry("b")]) == nil)
        // In Git's order "a" (directory) comes after "a.b", so the bytes do not ascend although nothing is double.
        #expect(EntryName.firstDuplicate(in: [Self.entry("a.b"), Self.entry("a", .directory)]) == nil)
        let hidden = [Self.entry("a"), Self.entry("a.b"), Self.entry("a", .directory), Self.entry("b")]
        #expect(EntryName.firstDuplicate(in: hidden) == 2)
        #expect(EntryName.firstDuplicate(in: [Self.entry("a"), Self.entry("a")]) == 1)
    }

    @Test("A tree that comes in pieces has the entries it has as a whole", arguments: [1, 2, 19, 30, 64])
    func pieces(_ step: Int) throws {
        let payload = TreeWriter.payload(of: [
            TreeEntry(mode: .regular, id: .emptyBlobSHA1, name: Array("a name".utf8)),
            TreeEntry(mode: .directory, id: .emptyTreeSHA1, name: Array("b".utf8)),
            TreeEntry(mode: .executable, id: .emptyBlobSHA1, name: [UInt8](repeating: 0x63, count: 200)),
        ])
        var found: [TreeEntry] = []
        var pending: [UInt8] = []
        for start in stride(from: 0, to: payload.count, by: step) {
            pending += payload[start..<min(start + step, payload.count)]
            let used = try pending.withUnsafeBytes { piece in
                try TreeParser.forEachWhole(in: piece) { mode, id, name in
                    found.append(TreeEntry(mode: mode, id: id, name: Array(name)))
                }
            }
            pending.removeFirst(used)
        }
        #expect(pending.isEmpty)
        #expect(try found == TreeParser.entries(of: payload))
    }

    @Test("A piece that no entry can begin with is malformed, however it goes on")
    func malformedPieces() {
        func used(_ bytes: [UInt8]) throws -> Int {
            try bytes.withUnsafeBytes { try TreeParser.forEachWhole(in: $0) { _, _, _ in } }
        }
        #expect(throws: GitObjectError.self) { try used(Array("100644100644".utf8)) }
        #expect(throws: GitObjectError.self) { try used(Array("100644 ".utf8) + [UInt8](repeating: 0x61, count: 5000)) }
        #expect(throws: GitObjectError.self) { try used(Array("7 a\0".utf8)) }
    }
}
