import CacheProtocol
import GitObjects
import LinuxSystem
import WorkerProtocol

/// The filesystem of a sealed snapshot's mount: two data-only layers of overlayfs, in which an object is only ever looked up.
///
/// An object that is neither in the data layer nor in the inbox is looked up in `t`: that lookup waits until the cache owner has put the
/// object into both, and is then answered with an absence, so that overlayfs goes on to the inbox and finds it there. Overlayfs drops
/// the error of every layer but the last; therefore a failed lookup is answered with an absence as well, and the reason is given
/// when overlayfs then asks `e`, which never answers with an absence.
///
/// No absence of an object may be kept by the kernel, because the next attempt may succeed. What overlayfs holds must never expire:
/// it would be ESTALE for the rest of the mount.
struct TriggerLower: ServedTree {
    /// Bounds of what is kept.
    struct Limits: Sendable {
        /// Open object files.
        var files = 128
        /// Failures that nobody has asked for yet.
        var failures = 1024
    }

    private let probeName: [UInt8]
    private var large: LargeObjects
    private var failures: FetchFailures
    private var contents: BoundedCache<ObjectID, BlobContents>

    /// Takes up what earlier workers noted. EPROTO if the memory is not that of this form.
    init(_ parameters: SessionParameters, memory: SessionMemory, limits: Limits = Limits()) throws(SystemError) {
        probeName = Array(parameters.probeName.utf8)
        large = try LargeObjects(memory)
        failures = FetchFailures(limit: limits.failures)
        contents = BoundedCache(limit: limits.files)
    }

    var directoryCount: Int { 0 }

    mutating func step(_ operation: Operation, supplied: Supplied?) -> Step {
        if operation.node == Lower.probeNode { return .reply(probe(operation)) }
        guard let node = TriggerNode(operation.node), let attributes = attributes(of: node) else {
            return .reply(.failure(Failure(.stale, "no node \(operation.node)")))
        }
        switch operation.kind {
        case .lookup(let name):
            return lookup(name, in: node, operation, supplied)
        case .attributes:
            return .reply(.attributes(attributes))
        case .readLink:
            return .reply(.failure(Failure(.invalidArgument, "node \(operation.node) is no link")))
        case .read(let offset, let count):
            return read(node, offset, count)
        case .list(let offset, let count, let withAttributes):
            guard attributes.mode == Attributes.directoryMode else {
                return .reply(.failure(Failure(.notADirectory, "node \(operation.node) is no directory")))
            }
            return .reply(
                .listing(
                    Listing(
                        node: operation.node, parent: Self.parent(of: node).number, base: 0, entries: nil,
                        offset: offset, count: count, withAttributes: withAttributes)))
        case .statistics:
            return .reply(.statistics(files: UInt64(large.count)))
        }
    }

    mutating func supply(_ dependency: Dependency, _ supply: Supply) -> Failure? {
        switch (dependency, supply) {
        case (.object, .provided), (.object, .large):
            return nil
        case (.blob(let id, let size), .blob(let blob)):
            guard blob.size == size else {
                return Failure(.ioError, "blob \(id) has \(blob.size) bytes and had \(size)", .damaged)
            }
            contents.insert(blob, for: id)
            return nil
        default:
            return Failure(.ioError, "the cache owner answered another question", .protocolError)
        }
    }

    mutating func answer(_ operation: Operation, failing failure: Failure) -> Answer {
        guard case .lookup(let name) = operation.kind, case .part(.fetch, let first)? = TriggerNode(operation.node),
            let id = ObjectFileName.object(first, name)
        else { return .failure(failure) }
        failures.note(failure, for: FetchFailures.Key(asker: operation.asker, id: id))
        return .absentNow
    }

    // MARK: Lookups

