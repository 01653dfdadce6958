import CacheProtocol
import GitObjects
import LinuxSystem

/// Takes a stream of object frames: what was asked for, in that order, and nothing else. Each object is checked against its id
/// as it arrives and handed on when it is whole, not at the end of the stream.
final class FrameReceiver: BodyReceiver {
    struct Wanted: Sendable {
        let id: ObjectID
        /// What a blob must have, if that is known.
        var size: UInt64?
    }

    enum Object: Sendable {
        case blob(FlightValue)
        /// A packed directory.
        case tree([UInt8])
        /// The origin says that it has none.
        case missing

        var isFound: Bool {
            if case .missing = self { false } else { true }
        }
    }

    private let wanted: [Wanted]
    private let objects: ObjectStore
    private let budget: MemoryBudget
    private let known: (ObjectID) -> UInt64?
    private let found: (Int, Result<Object, CacheError>) -> Void
    private var decoder = ObjectFrameDecoder(treeLimit: TreeAssembler.lengthLimit, passesTrees: true)
    private var position = 0
    private var tree: TreeAssembler?
    private var blob: BlobReceiver?
    /// What is wrong with the object under way; the rest of its bytes does not matter.
    private var bad: CacheError?

    /// - Parameters:
    ///   - known: sizes that a tree's frame does not have.
    ///   - found: called on the fetch thread for each object, with its place in `wanted`. A failure is that of one object.
    init(
        _ wanted: [Wanted], objects: ObjectStore, budget: MemoryBudget, known: @escaping (ObjectID) -> UInt64?,
        found: @escaping (Int, Result<Object, CacheError>) -> Void
    ) {
        self.wanted = wanted
        self.objects = objects
        self.budget = budget
        self.known = known
        self.found = found
    }

    func begin(length: UInt64?) -> CacheError? { nil }

    func receive(_ chunk: UnsafeRawBufferPointer) -> CacheError? {
        var rest = chunk
        do throws(ObjectFrameError) {
            while let event = try decoder.next(&rest) {
                if let error = take(event) { return error }
            }
            return nil
        } catch {
            return CacheError(.corrupt, "the origin's stream of objects: \(error)")
        }
    }

    /// Call after the whole body.
    func finish() throws(CacheError) {
        guard decoder.isComplete else { throw CacheError(.corrupt, "the origin's stream of objects is cut off") }
    }

    private func take(_ event: ObjectFrameDecoder.Event) -> CacheError? {
        switch event {
        case .blobBegan(let id, let length):
            guard isNext(id) else { return unexpected(id) }
            let receiver = BlobReceiver(
                id, size: wanted[position].size, store: objects, memoryLimit: WorkerReply.inlineBlobLimit)
            bad = receiver.begin(length: length)
            blob = receiver
            // A length that cannot be true is not worth waiting for its bytes.
            return bad
        case .blobBytes(let bytes):
            if bad == nil { bad = blob?.receive(bytes) }
            return bad.flatMap { $0.code == .corrupt ? nil : $0 }
        case .blobEnded:
            guard let receiver = blob.take() else { return nil }
            end { () throws(CacheError) in .blob(try receiver.finish()) }
            return nil
        case .treeBegan(let id, let length):
            guard isNext(id) else { return unexpected(id) }
            tree = TreeAssembler(id, length: length, budget: budget)
            return nil
        case .treeBytes(let bytes):
            return tree?.receive(payload: bytes)
        case .treeSizes(let sizes):
            if bad == nil { bad = tree?.receive(sizes: sizes) }
            return nil
        case .treeEnded:
            guard let assembler = tree.take() else { return nil }
            end { () throws(CacheError) in .tree(try assembler.finish(known: known)) }
            return nil
        case .missing(let id):
            guard isNext(id) else { return unexpected(id) }
            end { () throws(CacheError) in .missing }
            return nil
        case .end:
            return position == wanted.count
                ? nil : CacheError(.corrupt, "the origin sent \(position) of \(wanted.count) objects")
        case .tree(let id, _, _):
            return unexpected(id)
        }
    }

    private func end(_ finish: () throws(CacheError) -> Object) {
        let result: Result<Object, CacheError>
        if let bad {
            result = .failure(bad)
        } else {
            result = Result { () throws(CacheError) in try finish() }
        }
        bad = nil
        position += 1
        found(position - 1, result)
    }

    private func isNext(_ id: ObjectID) -> Bool {
        position < wanted.count && wanted[position].id == id
    }

    private func unexpected(_ id: ObjectID) -> CacheError {
        CacheError(.corrupt, "the origin sent \(id), which is not what comes next")
    }
}
