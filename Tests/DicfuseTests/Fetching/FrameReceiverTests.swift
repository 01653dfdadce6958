import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import Testing

@testable import Dicfuse

@Suite("Streams of objects")
final class FrameReceiverTests {
    let directory: String
    let objects: ObjectStore
    static let blob = Array("hello".utf8)
    static let large = [UInt8](repeating: 7, count: 100_000)
    static let payload = TreeWriter.payload(of: [
        TreeEntry(mode: .regular, id: .emptyBlobSHA1, name: [0x61]),
        TreeEntry(mode: .directory, id: .emptyTreeSHA1, name: [0x62]),
    ])
    static let tree = ObjectID.hash(tree: payload)

    init() throws {
        directory = try TemporaryDirectory.make("objects")
        objects = try ObjectStore(directory)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    private final class Found {
        var objects: [(Int, Result<FrameReceiver.Object, CacheError>)] = []
    }

    /// What the receiver makes of a stream in chunks of `step` bytes.
    private func receive(
        _ stream: [UInt8], _ wanted: [ObjectID], step: Int = 4096, budget: MemoryBudget = MemoryBudget(),
        sizes: [ObjectID: UInt64] = [:], known: @escaping (ObjectID) -> UInt64? = { _ in nil }
    ) -> (found: [(Int, Result<FrameReceiver.Object, CacheError>)], error: CacheError?) {
        let found = Found()
        let receiver = FrameReceiver(
            wanted.map { FrameReceiver.Wanted(id: $0, size: sizes[$0]) }, objects: objects, budget: budget,
            known: known
        ) { found.objects.append(($0, $1)) }
        for start in stride(from: 0, to: stream.count, by: step) {
            let error = Array(stream[start..<min(start + step, stream.count)]).withUnsafeBytes { receiver.receive($0) }
            if let error { return (found.objects, error) }
        }
        do throws(CacheError) {
            try receiver.finish()
            return (found.objects, nil)
        } catch {
            return (found.objects, error)
        }
    }

    private func treeFrame(_ payload: [UInt8], _ sizes: [UInt64], id: ObjectID? = nil) -> [UInt8] {
        var bytes: [UInt8] = []
        ObjectFrame.appendTree(to: &bytes, id ?? .hash(tree: payload), payload: payload, sizes: sizes)
        return bytes
    }

    private func blobFrame(_ bytes: [UInt8], id: ObjectID? = nil) -> [UInt8] {
        ObjectFrame.header(.blob, id ?? .hash(blob: bytes), length: UInt64(bytes.count)) + bytes
    }

    @Test("Objects come out as they come in, whatever the pieces", arguments: [1, 3, 50, 100_000])
    func whole(_ step: Int) throws {
        let ids = [Self.tree, .hash(blob: Self.blob), .emptyBlobSHA1, .hash(blob: Self.large)]
        let stream =
            treeFrame(Self.payload, [0, ObjectFrame.noSize]) + blobFrame(Self.blob) + blobFrame([])
            + blobFrame(Self.large) + ObjectFrame.end
        let budget = MemoryBudget()
        let (found, error) = receive(stream, ids, step: step, budget: budget)
        #expect(error == nil)
        #expect(found.map(\.0) == [0, 1, 2, 3])
        guard case .success(.tree(let packed)) = found[0].1, case .success(.blob(.contents(let small))) = found[1].1,
            case .success(.blob(.contents(let empty))) = found[2].1,
            case .success(.blob(.file(_, let size))) = found[3].1
        else {
            Issue.record("\(found)")
            return
        }
        let listing = try PackedDirectory(packed)
        #expect(listing.items.map(\.entry.mode) == [.regular, .directory])
        #expect(listing.items.allSatisfy { $0.entry.isComplete })
        #expect(small == Self.blob)
        #expect(empty.isEmpty)
        #expect(size == 100_000)
        #expect(budget.used == 0)
    }

    @Test("A bad object is a failure of its own; those around it are taken")
    func oneBad() {
        let ids = [ObjectID.hash(blob: [1]), .hash(blob: [2]), .hash(blob: [3])]
        let stream = blobFrame([1]) + blobFrame([9], id: ids[1]) + blobFrame([3]) + ObjectFrame.end
        let (found, error) = receive(stream, ids)
        #expect(error == nil)
        let codes = found.map { _, result in
            if case .failure(let error) = result { error.code } else { nil as CacheError.Code? }
        }
        #expect(codes == [nil, .corrupt, nil])
    }

    @Test("A stream that is cut, too long, in another order or of other things is an error")
    func broken() {
        let frame = treeFrame(Self.payload, [0, ObjectFrame.noSize])
        let blob = blobFrame(Self.blob)
        let id = ObjectID.hash(blob: Self.blob)
        let streams: [([UInt8], [ObjectID])] = [
            (frame, [Self.tree]), ([], [Self.tree]), (ObjectFrame.end, [Self.tree]),
            (frame + frame + ObjectFrame.end, [Self.tree]), (frame + ObjectFrame.end, [.emptyTreeSHA1]),
            (blob + frame + ObjectFrame.end, [Self.tree, id]), (frame + ObjectFrame.end, [Self.tree, id]),
            (frame + ObjectFrame.end + [0], [Self.tree]), (Array("HTTP error".utf8), [id]),
        ]
        for (stream, wanted) in streams { #expect(receive(stream, wanted).error?.code == .corrupt) }
        #expect(receive(blob + ObjectFrame.end, [id], sizes: [id: 6]).error?.code == .corrupt)
    }

    @Test("A tree's failure says whether the bytes are others, or the tree itself is bad")
    func trees() {
        func code(_ payload: [UInt8], _ sizes: [UInt64], id: ObjectID? = nil) -> CacheError.Code? {
            let id = id ?? .hash(tree: payload)
            let (found, error) = receive(treeFrame(payload, sizes, id: id) + ObjectFrame.end, [id], step: 5)
            if let error { return error.code }
            guard case .failure(let error)? = found.first?.1 else { return nil }
            return error.code
        }
        #expect(code(Self.payload, [0, 0]) == nil)
        #expect(code(Self.payload, [0, 0], id: .emptyTreeSHA1) == .corrupt)
        #expect(code(Self.payload, [0]) == .corrupt)
        #expect(code(Self.payload + Self.payload, [0, 0, 0, 0], id: Self.tree) == .corrupt)
        // Two entries of one name, half an entry, no entry at all.
        #expect(code(Self.payload + Self.payload, [0, 0, 0, 0]) == .refused)
        #expect(code(Array(Self.payload.dropLast()), [0]) == .refused)
        #expect(code([UInt8](repeating: 0x20, count: 90), []) == .refused)
    }

    @Test("A size the origin does not have is taken from the index, or left open")
    func unknownSizes() throws {
        let stream = treeFrame(Self.payload, [ObjectFrame.noSize, ObjectFrame.noSize]) + ObjectFrame.end
        func entry(_ known: UInt64?) throws -> PackedEntry? {
            let (found, _) = receive(stream, [Self.tree], known: { _ in known })
            guard case .success(.tree(let packed))? = found.first?.1 else { return nil }
            return try PackedDirectory(packed)[0]
        }
        #expect(try entry(nil)?.flags == .sizeUnknown)
        #expect(try entry(77)?.size == 77)
        #expect(try entry(77)?.isComplete == true)
    }

    @Test("What is held in memory has a limit for all transfers together, and is given back")
    func memory() {
        let budget = MemoryBudget(limit: Self.payload.count * 4)
        let stream = treeFrame(Self.payload, [0, 0]) + ObjectFrame.end
        #expect(receive(stream, [Self.tree], budget: budget).error == nil)
        let share = MemoryShare(budget)
        #expect(share.grow(Self.payload.count * 2) == nil)
        #expect(receive(stream, [Self.tree], budget: budget).error?.code == .overloaded)
        #expect(budget.used == Self.payload.count * 2)
    }
}
