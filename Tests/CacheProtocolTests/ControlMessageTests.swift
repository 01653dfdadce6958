import CacheProtocol
import GitObjects
import LinuxSystem
import Testing
import WireFormat

@Suite struct ControlMessageTests {
    @Test func requestsComeBack() throws {
        let requests: [ControlRequest] = [
            .pin(origin: "main", revision: "v1", path: Array("/src".utf8)), .attach(mount: "m", origin: "main"),
            .status, .shutDown, .greet(oldest: 1, newest: 3), .deposit(mount: "m"), .release(mount: "m"),
            .reclaim(mount: "m"), .holdings, .ping,
            .sealed(origin: "main", root: .emptyTreeSHA1, commitTime: -5),
            .collect(target: nil), .collect(target: 5),
            .verify, .prefetch(origin: "main", revision: "", path: Array("/a".utf8), depth: nil, contents: true),
            .prefetch(origin: "", revision: "v1", path: [], depth: 3, contents: false),
            .pinChangelist(
                origin: "main", revision: "v1", path: Array("/a".utf8), changelist: "CL", root: nil, base: .revision),
            .pinChangelist(origin: "", revision: "", path: [], changelist: "CL", root: Array("/".utf8), base: .own),
            .lookUp(origin: "main", places: []),
            .lookUp(
                origin: "",
                places: [
                    TreePlace(directory: .emptyTreeSHA1, path: [0xFF, 0x2F, 0x0A]),
                    TreePlace(directory: .emptyTreeSHA1, path: []),
                ]),
            .list(origin: "main", directory: .emptyTreeSHA1), .tell(slowMilliseconds: 5000),
        ]
        for request in requests {
            var reader = WireReader(request.encode().bytes)
            #expect(try ControlRequest(operation: request.operation, from: &reader) == request)
            var longer = WireReader(request.encode().bytes + [0])
            #expect(throws: WireError.trailingBytes) {
                try ControlRequest(operation: request.operation, from: &longer)
            }
        }
        #expect(ControlRequest.deposit(mount: "m").descriptorCount == 2)
        #expect(ControlRequest.reclaim(mount: "m").descriptorCount == 0)
    }

    @Test func repliesComeBack() throws {
        let pulse = ThreadPulse(thread: 17, turns: 3, busy: .max)
        let replies: [(CacheOperation, ControlReply)] = [
            (.greet, .greeted(version: 1)), (.deposit, .deposited), (.release, .released), (.reclaim, .reclaimed),
            (.holdings, .holdings([])), (.holdings, .holdings(["a", "b"])), (.ping, .pulse([pulse])),
            (.sealed, .sealed(present: true)), (.sealed, .sealed(present: false)),
            (.lookUp, .found([])),
            (
                .lookUp,
                .found([
                    nil, PackedEntry(mode: .executable, flags: [.sizeUnknown], id: .emptyBlobSHA1, size: .max),
                    PackedEntry(mode: .submodule, id: .emptyTreeSHA1, size: 0),
                ])
            ),
            (.list, .listing([1, 2, 3])), (.list, .listingFile(size: 1 << 40)), (.tell, .telling),
        ]
        for (operation, reply) in replies {
            var reader = WireReader(reply.encode().bytes)
            #expect(try ControlReply(operation: operation, from: &reader) == reply)
        }
        #expect(ControlReply.reclaimed.descriptorCount == 2)
        #expect(ControlReply.sealed(present: true).descriptorCount == 3)
        #expect(ControlReply.sealed(present: false).descriptorCount == 0)
        #expect(ControlReply.listingFile(size: 1).descriptorCount == 1)
        #expect(ControlReply.listing([]).descriptorCount == 0)
        for operation in [CacheOperation.holdings, .lookUp] {
            var endless = WireReader([0xFF, 0xFF, 0xFF, 0xFF])
            #expect(throws: WireError.truncated) { try ControlReply(operation: operation, from: &endless) }
        }
        var endless = WireReader([0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
        #expect(throws: WireError.truncated) { try ControlRequest(operation: .lookUp, from: &endless) }
    }

    @Test(arguments: [0, 1, 999, 1000, 1001, 5000], [0, 12, 255, TreePlace.maximumPath])
    func pagesFitTheirMessages(count: Int, length: Int) throws {
        let key = try #require(ObjectID(kind: .changed, bytes: [UInt8](repeating: 9, count: 32)))
        let places = (0..<count).map { index in
            TreePlace(directory: key, path: [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: length))
        }
        let pages = TreePlace.pages(places)
        #expect(pages.flatMap { Array($0) } == Array(0..<count))
        for page in pages {
            let request = ControlRequest.lookUp(origin: String(repeating: "o", count: 255), places: Array(places[page]))
            let header = MessageHeader(operation: request.operation.rawValue, id: 1)
            #expect(header.message(request.encode()).count <= MessageSocket.maximumMessage)
            let entry = PackedEntry(mode: .regular, id: key, size: .max)
            let reply = ControlReply.found(Array(repeating: entry, count: page.count))
            #expect(header.message(reply.encode()).count <= MessageSocket.maximumMessage)
        }
    }

    @Test func snapshotsComeBack() throws {
        for sealed in [false, true] {
            let snapshot = PinnedSnapshot(
                origin: "main", commit: .emptyTreeSHA1, commitTime: -1, root: .emptyTreeSHA1, assurance: .treesVerified,
                isSealed: sealed)
            var reader = WireReader(ControlReply.pinned(snapshot).encode().bytes)
            #expect(try ControlReply(operation: .pin, from: &reader) == .pinned(snapshot))
        }
    }

    @Test func changedSnapshotsComeBack() throws {
        let change = PinnedChange(name: "CL", root: Array("/a".utf8), time: 7, files: 3, tree: .emptyTreeSHA1)
        let key = try #require(ObjectID(kind: .changed, bytes: [UInt8](repeating: 9, count: 32)))
        for tree in [ObjectID.emptyTreeSHA1, nil] {
            var snapshot = PinnedSnapshot(
                origin: "main", commit: .emptyTreeSHA1, commitTime: -1, root: key, assurance: [], change: change)
            snapshot.change?.tree = tree
            var reader = WireReader(ControlReply.pinnedChangelist(snapshot).encode().bytes)
            #expect(try ControlReply(operation: .pinChangelist, from: &reader) == .pinnedChangelist(snapshot))
            // A supervisor that knows no changelists finds what it knows.
            snapshot.change = nil
            reader = WireReader(ControlReply.pinned(snapshot).encode().bytes)
            #expect(try ControlReply(operation: .pin, from: &reader) == .pinned(snapshot))
        }
        var plain = PinnedSnapshot(origin: "o", commit: key, commitTime: 0, root: key, assurance: [])
        plain.change = nil
        var reader = WireReader(ControlReply.pinnedChangelist(plain).encode().bytes)
        #expect(try ControlReply(operation: .pinChangelist, from: &reader) == .pinnedChangelist(plain))
    }

    @Test func controlVersionsAgreeOrNot() {
        #expect(ControlProtocolVersion.agreed(1...3, 2...5) == 3)
        #expect(ControlProtocolVersion.agreed(2...5, 1...3) == 3)
        #expect(ControlProtocolVersion.agreed(1...1, 1...1) == 1)
        #expect(ControlProtocolVersion.agreed(1...1, 2...2) == nil)
    }
}
