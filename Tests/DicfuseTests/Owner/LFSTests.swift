import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

/// Files of Git LFS, served by antares-origin from where git-lfs(1) keeps them.
@Suite("Owner with LFS", .timeLimit(.minutes(2)), .enabled(if: Programs.origin != nil))
final class LFSTests {
    private let repository: TestRepository
    private let directory: String
    private let small = Array("contents of a small file\n".utf8)
    private let large = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
    private var owners: [OwnerHarness] = []
    private var programs: [ServingProgram] = []
    /// No pointer, of the length of one.
    private let ordinary = [UInt8](repeating: 0x78, count: Int(LFSPointer.sizes.lowerBound))

    init() throws {
        repository = try TestRepository()
        directory = try TemporaryDirectory.make("lfs")
        _ = try repository.commit([
            "README": .file("hello\n"), "ordinary": .bytes(ordinary),
            "assets/small": .bytes(Self.pointer(to: small)), "assets/large": .bytes(Self.pointer(to: large)),
            "assets/again": .bytes(Self.pointer(to: small)), "lost": .bytes(Self.pointer(to: [1, 2, 3])),
        ])
        for contents in [small, large] { try keep(contents) }
    }

    deinit {
        for owner in owners { owner.stop() }
        for program in programs { program.stop() }
        try? FileManager.default.removeItem(atPath: directory)
    }

    private static func id(of contents: [UInt8]) -> ObjectID {
        contents.withUnsafeBytes { ObjectID.hash(.blob, $0, kind: .lfs) }
    }

    private static func pointer(to contents: [UInt8]) -> [UInt8] {
        Array(
            "version https://git-lfs.github.com/spec/v1\noid sha256:\(id(of: contents))\nsize \(contents.count)\n".utf8)
    }

    private func place(of contents: [UInt8]) -> String {
        let digits = Self.id(of: contents).hex
        return "\(repository.directory)/.git/lfs/objects/\(digits.prefix(2))/\(digits.dropFirst(2).prefix(2))/\(digits)"
    }

