import CacheProtocol
import GitObjects
import LinuxSystem

/// Small objects that are missed at the same time travel in one request, from places that offer it. A batch is an attempt: what
/// it does not bring is asked for alone, with retries and mirrors, so that one bad object never costs another one.
extension OriginFetcher {
    /// Larger blobs go alone and stream to disk.
    static let batchedBlobLimit: UInt64 = 256 << 10

    /// Lone misses are plain GETs, which a caching mirror can keep.
    private static let smallestBatch = 2

    static func mayTravelTogether(_ key: FlightKey) -> Bool {
        switch key {
        case .blob(let id, let size?): id.kind == .sha1 && size <= batchedBlobLimit
        case .directory(let id): id.kind == .sha1
        default: false
        }
    }

    /// Answers what has come since, and queues the rest.
    func sortArrivals() async {
        let keys = arrivals.with { arrivals in
            defer { arrivals = [] }
            return arrivals
        }
        // What looks absent may be on its way out of a damaged index.
        await store.salvager.settled()
        for key in keys {
            switch key {
            case .blob(let id, let size):
                if landLocal(key, id) {
                    continue
                } else if asksOneByOne("blobs") {
                    launchAlone(key)
                } else {
                    let isBackground = isBackground(key)
                    blobQueue.add(BatchQueue.Item(key: key, id: id, size: size ?? 0, isBackground: isBackground))
                    if !isBackground, asksTogether("blobs"), blobQueue.foregroundCount < Self.readaheadLimit {
                        addGuesses(id)
                    }
                }
            case .directory(let id):
                if let packed = store.packedDirectory(id) {
                    store.land(key, .directory(packed), storing: nil)
                } else if asksOneByOne("trees") {
                    launchAlone(key)
                } else {
                    let isBackground = isBackground(key)
                    treeQueue.add(BatchQueue.Item(key: key, id: id, size: 0, isBackground: isBackground))
                    if !isBackground, asksTogether("trees"), treeQueue.foregroundCount < Self.readaheadLimit {
                        addGuesses(id)
                    }
                }
            default:
                launchAlone(key)
            }
        }
        pump()
    }

    /// With so many waiting, the origin has enough to do.
    private static let readaheadLimit = 256

    /// What is likely to be missed next travels behind the object that was.
    private func addGuesses(_ id: ObjectID) {
        for key in store.flightsAhead(of: id) {
            switch key {
            case .blob(let id, let size):
                blobQueue.add(BatchQueue.Item(key: key, id: id, size: size ?? 0, isBackground: false))
            case .directory(let id):
                treeQueue.add(BatchQueue.Item(key: key, id: id, size: 0, isBackground: false))
            default:
                break
            }
        }
    }

    private func isBackground(_ key: FlightKey) -> Bool {
        store.background.with { $0[key] } != nil
    }

    func raise(_ key: FlightKey, _ urgency: Urgency) {
        treeQueue.promote(key)
        blobQueue.promote(key)
        thread.promote(urgency)
        leavePace(urgency)
        pump()
    }

    private func launchAlone(_ key: FlightKey) {
        Task(executorPreference: thread) { await self.fly(key) }
    }

    /// Starts what may be started.
    private func pump() {
        while let batch = treeQueue.next() {
            Task(executorPreference: thread) { await self.carryTrees(batch) }
        }
        while let batch = blobQueue.next() {
            Task(executorPreference: thread) { await self.carryBlobs(batch) }
        }
    }

    private func carryTrees(_ batch: BatchQueue.Batch) async {
        await carry(batch, "trees")
        treeQueue.ended(batch)
        pump()
    }

    private func carryBlobs(_ batch: BatchQueue.Batch) async {
        await carry(batch, "blobs")
        blobQueue.ended(batch)
        pump()
    }

    private func carry(_ batch: BatchQueue.Batch, _ name: String) async {
        let urgency = batch.isBackground ? Urgency() : nil
        if let urgency {
            // Whoever waits for one of them now raises all; so does who came to wait since the batch was put together.
            let isWanted = store.background.with { background in
                var isWanted = false
                for item in batch.items {
                    if background[item.key] == nil { isWanted = true } else { background[item.key] = urgency }
                }
                return isWanted
            }
            if isWanted { urgency.raise() }
        }
        await Self.$urgency.withValue(urgency) { await self.carryOut(batch, name) }
    }

