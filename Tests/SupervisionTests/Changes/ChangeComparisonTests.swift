import GitHashing
import GitObjects
import Glibc
import LinuxSystem
import Testing

@testable import Supervision

/// Each case is worked on a real overlay, with files copied up whole and, as over a sealed snapshot, without their contents.
// One thread compares, and thousands of system calls under the sanitizer would hold up everybody else's tests.
@Suite(.enabled(if: geteuid() == 0 && getenv("ANTARES_SANITIZE") == nil, "overlays are for root"))
struct ChangeComparisonTests {
    private static let tree = """
        mkdir -p a/deep/er b empty src
        echo one >a/one; echo two >a/two; echo three >a/deep/three; echo four >a/deep/er/four
        echo b >b/b; ln -s one a/link; echo same >src/same1; echo same >src/same2
        printf '#!/bin/sh\\n' >src/run; chmod 755 src/run; echo file >file; echo keep >keep
        """

    struct Case: Sendable, CustomTestStringConvertible {
        let script: String
        let expected: [String]
        var testDescription: String { script }

        init(_ script: String, _ expected: String...) {
            self.script = script
            self.expected = expected
        }
    }

    private static let cases = [
        Case("true"),
        // What is no change.
        Case("touch file; chmod 600 keep"),
        Case("chmod +x file; chmod -x file"),
        Case("cp -p file x; rm file; mv x file"),
        Case("echo new >new; rm new; mkdir -p d/e; echo x >d/e/x; rm -r d"),
        Case("mv a elsewhere; mv elsewhere a"),
        Case("mv a/deep x; mv a y; mv x y/deep; mv y a"),
        Case("chmod 700 b; chown 5 file"),
        Case("ln -s new l; rm l; ln -sfn one a/link"),
        Case("mv file x; mv x file"),
        Case("echo other >file; echo file >file"),
        // Single files.
        Case("echo new >new", "A file new"),
        Case("echo x >>file", "M file file"),
        Case("echo eile >file", "M file file"),
        Case("chmod +x file", "M executable file"),
        Case("chmod -x src/run; echo x >keep", "M file keep", "M file src/run"),
        Case("rm file", "D file file"),
        Case("rm a/link", "D symlink a/link"),
        Case("rm src/run", "D executable src/run"),
        Case("ln -sf two a/link", "M symlink a/link"),
        Case("rm file; ln -s keep file", "M symlink file"),
        Case("rm a/link; echo x >a/link", "M file a/link"),
        Case("mkfifo pipe; rm file; mkfifo file", "M other file", "A other pipe"),
        Case("printf 'x' >\"$(printf 'new\\nline')\"", "A file new\nline"),
        // Directories.
        Case("mkdir new", "A directory new"),
        Case("mkdir -p n/m/o n/p", "A directory n/m/o", "A directory n/p"),
        Case("mkdir -p n/m; echo x >n/x", "A directory n/m", "A file n/x"),
        Case("rm -r a", "D directory a"),
        Case("rm -r a/deep; echo x >a/new", "D directory a/deep", "A file a/new"),
        Case("rm b/b", "D file b/b"),
        Case("rmdir empty", "D directory empty"),
        Case("rm -r a; mkdir a", "D directory a/deep", "D symlink a/link", "D file a/one", "D file a/two"),
        Case(
            "rm -r a; mkdir -p a/deep/er; echo one >a/one; echo 4 >a/deep/er/four",
            "M file a/deep/er/four", "D file a/deep/three", "D symlink a/link", "D file a/two"),
        Case("rm -r b; echo x >b", "M file b"),
        Case("rm file; mkdir file", "M directory file"),
        Case("rm file; mkdir file; echo x >file/x", "M directory file", "A file file/x"),
        Case("rm -r a/deep; mkdir a/deep; rmdir a/deep", "D directory a/deep"),
        // Renames of directories.
        Case("mv a x", "R directory a -> x"),
        Case(
            "mv a x; echo z >x/new; rm x/one; echo y >>x/two",
            "R directory a -> x", "A file x/new", "D file x/one", "M file x/two"),
        Case("mv a x; rm -r x/deep", "R directory a -> x", "D directory x/deep"),
        Case("mv a/deep top; mv top/er b/er", "R directory a/deep/er -> b/er", "R directory a/deep -> top"),
        Case("mv a x; mv x/deep x/d", "R directory a -> x", "R directory a/deep -> x/d"),
        Case("mv a x; mv x y; mv y z", "R directory a -> z"),
        Case("mkdir new; mv a new/a", "R directory a -> new/a"),
        Case("mv a x; mkdir a", "A directory a", "R directory a -> x"),
        Case(
            "mv a x; mkdir a; echo one >a/one; mkdir a/deep", "A directory a/deep", "A file a/one", "R directory a -> x"
        ),
        Case("mv a x; mv b a", "R directory b -> a", "R directory a -> x"),
        Case("rm -r b; mv a b", "R directory a -> b"),
        Case("mv a/deep x; rm -r a", "D directory a", "R directory a/deep -> x"),
        Case("mv a x; echo a >a", "A file a", "R directory a -> x"),
        Case("rm file; mv a file", "R directory a -> file"),
        Case("mv empty x", "R directory empty -> x"),
        Case(
            "mv a/deep x; rm -r a; mkdir a", "D symlink a/link", "D file a/one", "D file a/two",
            "R directory a/deep -> x"),
        // Renames of files.
        Case("mv file x", "R file file -> x"),
        Case("mv file a/file; mv a/link b/link", "R file file -> a/file", "R symlink a/link -> b/link"),
        Case("mv src/run x; chmod -x x", "D executable src/run", "A file x"),
        Case("mv file x; echo y >>x", "D file file", "A file x"),
        Case("cp -p file x", "A file x"),
        Case(
            "rm src/same1 src/same2; echo same >x; echo same >b/same2",
            "R file src/same2 -> b/same2", "R file src/same1 -> x"),
        Case("rm src/same1; echo same >x; echo same >y", "R file src/same1 -> x", "A file y"),
        Case("mv a x; mv x/one x/uno", "R directory a -> x", "R file a/one -> x/uno"),
        Case("mv a x; mv x/one one", "R file a/one -> one", "R directory a -> x"),
        Case("mv file keep", "D file file", "M file keep"),
        Case("ln file hard", "A file hard"),
        Case("ln file hard; rm file", "R file file -> hard"),
        Case("mv file x; chmod +x x; chmod -x x; mv keep file", "M file file", "D file keep", "A file x"),
    ]