    private func keep(_ contents: [UInt8], as bytes: [UInt8]? = nil) throws {
        let place = place(of: contents)
        try FileManager.default.createDirectory(
            atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(bytes ?? contents).write(to: URL(fileURLWithPath: place))
    }

    private func serve(strict: Bool = false) throws -> String {
        let (program, url) =
            try strict ? Programs.serve(repository, "--strict-mega") : Programs.serve(repository)
        programs.append(program)
        return url
    }

    private func owner(
        _ url: String, lfs: String?, _ change: (inout CacheConfiguration) -> Void = { _ in }
    ) throws -> OwnerHarness {
        var configuration = CacheConfiguration.test("\(directory)/cache", url)
        configuration.origins[0].lfs = lfs
        change(&configuration)
        let owner = try OwnerHarness(configuration)
        owners.append(owner)
        return owner
    }

    private func entry(_ listing: PackedDirectory, _ name: String) throws -> PackedEntry {
        listing[try #require(listing.index(of: Array(name.utf8)))]
    }

    private func directory(_ worker: Client, _ listing: PackedDirectory, _ name: String) throws -> PackedDirectory {
        try worker.directory(try entry(listing, name).id)
    }

    private func verify(_ owner: OwnerHarness) throws -> SweepReport {
        guard case .verifying = try owner.control.ask(.verify) else { throw Client.Closed() }
        owner.settle()
        return owner.server.status.sweep
    }

    @Test("Pointers show sizes and contents of what they stand for", arguments: [false, true])
    func wholePath(strict: Bool) throws {
        let url = try serve(strict: strict)
        let owner = try owner(url, lfs: url + "/info/lfs/")
        let worker = try owner.worker()
        let root = try worker.directory(try owner.control.pin().root)
        let assets = try directory(worker, root, "assets")
        for (name, contents) in [("small", small), ("again", small), ("large", large)] {
            let entry = try entry(assets, name)
            #expect(entry.isComplete)
            #expect(entry.id == Self.id(of: contents))
            #expect(entry.size == UInt64(contents.count))
            #expect(try worker.contents(entry.id, size: entry.size) == contents)
        }
        let plain = try entry(root, "ordinary")
        #expect(try worker.contents(plain.id, size: plain.size) == ordinary)
        #expect(owner.counter(.lfsFetches) == 2)
        #expect(owner.counter(.verifyFailures) == 0)
    }

    @Test("Without the option pointers are what they are, and nothing of one store is seen in the other")
    func withoutOption() throws {
        let url = try serve()
        let following = try owner(url, lfs: url + "/info/lfs")
        _ = try directory(
            following.worker(), try following.worker().directory(try following.control.pin().root), "assets")
        following.stop()
        let plain = try owner(url, lfs: nil)
        let worker = try plain.worker()
        let assets = try directory(worker, try worker.directory(try plain.control.pin().root), "assets")
        let entry = try entry(assets, "small")
        #expect(try worker.contents(entry.id, size: entry.size) == Self.pointer(to: small))
        #expect(plain.counter(.lfsQuestions) == 0)
    }

    @Test("What was fetched is there when the origin is gone and the owner new, and is checked as any object")
    func keeping() throws {
        let url = try serve()
        let first = try owner(url, lfs: url + "/info/lfs")
        let snapshot = try first.control.pin()
        let assets = try directory(first.worker(), try first.worker().directory(snapshot.root), "assets")
        let entry = try entry(assets, "large")
        _ = try first.worker().contents(entry.id, size: entry.size)
        first.stop()
        programs[0].stop()
        let second = try owner(url, lfs: url + "/info/lfs")
        #expect(try second.worker().contents(entry.id, size: entry.size) == large)
        let report = try verify(second)
        #expect(report.objects > 0)
        #expect(report.damaged == 0)
        #expect(report.failed == 0)
        second.stop()
        // A bit on the disk.
        let file = "\(directory)/cache/main@lfs/layer/.GIT/" + ObjectFileName.path(of: entry.id)
        var bytes = large
        bytes[123_456] ^= 1
        try FileManager.default.removeItem(atPath: file)
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let third = try owner(url, lfs: url + "/info/lfs")
        #expect(try verify(third).damaged == 1)
        #expect(!FileManager.default.fileExists(atPath: file))
    }

    @Test("Wrong, short and missing contents are errors, and nothing of them is kept", arguments: [0, 1, 2])
    func wrongContents(kind: Int) throws {
        var bytes = large
        bytes[0] ^= 1
        switch kind {
        case 0: try keep(large, as: bytes)
        case 1: try keep(large, as: Array(large.dropLast()))
        default: try FileManager.default.removeItem(atPath: place(of: large))
        }
        let url = try serve()
        let owner = try owner(url, lfs: url + "/info/lfs")
        let worker = try owner.worker()
        let assets = try directory(worker, try worker.directory(try owner.control.pin().root), "assets")
        let entry = try entry(assets, "large")
        // The directory is whole all the same.
        #expect(entry.size == UInt64(large.count))
        let error = #expect(throws: CacheError.self) { try worker.contents(entry.id, size: entry.size) }
        #expect(error?.code == .corrupt)
        #expect(
            !FileManager.default.fileExists(
                atPath: "\(directory)/cache/main@lfs/layer/.GIT/" + ObjectFileName.path(of: entry.id)))
    }

    @Test("An address that is no LFS server is named in the error")
    func noServer() throws {
        let url = try serve()
        let owner = try owner(url, lfs: url + "/lfs")
        let worker = try owner.worker()
        let assets = try directory(worker, try worker.directory(try owner.control.pin().root), "assets")
        let entry = try entry(assets, "small")
        let error = #expect(throws: CacheError.self) { try worker.contents(entry.id, size: entry.size) }
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("`lfs` of origin main") == true)
    }

