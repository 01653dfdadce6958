import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing
import WireFormat

@testable import Dicfuse

/// Changes a good input at random, the same way each time: cut, lengthen, flip, copy, insert numbers that matter.
struct Mutator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }

    mutating func below(_ limit: Int) -> Int { limit <= 0 ? 0 : Int(next() % UInt64(limit)) }

    mutating func mutated(_ input: [UInt8]) -> [UInt8] {
        var bytes = input
        for _ in 0..<(1 + below(4)) {
            let place = below(bytes.count + 1)
            switch below(7) {
            case 0: bytes.removeSubrange(place...)
            case 1 where place < bytes.count: bytes[place] = UInt8(truncatingIfNeeded: next())
            case 2 where place < bytes.count: bytes[place] ^= 1 << UInt8(below(8))
            case 3: bytes.insert(contentsOf: (0..<below(40)).map { _ in UInt8(truncatingIfNeeded: next()) }, at: place)
            case 4:
                let numbers: [[UInt8]] = [
                    [0xFF, 0xFF, 0xFF, 0xFF], [0xFF, 0xFF, 0xFF, 0x7F], [0, 0, 0, 0x80], [0, 0, 0, 0], [1, 0, 0, 0],
                ]
                for (offset, byte) in numbers[below(5)].enumerated() where place + offset < bytes.count {
                    bytes[place + offset] = byte
                }
            case 5:
                let end = min(bytes.count, place + below(64))
                bytes.insert(contentsOf: Array(bytes[place..<end]), at: below(bytes.count + 1))
            default: bytes.removeSubrange(place..<min(bytes.count, place + below(16)))
            }
        }
        return bytes
    }
}

/// Whatever an origin or a worker sends: the parsers end, in bounded memory, with a value or an error; no input stops the owner.
@Suite("Fuzzed parsers")
struct FuzzTests {
    private static let rounds = 3000

    private func fuzz(_ seed: UInt64, _ inputs: [[UInt8]], _ body: ([UInt8]) -> Bool) -> (taken: Int, refused: Int) {
        var mutator = Mutator(seed: seed)
        var taken = 0
        for round in 0..<Self.rounds where body(mutator.mutated(inputs[round % inputs.count])) { taken += 1 }
        return (taken, Self.rounds - taken)
    }

