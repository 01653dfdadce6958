import GitObjects
import Testing

@Suite struct CommitTests {
    static let tree = ObjectID.emptyTreeSHA1
    static let person = "Ann Author <ann@example.org> 1700000000 +0100"

    @Test func everythingThatIsNeeded() throws {
        let text = """
            tree \(Self.tree)
            parent \(ObjectID.emptyBlobSHA1)
            parent \(Self.tree)
            author \(Self.person)
            committer Carl <x> Committer <c@example.org> 1700000100 -0800
            gpgsig -----BEGIN PGP SIGNATURE-----
             tree 0000000000000000000000000000000000000000
             -----END PGP SIGNATURE-----
            encoding ISO-8859-1

            Subject line

            Body
            """
        let commit = try Commit(payload: Array(text.utf8))
        #expect(commit.tree == Self.tree)
        #expect(commit.parents == [.emptyBlobSHA1, Self.tree])
        #expect(commit.author == "Ann Author")
        #expect(commit.committer == "Carl")
        #expect(commit.time == 1_700_000_100)
        #expect(commit.summary == "Subject line")
    }

    @Test func oddMessages() throws {
        func summary(_ rest: String) throws -> String {
            try Commit(payload: Array("tree \(Self.tree)\nauthor \(Self.person)\ncommitter \(Self.person)\(rest)".utf8))
                .summary
        }
        #expect(try summary("") == "")
        #expect(try summary("\n") == "")
        #expect(try summary("\n\n") == "")
        #expect(try summary("\n\nno newline") == "no newline")
        #expect(try summary("\n\n\n\nlate\nrest") == "late")
        #expect(try summary("\n\ntree of life\n") == "tree of life")
    }

    @Test func oddPeople() throws {
        func commit(_ committer: String) throws -> Commit {
            try Commit(payload: Array("tree \(Self.tree)\ncommitter \(committer)\n\n".utf8))
        }
        #expect(try commit("<> 5 +0000").committer == "")
        #expect(try commit("<> 5 +0000").time == 5)
        #expect(try commit("Nobody").committer == "Nobody")
        #expect(try commit("Nobody").time == 0)
        #expect(try commit("Before <b@x> -7 +0000").time == -7)
        #expect(try commit("Never <n@x> 99999999999999999999 +0000").time == 0)
    }

    @Test func whatIsNoCommit() {
        let wide = String(repeating: "ab", count: 32)
        for text in [
            "", "\n", "tree", "tree \(Self.tree)\n", "committer \(Self.person)\n",
            "tree xyz\ncommitter \(Self.person)\n",
            "tree \(wide)\ncommitter \(Self.person)\n", "tree \(Self.tree)\nparent x\ncommitter \(Self.person)\n",
            "\ntree \(Self.tree)\ncommitter \(Self.person)\n",
        ] {
            #expect(throws: GitObjectError.self) { try Commit(payload: Array(text.utf8)) }
        }
    }
}
