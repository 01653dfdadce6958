import CacheProtocol
import Foundation
import GitObjects
import LinuxSystem
import Testing

@testable import Supervision

@Suite struct RecordStoreTests {
    private final class Silent: SupervisorLog {
        func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)]) {}
        func relay(_ level: LogLevel, of part: LogPart, _ message: String, _ fields: [(String, String)]) {}
    }

    private static func record() throws -> MountRecord {
        let tree = try #require(ObjectID(hex: String(repeating: "5a", count: 20)))
        var request = MountRequest(path: "/third-party/\"odd\"\n/ä")
        (request.jobID, request.buildID, request.revision) = ("job", "build", "main")
        let change = PinnedChange(
            name: "cl-7", root: Array("a/\u{1}".utf8) + [0xff, 0xfe], time: -1, files: 3, tree: tree)
        let process = MountRecord.Process(ProcessIdentity(pid: 4711, startTime: .max))
        return MountRecord(
            phase: .retired, failure: "so \\ it is", bootID: "boot", id: MountID.random().rawValue,
            mountID: MountID.random().rawValue, replaces: "r", isAttaching: true, isFrozen: false,
            retiredUntil: .max, pinnedCommit: "c", request: request, origin: "o", mountpointRoot: "/mnt",
            mountpointName: "a/b", madeComponents: ["a", "a/b"], isMountpointLocked: true, uid: .max, gid: 1,
            createdAt: .max, readyAfter: 0.125, commit: tree.hex, commitTime: .min,
            root: Data(tree.bytes).base64EncodedString(), rootKind: tree.kind.rawValue, assurance: 3,
            change: MountRecord.Change(change), mountIdentity: .max, connection: 9, personality: .max,
            worker: process, workerSocket: "/run/w.sock", restarts: 2, client: process, leaseExpiresAt: 1)
    }

    private func withStore(_ body: (RecordStore) throws -> Void) throws {
        let directory = "/tmp/antares-records-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        try Directory.create(directory, mode: 0o700)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(try RecordStore(runDirectory: directory))
    }

    @Test func whatIsWrittenIsRead() throws {
        try withStore { store in
            let record = try Self.record()
            // Each field of it says something, so that none can be left out without being missed.
            for field in Mirror(reflecting: record).children {
                #expect("\(field.value)" != "nil", "\(field.label ?? "")")
            }
            try store.write(record)
            #expect(try store.readAll(log: Silent()) == [record])
            #expect(record.snapshot?.change?.root == Array("a/\u{1}".utf8) + [0xff, 0xfe])
        }
    }

    /// A supervisor of another build may have written it: with its members in another order, and others that this one does not know.
    @Test func theOrderOfMembersDoesNotMatter() throws {
        try withStore { store in
            let record = try Self.record()
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            var text = String(decoding: try encoder.encode(record), as: UTF8.self)
            text.replace("{\n", with: "{\n\"later\": [1, {}],\n", maxReplacements: 1)
            try File.replace(store.path(record.id), with: Array(text.utf8), durable: false)
            #expect(try store.readAll(log: Silent()) == [record])
        }
    }

    @Test func aRootThatIsNoBase64IsNoSnapshot() throws {
        var record = try Self.record()
        record.change?.root = "*"
        #expect(record.snapshot == nil)
    }

    @Test func whatIsNoRecordIsMovedAside() throws {
        try withStore { store in
            let id = MountID.random().rawValue
            try File.replace(store.path(id), with: Array("{\"version\":2".utf8), durable: false)
            #expect(try store.readAll(log: Silent()) == [])
            #expect(try File.contents(store.path(id) + ".damaged").count == 12)
        }
    }
}