    @Test("The origin's token is for its own server, not for where a file happens to be")
    func credentials() throws {
        let stub = try StubOrigin(repository, dialect: .antares)
        let elsewhere = try StubOrigin(repository, dialect: .antares)
        defer {
            stub.stop()
            elsewhere.stop()
        }
        let token = "\(directory)/token"
        try Data("secret\n".utf8).write(to: URL(fileURLWithPath: token))
        let id = Self.id(of: small)
        let action = #"{"href":"\#(elsewhere.url)/store/1","header":{"X-Signature":"yes"}}"#
        stub.serve(
            "/info/lfs/objects/batch",
            #"{"objects":[{"oid":"\#(id)","size":\#(small.count),"actions":{"download":\#(action)}}]}"#)
        elsewhere.serve("/store/1", String(decoding: small, as: UTF8.self))
        let owner = try owner(stub.url, lfs: stub.url + "/info/lfs") { $0.origins[0].tokenFile = token }
        #expect(try owner.worker().contents(id, size: UInt64(small.count)) == small)
        #expect(stub.lastHead.contains("Authorization: Bearer secret"))
        #expect(stub.lastHead.contains("Content-Type: application/vnd.git-lfs+json"))
        #expect(!elsewhere.lastHead.contains("secret"))
        #expect(elsewhere.lastHead.contains("X-Signature: yes"))
    }

    @Test("A failing server is asked again, and one that is down does not make the origin count as offline")
    func failures() throws {
        let stub = try StubOrigin(repository, dialect: .antares)
        let store = try StubOrigin(repository, dialect: .antares)
        defer {
            stub.stop()
            store.stop()
        }
        let id = Self.id(of: small)
        let action = #"{"href":"\#(store.url)/store/1"}"#
        store.serve(
            "/info/lfs/objects/batch",
            #"{"objects":[{"oid":"\#(id)","actions":{"download":\#(action)}}]}"#)
        store.serve("/store/1", String(decoding: small, as: UTF8.self))
        store.fail("POST /info", .status(503), .status(502))
        store.fail("GET /store/1", .truncated, .otherBytes)
        let owner = try owner(stub.url, lfs: store.url + "/info/lfs")
        #expect(try owner.worker().contents(id, size: UInt64(small.count)) == small)
        #expect(owner.counter(.retries) == 4)
        store.stop()
        let other = Self.id(of: large)
        let error = #expect(throws: CacheError.self) { try owner.worker().contents(other, size: UInt64(large.count)) }
        #expect(error?.code == .unreachable)
        #expect(owner.counter(.outages) == 0)
        #expect(try owner.control.pin().root.kind == .sha1)
    }

    @Test("A tree is sealed with what its pointers stand for, and a look for the file of one fetches it")
    func sealing() throws {
        let url = try serve()
        let owner = try owner(url, lfs: url + "/info/lfs") { $0.seal = true }
        while try !owner.control.pin().isSealed { sched_yield() }
        let file = "\(directory)/cache/main@lfs/layer/.GIT/" + ObjectFileName.path(of: Self.id(of: large))
        #expect(!FileManager.default.fileExists(atPath: file))
        _ = try owner.worker().ask(.provide(Self.id(of: large)))
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == Data(large))
    }

    @Test("A changelist that puts a pointer shows what it stands for")
    func changelist() throws {
        let base = try repository.id("HEAD")
        let added = Array("another large file\n".utf8)
        try keep(added)
        _ = try repository.git(["checkout", "-q", "-b", "change"])
        let tip = try repository.commit(["assets/added": .bytes(Self.pointer(to: added))])
        _ = try repository.git(["update-ref", "refs/cl/C1", tip.hex])
        _ = try repository.git(["checkout", "-q", "main"])
        let url = try serve()
        let owner = try owner(url, lfs: url + "/info/lfs")
        let snapshot = try owner.control.pin(changelist: "C1", revision: base.hex)
        let worker = try owner.worker()
        let assets = try directory(worker, try worker.directory(snapshot.root), "assets")
        for (name, contents) in [("added", added), ("small", small)] {
            let entry = try entry(assets, name)
            #expect(entry.size == UInt64(contents.count))
            #expect(try worker.contents(entry.id, size: entry.size) == contents)
        }
    }
}
