import ArgumentParser
import Glibc
import LinuxSystem
import Supervision
import Testing

@testable import OperatorCLI

/// `antares diff`: what it prints and what it packs.
@Suite(.timeLimit(.minutes(2))) struct DiffTests {
    typealias Change = DifferenceReport.Change

    @Test(arguments: [
        ("a/b", "a/b"), ("with blank", "with blank"), ("\u{e4}\u{1f600}", "\u{e4}\u{1f600}"), (" a", #"" a""#),
        ("a ", #""a ""#),
        ("a -> b", #""a -> b""#), ("a->b", "a->b"), ("n\nD b", #""n\nD b""#), ("t\tr\r", #""t\tr\r""#),
        ("\u{1b}[31m", #""\033[31m""#),
        ("\"q\"", #""\"q\"""#), (#"b\n"#, #""b\\n""#), ("", #""""#), ("a\u{202e}b", #""a\342\200\256b""#),
        ("a\u{a0}", "a\u{a0}"), ("x\u{7f}", #""x\177""#), ("\u{2028}", #""\342\200\250""#),
    ])
    func aNameCannotFakeALine(path: String, shown: String) {
        #expect(QuotedPath.text(Array(path.utf8)) == shown)
    }

    @Test func namesThatAreNoText() {
        #expect(QuotedPath.text([0x61, 0xFF, 0xC3, 0xA4, 0xC3]) == "\"a\\377\u{e4}\\303\"")
        let change = Change(path: Array("n\n".utf8), kind: .renamed, type: "file", from: Array("a -> b".utf8))
        #expect(Presentation.change(change) == #"R "a -> b" -> "n\n""#)
    }

    // MARK: The command

    @Test func theCommandPrintsWhatThereIs() async throws {
        try await FakeSupervisor.with { fake in
            fake.show([
                UpperChange(path: Array("a".utf8), kind: .added, type: .file),
                UpperChange(path: Array("b\nD c".utf8), kind: .deleted, type: .directory),
                UpperChange(path: [0xFF], kind: .renamed(from: Array("old".utf8)), type: .symlink),
            ])
            func antares(_ arguments: String...) async throws -> Program.Result {
                try await Program.run(
                    "antares", ["diff"] + arguments, environment: ["ANTARES_SOCKET=\(fake.socket)"],
                    directory: fake.directory)
            }
            _ = try await Program.run(
                "antares", ["mount", "j"], environment: ["ANTARES_SOCKET=\(fake.socket)"], directory: fake.directory)
            let plain = try await antares("j")
            #expect(plain.status == .code(0) && plain.errors == "")
            #expect(plain.output == "A a\nD \"b\\nD c\"\nR old -> \"\\377\"\n")
            #expect(try await antares("j", "--name-only").output == "a\n\"b\\nD c\"\n\"\\377\"\n")
            #expect(try await antares("j", "--name-only", "-z").output == "a\0b\nD c\0\u{fffd}\0")
            let json = try await antares("j", "--json")
            #expect(json.output.contains(#""path_base64":"/w==""#) && json.output.contains(#""truncated":false"#))
            #expect(try await antares("none").status == .code(5))
            for wrong in [["--json", "--name-only"], ["--tar", "x", "--json"], ["--null"]] {
                #expect(throws: (any Error).self) { try Antares.parseAsRoot(["diff", "j"] + wrong) }
            }
            let help = try await antares("--help")
            #expect(help.output.contains("antares diff ci-4711 --tar -"))
        }
    }

    // MARK: The plan of an archive

    private func plan(_ changes: String...) -> ArchivePlan {
        ArchivePlan(
            changes.map { line in
                let words = line.split(separator: " ").map { Array($0.utf8) }
                let kinds: [String: Change.Kind] = ["A": .added, "M": .modified, "D": .deleted, "R": .renamed]
                let type = String(decoding: words[1], as: UTF8.self)
                return Change(
                    path: words[2], kind: kinds[String(decoding: words[0], as: UTF8.self)] ?? .added, type: type,
                    from: words.count > 3 ? words[3] : nil)
            })
    }

    private func texts(_ paths: [[UInt8]]) -> [String] {
        paths.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func whatIsGoneIsMarked() {
        let simple = plan("A file a/new", "D file a/old", "D directory b", "M file c", "R file d/e x")
        #expect(texts(simple.marks) == [".wh.b", ".wh.x", "a/.wh.old"])
        #expect(texts(simple.members) == ["a/new", "c", "d/e"] && simple.trees.isEmpty)
        // What was in something that is gone needs no mark of its own.
        #expect(texts(plan("D directory a", "R directory z a/b/c").marks) == [".wh.a", "z/.wh..wh..opq"])
        // A tree is packed whole, with what was changed in it and without what was deleted in it.
        let tree = plan("R directory n a", "D file n/x", "M file n/y", "R file n/z b/z")
        #expect(texts(tree.marks) == [".wh.a", "b/.wh.z", "n/.wh..wh..opq"])
        #expect(texts(tree.members) == ["n"] && texts(Array(tree.trees)) == ["n"])
        let order = plan("A file a-b/x", "A directory a", "D file a/z", "A file a/!", "R directory n/t o", "A file a.c")
            .order
        #expect(
            texts(order) == [".wh.o", "a", "a/.wh.z", "a/!", "a-b/x", "a.c", "n/t", "n/t/.wh..wh..opq"])
        // Something else came to where something went.
        #expect(texts(plan("R directory b a", "R directory a b").marks) == ["a/.wh..wh..opq", "b/.wh..wh..opq"])
        #expect(texts(plan("A file a", "R directory b a").marks) == ["b/.wh..wh..opq"])
        #expect(texts(plan("A file a/new", "R directory b a").marks) == ["a/.wh..wh..opq", "b/.wh..wh..opq"])
        #expect(texts(plan("A directory a", "R directory b a").marks) == ["a/.wh..wh..opq", "b/.wh..wh..opq"])
        #expect(texts(plan("M file f", "R file g f").marks) == [])
    }

    // MARK: The file of an archive

    private func write(_ text: String, to path: String) throws {
        try OutputFile.write(path, mode: 0o600) { (output) throws(SystemError) in
            let bytes = Array(text.utf8)
            try check(Glibc.write(output, bytes, bytes.count), "write")
        }
    }

    @Test func aFileIsReplacedAndALinkFollowed() throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        try Directory.create(directory + "/sub")
        try check(symlink("sub/file", directory + "/link"), "symlink")
        for text in ["one", "two"] {
            try write(text, to: directory + "/link")
            #expect(try File.text(directory + "/sub/file") == text)
        }
        #expect(try File.linkTarget(directory + "/link") == "sub/file")
        #expect(throws: SystemError(.cancelled, "test")) {
            try OutputFile.write(directory + "/link", mode: 0o600) { (_) throws(SystemError) in
                throw SystemError(.cancelled, "test")
            }
        }
        #expect(try File.text(directory + "/sub/file") == "two")
        #expect(try Directory.names(directory + "/sub").count == 1, "nothing half done is left")
        try check(symlink("loop", directory + "/loop"), "symlink")
        #expect(throws: SystemError.self) { try write("x", to: directory + "/loop") }
    }

    @Test func aPipeOrADeviceIsWrittenToAndStays() throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let fifo = directory + "/fifo"
        try check(mkfifo(fifo, 0o600), "mkfifo")
        let silent = #expect(throws: SystemError.self) { try write("x", to: fifo) }
        #expect(silent?.errno == .noSuchDeviceAddress, "nobody reads it")
        let reader = try File.open(fifo, O_RDONLY | O_NONBLOCK)
        try write("through", to: fifo)
        var bytes = [UInt8](repeating: 0, count: 16)
        #expect(read(reader.raw, &bytes, 16) == 7)
        #expect(try FileStatus(of: fifo).mode & S_IFMT == S_IFIFO)
        // As /dev/null is.
        let device = directory + "/null"
        try check(mknod(device, S_IFCHR | 0o600, dev_t(1 << 8 | 3)), "mknod")
        try write("nothing", to: device)
        #expect(try FileStatus(of: device).mode & S_IFMT == S_IFCHR)
        #expect(throws: SystemError.self) { try write("x", to: directory) }
    }

    // MARK: Archives

    @Test func whatIsPackedComesOutOfTar() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let long = (0..<5).map { _ in String(repeating: "n", count: 120) }.joined(separator: "/")
        let script = """
            mkdir -p tree/'\(long)' tree/deep/er out && cd tree && umask 022
            echo one >'\(long)'/file && ln -s "$(printf 't%.0s' {1..300})" long-link && ln -s one link
            printf x >$'odd\\xff\\nname' && mkdir $'\\xfe' && printf y >$'\\xfe'/'\(String(repeating: "z", count: 150))'
            head -c 1048577 /dev/urandom >deep/er/big && : >empty && mkdir none && mkfifo pipe
            echo p >program && chmod 755 program && chmod 600 empty && chmod 711 none
            head -c 512 /dev/zero >block && mkdir -p '\(String(repeating: "d", count: 99))'
            touch -d @-5.25 old && touch -d @1700000000.000000001 empty && touch -h -d @99999999999 link
            """
        let made = try await Program.run("/bin/bash", ["-euc", script], directory: directory)
        try #require(made.status == .code(0), "\(made.errors)")
        let names = try Directory.names(directory + "/tree")
        let tree = try Directory.open(directory + "/tree")
        let changes = try names.map { name in
            let isDirectory = try FileStatus(at: tree.raw, name).mode & S_IFMT == S_IFDIR
            return Change(
                path: name, kind: .renamed, type: isDirectory ? "directory" : "file", from: Array("from".utf8))
        }
        let archive = directory + "/a.tar"
        let file = try File.open(archive, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        let writer = ChangeArchive(of: tree.raw, to: file.raw)
        try writer.write(ArchivePlan(changes))
        #expect(writer.problems == [])
        let listing = "find . -mindepth 1 ! -name '.wh.*' -printf '%P %y %m %l %T@ %s %U\\n' | sort"
        let compare = """
            tar -C out --exclude='.wh.*' -xpf a.tar 2>errors; cat errors
            diff <(cd tree && \(listing)) <(cd out && \(listing)); diff -r --no-dereference --exclude=pipe tree out
            test $(( $(stat -c %s a.tar) % 512 )) = 0
            """
        let result = try await Program.run("/bin/bash", ["-eucx", compare], directory: directory)
        // A directory's size is its filesystem's business, and a time before 1970 is worth a warning.
        #expect(result.status == .code(0), "\(result.output.prefix(3000)) \(result.errors.prefix(500))")
    }

    @Test func aSizeWithoutRoomIsInThePaxHeader() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let size: UInt64 = 9 << 30
        let member = TarMember(path: Array("big".utf8), kind: .file, mode: 0o644, uid: 3_000_000, gid: 7, size: size)
        try File.replace(directory + "/a.tar", with: member.head() + TarMember.end)
        let result = try await Program.run("tar".path, ["--numeric-owner", "-tvf", "a.tar"], directory: directory)
        #expect(result.output.contains("3000000/7") && result.output.contains(" \(size) "), "\(result)")
        #expect(member.head().count % 512 == 0)
        #expect(
            TarMember.padding(after: 0) == 0 && TarMember.padding(after: 512) == 0 && TarMember.padding(after: 1) == 511
        )
    }

    @Test func aNameThatLooksLikeAMarkIsRefused() throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        try Directory.create(directory + "/d")
        try File.replace(directory + "/d/.wh.passwd", with: [])
        let root = try Directory.open(directory)
        for change in [
            Change(path: Array("d/.wh.passwd".utf8), kind: .added, type: "file"),
            Change(path: Array("d".utf8), kind: .renamed, type: "directory", from: [0x78]),
        ] {
            let file = try File.open(directory + "/out", O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
            #expect(throws: SystemError.self) {
                try ChangeArchive(of: root.raw, to: file.raw).write(ArchivePlan([change]))
            }
        }
    }

    /// Whatever a job puts there meanwhile: a link is packed as one, and never followed.
    @Test func linksAreNotFollowed() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let made = try await Program.run(
            "/bin/bash", ["-euc", "mkdir t secret; echo s >secret/s; ln -s ../secret t/d; ln -s ../secret/s t/f"],
            directory: directory)
        try #require(made.status == .code(0))
        let file = try File.open(directory + "/a.tar", O_WRONLY | O_CREAT, mode: 0o600)
        let root = try Directory.open(directory + "/t")
        let writer = ChangeArchive(of: root.raw, to: file.raw)
        let changes = ["f", "gone", "d/s"].map { Change(path: Array($0.utf8), kind: .added, type: "file") }
        // A directory on the way that is a link by now is an error, not a way out.
        #expect(throws: SystemError.self) { try writer.write(ArchivePlan(changes)) }
        let again = try File.open(directory + "/b.tar", O_WRONLY | O_CREAT, mode: 0o600)
        let second = ChangeArchive(of: root.raw, to: again.raw)
        try second.write(ArchivePlan(Array(changes.prefix(2))))
        #expect(second.problems == ["gone has vanished and is left out"])
        // Nor is a mark put where one leads.
        let third = try File.open(directory + "/c.tar", O_WRONLY | O_CREAT, mode: 0o600)
        let marks = ChangeArchive(of: root.raw, to: third.raw)
        try marks.write(
            ArchivePlan([
                Change(path: Array("d/s".utf8), kind: .deleted, type: "file"),
                Change(path: Array("d".utf8), kind: .renamed, type: "directory", from: Array("old".utf8)),
            ]))
        #expect(marks.problems.count == 1 && marks.problems.first?.hasPrefix("d is no directory") == true)
        let listed = try await Program.run("tar".path, ["-tvf", "b.tar"], directory: directory)
        #expect(listed.output.contains("f -> ../secret/s") && !listed.output.contains("gone"))
    }
}

extension String {
    /// A program of the machine.
    fileprivate var path: String { access("/bin/" + self, X_OK) == 0 ? "/bin/" + self : "/usr/bin/" + self }
}