    private mutating func lookup(
        _ name: [UInt8], in node: TriggerNode, _ operation: Operation, _ supplied: Supplied?
    ) -> Step {
        if name == [0x2E] { return found(node) }
        if name == [0x2E, 0x2E] { return found(Self.parent(of: node)) }
        switch node {
        case .root:
            if name == probeName { return .reply(.entry(Self.probe)) }
            let side = TriggerNode.Side.allCases.first { $0.name == name }
            return side.map { found(.side($0)) } ?? Self.nothing
        case .side(let side):
            if name == Self.objects { return found(.objects(side)) }
            // An image of another layout: what its redirects lead to is not absent.
            return side == .fetch
                ? Self.nothing : .reply(.failure(Failure(.ioError, "there are no such objects", .damaged)))
        case .objects(let side):
            guard name.count == 2, let byte = ObjectFileName.byte(name[0], name[1]) else { return Self.nothing }
            return found(.part(side, byte))
        case .part(.fetch, let first):
            guard let id = ObjectFileName.object(first, name) else { return Self.nothing }
            return fetch(id, operation, supplied)
        case .part(.errors, let first):
            guard let id = ObjectFileName.object(first, name) else { return Self.nothing }
            let reason = failures.take(FetchFailures.Key(asker: operation.asker, id: id))
            // Also what was provided and is gone again before it was found.
            return .reply(
                .failure(reason ?? Failure(.ioError, "object \(id) could not be had, why is not known", .missing)))
        case .large:
            return .reply(.failure(Failure(.notADirectory, "node \(operation.node) is no directory")))
        }
    }

    private mutating func fetch(_ id: ObjectID, _ operation: Operation, _ supplied: Supplied?) -> Step {
        guard let supplied, supplied.dependency == .object(id) else { return .needs(.object(id)) }
        guard case .large(let size) = supplied.supply else { return .reply(.absentNow) }
        guard let place = large.place(of: id, size: size) else {
            return .reply(answer(operation, failing: Failure(.ioError, "the table of large objects is full", .table)))
        }
        return found(.large(place))
    }

    private func found(_ node: TriggerNode) -> Step {
        .reply(.entry(attributes(of: node)))
    }

    /// What is no object will never be one.
    private static let nothing = Step.reply(.entry(nil))

    // MARK: Files

    private mutating func read(_ node: TriggerNode, _ offset: UInt64, _ count: Int) -> Step {
        guard case .large(let place) = node, let object = large.object(at: place) else {
            return .reply(.failure(Failure(.isADirectory, "node \(node.number) is a directory")))
        }
        guard offset < object.size, count > 0 else { return .reply(.data(.bytes([]), offset: 0, count: 0)) }
        guard let blob = contents.value(for: object.id) else { return .needs(.blob(object.id, size: object.size)) }
        return .reply(.data(blob, offset: offset, count: Int(min(UInt64(count), object.size - offset))))
    }

    private func probe(_ operation: Operation) -> Answer {
        switch operation.kind {
        case .attributes: .attributes(Self.probe)
        case .read: .data(.bytes([]), offset: 0, count: 0)
        case .lookup([0x2E]): .entry(Self.probe)
        case .statistics: .statistics(files: 0)
        case .readLink: .failure(Failure(.invalidArgument, "the probe is no link"))
        case .lookup, .list: .failure(Failure(.notADirectory, "the probe is no directory"))
        }
    }

    // MARK: Nodes

    private static let probe = Attributes(node: Lower.probeNode, mode: 0o100444, size: 0, isCacheable: false)
    private static let objects = Array(StoreLayout.objects.utf8)

    private func attributes(of node: TriggerNode) -> Attributes? {
        guard case .large(let place) = node else {
            return Attributes(node: node.number, mode: Attributes.directoryMode, size: 0)
        }
        return large.object(at: place).map { Attributes(node: node.number, mode: 0o100444, size: $0.size) }
    }

    private static func parent(of node: TriggerNode) -> TriggerNode {
        switch node {
        case .root, .side: .root
        case .objects(let side): .side(side)
        case .part(let side, _): .objects(side)
        // Nobody asks for the directory of a file.
        case .large: .objects(.fetch)
        }
    }
}
