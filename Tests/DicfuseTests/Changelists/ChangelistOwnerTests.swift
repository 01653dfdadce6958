import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

/// Pins with a changelist: what is asked of the origin, where a changelist is found to belong, and what is refused.
@Suite("Changelists at the owner", .timeLimit(.minutes(2)), .enabled(if: Programs.origin != nil))
final class ChangelistOwnerTests {
    let repository: TestRepository
    let base: ObjectID
    let directory: String
    private var owner: OwnerHarness?

    init() throws {
        repository = try TestRepository()
        var files: [String: TestRepository.Content] = ["README": .file("top\n"), "other/x/f": .file("x\n")]
        for name in ["src/a.c", "src/run", "lib/b.c", "BUCK", "docs/c"] {
            files["project/foo/\(name)"] = name == "src/run" ? .script("#!/bin/sh\n") : .file("\(name)\n")
        }
        for number in 0..<50 { files["many/\(number)/f"] = .file("\(number)\n") }
        base = try repository.commit(files)
        directory = try TemporaryDirectory.make("changelists")
    }

    deinit {
        owner?.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func start(_ url: String) throws -> OwnerHarness {
        owner?.stop()
        let owner = try OwnerHarness(.test("\(directory)/owner", url))
        self.owner = owner
        return owner
    }

    /// A changelist as a Mega server has it: its commits begin at the directory that was pushed.
    private func pushed(_ name: String, at path: String) throws {
        let committer = "committer t <t@example.org> 1700000000 +0000\ndata 0\n"
        let tree = try repository.id("\(base):\(path)")
        let stream = """
            commit refs/base/\(name)
            mark :1
            \(committer)M 040000 \(tree) ""
            commit refs/tip/\(name)
            \(committer)from :1
            M 100644 inline src/a.c
            data 8
            changed
            M 100644 inline src/new.c
            data 8
            changed
            done

            """
        _ = try repository.git(["fast-import", "--quiet", "--done"], input: Array(stream.utf8))
    }

    private func serve(_ names: [String], _ more: String...) throws -> (ServingProgram, url: String) {
        let ranges = names.flatMap { ["--cl", "\($0)=refs/base/\($0)..refs/tip/\($0)"] }
        guard let origin = Programs.origin else { throw TestRepository.Failure("there is no antares-origin") }
        let program = try ServingProgram(
            origin, ["--repo", repository.directory, "--listen", "127.0.0.1:0"] + ranges + more)
        return (program, url: String(try program.line().split(separator: " ").last ?? ""))
    }

    /// The file at a path below a root.
    private func text(_ root: ObjectID, _ path: String, _ worker: Client) throws -> String? {
        var id = root
        let names = path.split(separator: "/")
        for (depth, name) in names.enumerated() {
            let listing = try worker.directory(id)
            guard let index = listing.index(of: Array(name.utf8)) else { return nil }
            if depth == names.count - 1 {
                let size = try listing[index].isComplete ? listing[index].size : worker.stat(id, index).size
                return String(decoding: try worker.contents(listing[index].id, size: size), as: UTF8.self)
            }
            id = listing[index].id
        }
        return nil
    }

    @Test("Found from above, from its root and from below, with the extension and without", arguments: [false, true])
    func places(strict: Bool) throws {
        try pushed("FOO", at: "project/foo")
        let (program, url) = try strict ? serve(["FOO"], "--strict-mega") : serve(["FOO"])
        defer { program.stop() }
        let owner = try start(url)
        let worker = try owner.worker()
        for (mount, prefix) in [
            ("/", "project/foo/src/"), ("/project", "foo/src/"), ("/project/foo", "src/"), ("/project/foo/src", ""),
        ] {
            for root in [nil, "/project/foo"] {
                let snapshot = try owner.control.pin(changelist: "FOO", path: mount, root: root)
                #expect(snapshot.change?.root == Array("/project/foo".utf8), "\(mount)")
                #expect(snapshot.change?.files == 2)
                #expect(try text(snapshot.root, prefix + "a.c", worker) == "changed\n")
                #expect(try text(snapshot.root, prefix + "new.c", worker) == "changed\n")
                #expect(try text(snapshot.root, prefix + "run", worker) == "#!/bin/sh\n")
            }
        }
        // Its own base has nothing above its root.
        let own = try owner.control.pin(changelist: "FOO", path: "/project/foo/src", base: .own)
        #expect(own.commit == (try repository.id("refs/base/FOO")))
        #expect(try text(own.root, "a.c", worker) == "changed\n")
        let error = #expect(throws: CacheError.self) { try owner.control.pin(changelist: "FOO", base: .own) }
        #expect(error?.code == .changelistMisplaced)
        let elsewhere = #expect(throws: CacheError.self) { try owner.control.pin(changelist: "FOO", path: "/other") }
        #expect(elsewhere?.code == .changelistMisplaced)
    }

    @Test("Found when the tree has moved on; an error when it might be in two places, or in none")
    func ambiguity() throws {
        try pushed("FOO", at: "project/foo")
        let (program, url) = try serve(["FOO"], "--strict-mega")
        defer { program.stop() }
        let owner = try start(url)
        func place() throws -> [UInt8]? {
            do {
                return try owner.control.pin(changelist: "FOO").change?.root
            } catch let error as CacheError {
                #expect(error.code == .changelistMisplaced && error.message.contains("cl_path"))
                return nil
            }
        }
        _ = try repository.commit(["project/foo/src/more.c": .file("more\n")])
        #expect(try place() == Array("/project/foo".utf8))
        // A copy of what it was is where it belongs more than what has moved on; two are one too many.
        _ = try repository.git(["read-tree", "--prefix=copy", "\(base):project/foo"])
        _ = try repository.git(["commit", "-q", "-m", "copy"])
        #expect(try place() == Array("/copy".utf8))
        _ = try repository.git(["read-tree", "--prefix=again", "\(base):project/foo"])
        _ = try repository.git(["commit", "-q", "-m", "again"])
        #expect(try place() == nil)
        _ = try repository.git(["rm", "-q", "-r", "--cached", "copy", "again", "project"])
        _ = try repository.git(["commit", "-q", "-m", "gone"])
        #expect(try place() == nil)
    }

    @Test("Nothing is fetched but the trees on the way, and what a worker reads") func economy() throws {
        try pushed("FOO", at: "project/foo")
        let (program, url) = try serve(["FOO"])
        defer { program.stop() }
        let owner = try start(url)
        let snapshot = try owner.control.pin(changelist: "FOO", root: "/project/foo")
        #expect(owner.counter(.blobFetches) + owner.counter(.sizeFetches) == 0)
        // Root, project, foo and src; trees may travel together.
        #expect(owner.counter(.treeFetches) + owner.counter(.batchFetches) <= 4)
        #expect(try text(snapshot.root, "project/foo/src/a.c", try owner.worker()) == "changed\n")
    }

    @Test("The next owner serves the same tree under the same name, without the origin") func persistence() throws {
        try pushed("FOO", at: "project/foo")
        let (program, url) = try serve(["FOO"], "--strict-mega")
        defer { program.stop() }
        let first = try start(url)
        let one = try first.control.pin(changelist: "FOO", path: "/project/foo")
        #expect(try text(one.root, "src/new.c", try first.worker()) == "changed\n")
        // The published API has no time: it is that of the first pin, for ever.
        let change = try #require(one.change)
        #expect(change.time > one.commitTime)
        let second = try start(url)
        let two = try second.control.pin(changelist: "FOO", path: "/project/foo")
        #expect(two.change?.time == change.time)
        program.stop()
        #expect(try text(one.root, "src/new.c", try second.worker()) == "changed\n")
        #expect(try text(two.root, "src/new.c", try second.worker()) == "changed\n")
    }

    @Test("Unknown is unknown, and what leaves its root is refused") func refusals() throws {
        let stub = try StubOrigin(repository, dialect: .mega)
        defer { stub.stop() }
        let owner = try start(stub.url)
        func code(_ name: String) -> CacheError.Code? {
            #expect(throws: CacheError.self) { try owner.control.pin(changelist: name, root: "/") }?.code
        }
        #expect(code("NONE") == .unknownChangelist)
        let blob = try repository.id("HEAD:README").hex
        func offer(_ name: String, _ files: String) {
            stub.serve("/api/v1/cl/\(name)/files-list", #"{"req_result":true,"data":[\#(files)],"err_message":""}"#)
        }
        offer("ESCAPE", #"{"path":"../etc/passwd","sha":"\#(blob)","action":"new"}"#)
        #expect(code("ESCAPE") == .refused)
        offer("ABSOLUTE", #"{"path":"/etc/passwd","sha":"\#(blob)","action":"new"}"#)
        #expect(code("ABSOLUTE") == .refused)
        offer("FROM", #"{"path":"a","sha":"\#(blob)","action":"renamed","old_path":"x/../../y","similarity":90}"#)
        #expect(code("FROM") == .refused)
        offer("ACTION", #"{"path":"a","sha":"\#(blob)","action":"copied"}"#)
        #expect(code("ACTION") == .corrupt)
        offer("ID", #"{"path":"a","sha":"zz","action":"new"}"#)
        #expect(code("ID") == .corrupt)
        stub.serve("/api/v1/cl/BROKEN/files-list", "no list")
        #expect(code("BROKEN") == .corrupt)
        offer("CONFLICT", #"{"path":"project","sha":"\#(blob)","action":"new"}"#)
        #expect(code("CONFLICT") == .changelistConflict)
        // Without a base and without a word of the caller's nothing is guessed.
        offer("FINE", #"{"path":"fresh","sha":"\#(blob)","action":"new"}"#)
        let error = #expect(throws: CacheError.self) { try owner.control.pin(changelist: "FINE") }
        #expect(error?.code == .changelistMisplaced)
        let snapshot = try owner.control.pin(changelist: "FINE", root: "/")
        #expect(try text(snapshot.root, "fresh", try owner.worker()) == "top\n")
        // One that changes nothing is the commit.
        offer("EMPTY", "")
        let empty = try owner.control.pin(changelist: "EMPTY", root: "/")
        #expect(empty.root == (try owner.control.pin().root) && empty.change?.files == 0)
    }

    @Test("A list that leads elsewhere than its origin says is not believed") func wrongTip() throws {
        let stub = try StubOrigin(repository, dialect: .antares)
        defer { stub.stop() }
        stub.offer("changelists")
        let blob = try repository.id("HEAD:README").hex
        stub.serve(
            "/antares/v1/changelists/X",
            #"{"base":"\#(base)","tip":"\#(base)","tip_tree":"\#(ObjectID.emptyTreeSHA1)","time":5,"shares_history":true,"#
                + #""files":[{"path":"new%20file","action":"new","id":"\#(blob)","mode":"100755","size":4}]}"#)
        let owner = try start(stub.url)
        let error = #expect(throws: CacheError.self) {
            try owner.control.pin(changelist: "X", revision: self.base.hex)
        }
        #expect(error?.code == .corrupt)
        // On another commit there is nothing to compare with.
        let later = try repository.commit(["later": .file("later\n")])
        try stub.refresh()
        let snapshot = try owner.control.pin(changelist: "X", revision: later.hex)
        #expect(try text(snapshot.root, "new file", try owner.worker()) == "top\n")
        // The change is older than the commit, but newer than what is built of it.
        #expect(snapshot.change?.time == snapshot.commitTime + 1)
    }
}