    private func carryOut(_ batch: BatchQueue.Batch, _ name: String) async {
        var left = batch.items
        if left.count >= Self.smallestBatch, let place = await batchPlace(name) {
            await store.writer.room()
            left = await ask(place, name, for: batch)
        }
        if left.count == 1 { return await fly(left[0].key) }
        for item in left { launchAlone(item.key) }
    }

    /// The place that would be asked anyway, if it takes batches.
    func batchPlace(_ name: String) async -> Int? {
        guard let place = places.with({ $0.preferred(.now) }), let can = await capabilities(of: place) else {
            return nil
        }
        return can.extensions.contains(name) ? place : nil
    }

    /// What a batch has brought.
    private final class Progress: @unchecked Sendable {
        // Sendable: only the fetch thread touches it.
        var landed = Set<Int>()
        var corrupt: CacheError?
    }

    /// One request for all; what it did not bring.
    private func ask(_ place: Int, _ name: String, for batch: BatchQueue.Batch) async -> [BatchQueue.Item] {
        let progress = Progress()
        let items = batch.items
        let store = store
        let path = "/antares/v1/\(name)"
        var body: [UInt8] = []
        body.reserveCapacity(items.count * 20)
        for item in items { body += item.id.bytes }
        let wanted = items.map { item in
            if case .blob(_, let size) = item.key { return FrameReceiver.Wanted(id: item.id, size: size) }
            return FrameReceiver.Wanted(id: item.id)
        }
        let call = OriginCall(
            path: path, method: .post, body: body, counter: .batchFetches, attempts: 1, place: place)
        let budget = thread.budget
        let failure: CacheError?
        do throws(CacheError) {
            let answered: Bool? = try await perform(
                call,
                receiver: {
                    FrameReceiver(wanted, objects: store.objects, budget: budget, known: { store.knownSize(of: $0) }) {
                        index, result in
                        switch self.land(items[index].key, result) {
                        case nil: progress.landed.insert(index)
                        case let error?: progress.corrupt = error.code == .corrupt ? error : progress.corrupt
                        }
                    }
                }
            ) { (receiver, _) throws(CacheError) in
                try receiver.finish()
                return true
            }
            failure = answered == nil ? CacheError(.unreachable, "no such extension") : nil
        } catch {
            failure = error
        }
        if let corrupt = progress.corrupt {
            noteCorrupt(corrupt, path, at: bases[place])
            failed(place, .corrupt)
        }
        // A place that answers but not to this is asked one by one from now on; one that is away may be back later.
        if let failure, !places.with({ $0.places[place].isBroken }) {
            log.warning(
                "batch-failed",
                ["origin": self.name, "place": bases[place], "objects": name, "cause": failure.message])
            if failure.code != .timedOut { disable(name, at: place) }
        }
        return items.indices.filter { !progress.landed.contains($0) }.map { items[$0] }
    }

    /// Answers those who wait for a directory, now or when its pointers have been followed.
    nonisolated private func land(_ key: FlightKey, _ id: ObjectID, _ packed: [UInt8]) {
        guard mayHavePointers(packed) else {
            return store.land(key, .directory(packed), storing: .directory(id, packed: packed, paths: [:]))
        }
        let urgency = store.background.with { $0[key] }
        Task(executorPreference: thread) {
            await Self.$urgency.withValue(urgency) {
                do throws(CacheError) {
                    let shown = try await self.followingPointers(packed)
                    self.store.land(key, .directory(shown), storing: .directory(id, packed: shown, paths: [:]))
                } catch {
                    self.fail(key, error)
                }
            }
        }
    }

    /// Answers those who wait for an object of a batch. Nil if it is settled; else why it has to be asked for alone.
    nonisolated private func land(_ key: FlightKey, _ result: Result<FrameReceiver.Object, CacheError>) -> CacheError? {
        // Before anybody is told, so that who was told sees it counted.
        if case .success(let object) = result, object.isFound { counters.add(.batchedObjects) }
        switch (result, key) {
        case (.success(.blob(.contents(let bytes))), .blob(let id, _)):
            let change = IndexChange.blob(id, size: UInt64(bytes.count), contents: bytes)
            store.land(key, .contents(bytes), storing: change)
        case (.success(.blob(.file(let file, let size))), .blob(let id, _)):
            store.land(key, .file(file, size: size), storing: store.recorded(id, size: size))
        case (.success(.tree(let packed)), .directory(let id)):
            land(key, id, packed)
        case (.failure(let error), _) where error.code == .refused:
            fail(key, error)
        case (.failure(let error), _):
            return error
        default:
            return CacheError(.notFound, "the origin has no \(key)")
        }
        return nil
    }
}