    private func succeeds(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return true
        } catch {
            return false
        }
    }

    private static let hex = ObjectID.emptyBlobSHA1.hex

    @Test func megaListing() {
        let listing = """
            {"req_result":true,"data":[{"name":"src","content_type":"directory","oid":"\(Self.hex)"},
            {"name":"ä\\u0000\\n","content_type":"file","oid":"\(Self.hex)"}],"err_message":""}
            """
        let refused = "{\"req_result\":false,\"data\":null,\"err_message\":\"no\"}"
        let found = fuzz(1, [Array(listing.utf8), Array(refused.utf8)]) { bytes in
            succeeds {
                for item in try MegaReplies.listing(bytes) { #expect(!item.name.isEmpty) }
            }
        }
        #expect(found.taken > 0 && found.refused > 0)
    }

    @Test func latestCommit() {
        let reply = Array("{\"oid\":\"\(Self.hex)\",\"date\":\"1719900000\",\"status\":\"success\"}".utf8)
        let found = fuzz(2, [reply]) { bytes in succeeds { _ = try MegaReplies.latestCommit(bytes) } }
        #expect(found.taken > 0 && found.refused > 0)
    }

    @Test func commitAndCapabilities() {
        let commit = Array("{\"commit\":\"\(Self.hex)\",\"tree\":\"\(Self.hex)\",\"time\":-5}".utf8)
        let found = fuzz(3, [commit]) { bytes in succeeds { _ = try AntaresReplies.commit(bytes) } }
        #expect(found.taken > 0 && found.refused > 0)
        let offer = Array("{\"version\":1,\"algorithm\":\"sha1\",\"extensions\":[\"trees\",\"blobs\"]}".utf8)
        let offers = fuzz(4, [offer]) { AntaresReplies.capabilities($0) != nil }
        #expect(offers.taken > 0 && offers.refused > 0)
    }

    @Test func largeFiles() throws {
        let id = try #require(ObjectID(kind: .lfs, bytes: [UInt8](repeating: 0xAB, count: 32)))
        let pointer = Array("version https://git-lfs.github.com/spec/v1\noid sha256:\(id)\nsize 12345\n".utf8)
        let pointers = fuzz(12, [pointer]) { bytes in
            guard let found = LFSPointer(bytes) else { return false }
            // One text for one pointer.
            let size = "size \(found.size)\n"
            #expect(bytes == Array("version https://git-lfs.github.com/spec/v1\noid sha256:\(found.id)\n\(size)".utf8))
            return true
        }
        #expect(pointers.taken > 0 && pointers.refused > 0)
        let answer = """
            {"transfer":"basic","objects":[{"oid":"\(id)","size":3,"actions":{"download":
            {"href":"https://store.example/x?y=z","header":{"X-Key":"a","Accept":"*/*"},"expires_in":3}}}]}
            """
        let locations = fuzz(13, [Array(answer.utf8)]) { bytes in
            guard let location = try? LFSLocation.parse(bytes, id) else { return false }
            for text in [location.address] + location.headers {
                #expect(!text.utf8.contains { $0 < 0x20 || $0 > 0x7E })
            }
            return true
        }
        #expect(locations.taken > 0 && locations.refused > 0)
    }

    private static let payload = TreeWriter.payload(of: [
        TreeEntry(mode: .regular, id: .emptyBlobSHA1, name: Array("file".utf8)),
        TreeEntry(mode: .directory, id: .emptyTreeSHA1, name: Array("sub".utf8)),
        TreeEntry(mode: .symlink, id: .emptyBlobSHA1, name: Array("z".utf8)),
    ])

    @Test func trees() {
        let found = fuzz(5, [Self.payload]) { bytes in
            let whole = try? TreeParser.entries(of: bytes)
            // In pieces it is the same tree or no tree.
            var pieces: [TreeEntry]? = []
            var pending: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: 7) {
                pending += bytes[start..<min(start + 7, bytes.count)]
                let used = pending.withUnsafeBytes { piece in
                    try? TreeParser.forEachWhole(in: piece) { mode, id, name in
                        pieces?.append(TreeEntry(mode: mode, id: id, name: Array(name)))
                    }
                }
                guard let used else {
                    pieces = nil
                    break
                }
                pending.removeFirst(used)
            }
            #expect((pending.isEmpty ? pieces : nil) == whole)
            _ = MegaReplies.modes(bytes)
            return whole != nil
        }
        #expect(found.taken > 0 && found.refused > 0)
    }

    /// A stream is taken only as far as its objects are the ones asked for.
    @Test func frames() throws {
        let directory = try TemporaryDirectory.make("fuzz")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let objects = try ObjectStore(directory)
        let blob = Array("hello".utf8)
        let ids = [ObjectID.hash(tree: Self.payload), .hash(blob: blob), .emptyBlobSHA1]
        var stream: [UInt8] = []
        ObjectFrame.appendTree(
            to: &stream, ids[0], payload: Self.payload, sizes: [3, ObjectFrame.noSize, ObjectFrame.noSize])
        stream += ObjectFrame.header(.blob, ids[1], length: 5) + blob
        ObjectFrame.appendMissing(to: &stream, ids[2])
        stream += ObjectFrame.end
        let budget = MemoryBudget(limit: 64 << 20)
        let found = fuzz(6, [stream]) { bytes in
            let receiver = FrameReceiver(
                ids.map { FrameReceiver.Wanted(id: $0) }, objects: objects, budget: budget, known: { _ in nil }
            ) { index, result in
                switch result {
                case .success(.blob(.contents(let bytes))): #expect(ObjectID.hash(blob: bytes) == ids[index])
                case .success(.tree(let packed)): #expect((try? PackedDirectory(packed))?.count == 3)
                default: break
                }
            }
            return bytes.withUnsafeBytes { receiver.receive($0) } == nil && succeeds { try receiver.finish() }
        }
        #expect(found.taken > 0 && found.refused > 0)
        #expect(budget.used == 0)
    }

    @Test func workerRequests() {
        let requests: [WorkerRequest] = [
            .hello(oldest: 1, newest: 2), .directory(.emptyTreeSHA1), .stat(directory: .emptyTreeSHA1, index: 7),
            .open(.emptyBlobSHA1, expectedSize: 99), .cancel(id: 5),
        ]
        let inputs = requests.map { MessageHeader(operation: $0.operation.rawValue, id: 1).message($0.encode()) }
        let found = fuzz(7, inputs) { bytes in
            succeeds {
                var reader = WireReader(bytes)
                let header = try MessageHeader(from: &reader)
                guard let operation = CacheOperation(rawValue: header.operation) else {
                    throw WireError.invalid("operation")
                }
                _ = try WorkerRequest(operation: operation, from: &reader)
            }
        }
        #expect(found.taken > 0 && found.refused > 0)
    }

    @Test func controlRequests() {
        let requests: [ControlRequest] = [
            .pin(origin: "main", revision: "refs", path: Array("/a/b".utf8)),
            .pinChangelist(
                origin: "main", revision: "", path: [], changelist: "CL", root: Array("/a".utf8), base: .own),
            .attach(mount: "m", origin: "main"),
            .status,
            .lookUp(
                origin: "main",
                places: [
                    TreePlace(directory: .emptyTreeSHA1, path: Array("a/b".utf8)),
                    TreePlace(directory: .emptyTreeSHA1, path: []),
                ]),
            .list(origin: "main", directory: .emptyTreeSHA1),
        ]
        let inputs = requests.map { MessageHeader(operation: $0.operation.rawValue, id: 1).message($0.encode()) }
        let found = fuzz(8, inputs) { bytes in
            succeeds {
                var reader = WireReader(bytes)
                let header = try MessageHeader(from: &reader)
                guard let operation = CacheOperation(rawValue: header.operation) else {
                    throw WireError.invalid("operation")
                }
                _ = try ControlRequest(operation: operation, from: &reader)
            }
        }
        #expect(found.taken > 0 && found.refused > 0)
    }

    @Test func controlReplies() throws {
        let found = ControlReply.found([nil, PackedEntry(mode: .regular, id: .emptyBlobSHA1, size: 5)])
        let replies: [(CacheOperation, ControlReply)] = [
            (.lookUp, found), (.list, .listing([1, 2])), (.list, .listingFile(size: 9)), (.holdings, .holdings(["a"])),
        ]
        let inputs = replies.map { MessageHeader(operation: $0.rawValue, id: 1).message($1.encode()) }
        let tried = fuzz(11, inputs) { bytes in
            succeeds {
                var reader = WireReader(bytes)
                let header = try MessageHeader(from: &reader)
                guard let operation = CacheOperation(rawValue: header.operation) else {
                    throw WireError.invalid("operation")
                }
                _ = try ControlReply(operation: operation, from: &reader)
            }
        }
        #expect(tried.taken > 0 && tried.refused > 0)
    }

    @Test func packedDirectories() throws {
        let packed = try DirectoryPacker.pack([
            DirectoryPacker.Item(
                name: Array("a".utf8), entry: PackedEntry(mode: .regular, id: .emptyBlobSHA1, size: 1)),
            DirectoryPacker.Item(
                name: Array("b".utf8), entry: PackedEntry(mode: .directory, id: .emptyTreeSHA1, size: 0)),
        ])
        let found = fuzz(9, [packed]) { bytes in
            succeeds {
                let listing = try PackedDirectory(bytes)
                for index in 0..<listing.count { #expect(listing.index(of: Array(listing.name(at: index))) == index) }
            }
        }
        #expect(found.taken > 0 && found.refused > 0)
    }

    /// A worker that sends anything loses its own connection at most.
    @Test(.timeLimit(.minutes(2))) func hostileWorkers() throws {
        let world = try World(.antares, ["f": .file("x")])
        let owner = try world.owner()
        let file = try world.repository.id("HEAD:f")
        let good = try owner.worker()
        var mutator = Mutator(seed: 10)
        let hello = MessageHeader(operation: 1, id: 1).message(WorkerRequest.hello(oldest: 1, newest: 1).encode())
        let open = MessageHeader(operation: 4, id: 2).message(WorkerRequest.open(file, expectedSize: 1).encode())
        for _ in 0..<200 {
            let bad = try owner.control.attach("main")
            for input in [hello, open, open] {
                // The owner may have hung up already.
                try? bad.socket.send(mutator.below(3) == 0 ? mutator.mutated(input) : input)
            }
        }
        #expect(try good.contents(file, size: 1) == [0x78])
    }
}