    private static func line(_ change: UpperChange) -> String {
        let path = String(decoding: change.path, as: UTF8.self)
        let kind =
            switch change.kind {
            case .added: "A \(change.type) \(path)"
            case .modified: "M \(change.type) \(path)"
            case .deleted: "D \(change.type) \(path)"
            case .renamed(let from): "R \(change.type) \(String(decoding: from, as: UTF8.self)) -> \(path)"
            }
        return kind
    }

    @Test(arguments: cases, [false, true]) func tells(_ test: Case, withMetacopies: Bool) throws {
        let rig = try OverlayRig(withMetacopies: withMetacopies) { path in
            let child = try DisposableChild(
                "/bin/sh", ["-e", "-c", "cd '\(path)'; \(Self.tree)"], until: .after(.seconds(30)))
            #expect(child.finish().status == .code(0))
        }
        try rig.run(test.script)
        let changes = try rig.changes()
        #expect(changes.map(Self.line) == test.expected)
        try expectSound(changes, rig)
    }

    /// The changes lead from the tree before to the tree after, and none of them can be left out; but a directory that was renamed is told
    /// as that, also if nothing of what was in it is left.
    private func expectSound(_ changes: [UpperChange], _ rig: OverlayRig, _ what: String = "") throws {
        let after = try rig.after()
        let isSame = rig.before.applying(changes, after) == after
        #expect(isSame, "\(what) \(changes.map(Self.line))")
        for index in changes.indices {
            if case .renamed(let from) = changes[index].kind, changes[index].type == .directory {
                #expect(rig.before.nodes[from] == .directory && after.nodes[changes[index].path] == .directory)
                continue
            }
            var fewer = changes
            fewer.remove(at: index)
            let isNeeded = rig.before.applying(fewer, after) != after
            #expect(isNeeded, "\(what) needless: \(Self.line(changes[index])) of \(changes.map(Self.line))")
        }
        let paths = changes.map(\.path)
        #expect(paths == paths.sorted { $0.lexicographicallyPrecedes($1) } && Set(paths).count == paths.count)
    }

    @Test(arguments: [false, true]) func anySequenceOfOperations(withMetacopies: Bool) throws {
        for seed in 0..<120 {
            var job = RandomJob(seed: UInt64(seed) << 1 | (withMetacopies ? 1 : 0))
            let rig = try OverlayRig(withMetacopies: withMetacopies) { path in
                let directory = try File.open(path, O_RDONLY | O_DIRECTORY)
                for _ in 0..<40 { try job.fill(directory.raw) }
            }
            // Now and then what was done so far is looked at, too.
            for step in 1...60 {
                try job.step(rig.root)
                if step % 20 == 0 { try expectSound(try rig.changes(), rig, "seed \(seed), step \(step):") }
            }
        }
    }
}
