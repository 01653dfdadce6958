import CacheProtocol
import GitObjects
import LinuxSystem
import SealedImage

/// Makes one image. Runs on the sealing thread.
struct SealingJob {
    let store: OriginStore
    let key: SealedImages.Key
    let isStopping: @Sendable () -> Bool

    /// Entries by which a tree may differ from a small one that its image is made from.
    private static let smallChange = 1000

    /// Makes a whole image.
    func whole() throws(SealingError) -> ImageRecord {
        try make(try makeReader(), from: nil)
    }

    /// Makes the image from the one that is most like it; throws where there is none, or where that does not pay.
    func copy() throws(SealingError) -> ImageRecord {
        let reader = try makeReader()
        try fetchRoot(reader.reader)
        guard let base = base(reader.reader) else { throw .alone }
        return try make(reader, from: base)
    }

    private func make(_ reader: IndexReaderBox, from base: SealedImages.Key?) throws(SealingError) -> ImageRecord {
        var former: (file: SharedFD, record: ImageRecord)?
        if let base {
            guard let opened = store.images.openBase(base) else { throw .image(.malformedBase) }
            former = opened
        }
        let limit = former.map { $0.record.sizes.count / 4 + Self.smallChange }
        let walk = try walk(reader.reader, SealingWalk(key.root, former: base?.root, limit: limit))
        let source = IndexSource(reader: reader, kept: walk.kept, targets: try targets(of: walk.links))
        // The root of a change is made with its time, which is kept with it.
        let changeTime = key.root.kind == .changed ? store.snapshot(key.root)?.time : key.time
        guard let changeTime else { throw .storage("the index has lost the time of \(key.root)") }
        do throws(SystemError) {
            let file = try store.images.create(key)
            let summary: SealedImage.Summary
            do throws(SealedImageError) {
                if let base, let former {
                    let image = SealedImage.Base(
                        file: former.file.raw, bytes: Int(former.record.bytes), root: base.root)
                    summary = try SealedImage.write(
                        key.root, of: source, madeFrom: image, time: key.time, changeTime: changeTime, to: file.raw)
                } else {
                    summary = try SealedImage.write(
                        key.root, of: source, time: key.time, changeTime: changeTime, to: file.raw)
                }
            } catch {
                throw SystemError(.cancelled, "sealing", "", detail: "\(error)")
            }
            let size = UInt64(summary.bytes)
            guard let checksum = try ImageRecord.checksum(of: file.raw, size: size) else {
                throw SystemError(.ioError, "pread", key.name)
            }
            // What is in the other one stays among the sizes, even what this tree has no more: it is asked for by id.
            let sizes = former?.record.sizes.adding(walk.sizes) ?? SizeTable(walk.sizes)
            let record = ImageRecord(
                bytes: size, checksum: checksum, isBase: summary.isBase && key.root.kind != .changed, sizes: sizes)
            if base != nil { store.counters.add(.imagesFromOthers) }
            try store.images.publish(key, record, store.counters)
            return record
        } catch {
            throw .storage(error.detail.isEmpty ? "\(error)" : error.detail)
        }
    }

    /// The image that this one may be made from: of a tree whose root has the most names in common, the last used of those.
    private func base(_ reader: borrowing IndexReader) -> SealedImages.Key? {
        guard let packed = try? reader.packedDirectory(key.root), let root = try? PackedDirectory(packed) else {
            return nil
        }
        var best: (key: SealedImages.Key, common: Int)?
        for candidate in store.images.bases where candidate != key {
            guard let packed = try? reader.packedDirectory(candidate.root), let other = try? PackedDirectory(packed)
            else {
                continue
            }
            let common = (0..<root.count).count { other.index(of: root.name(at: $0)) != nil }
            if common * 2 >= max(root.count, other.count), common > best?.common ?? -1 { best = (candidate, common) }
        }
        return best?.key
    }

    private func makeReader() throws(SealingError) -> IndexReaderBox {
        do throws(IndexError) {
            return try IndexReaderBox(store.index)
        } catch {
            throw .storage("\(error)")
        }
    }

    // MARK: The tree

    /// Level by level, so that what is missing of a level is fetched together.
    private func walk(_ reader: borrowing IndexReader, _ begun: SealingWalk) throws(SealingError) -> SealingWalk {
        var walk = begun
        while case let level = walk.descend(), !level.isEmpty {
            var missing: [SealingWalk.Step] = []
            for step in level {
                if isStopping() { throw .stopped }
                if let packed = try? reader.packedDirectory(step.id) {
                    try take(packed, step, reader, &walk)
                } else if step.id.kind == .changed {
                    throw .storage("the index has lost directory \(step.id) of a changelist")
                } else {
                    missing.append(step)
                }
            }
            try fetchTrees(missing, reader, &walk)
        }
        return walk
    }

    private func take(
        _ packed: [UInt8], _ step: SealingWalk.Step, _ reader: borrowing IndexReader, _ walk: inout SealingWalk
    ) throws(SealingError) {
        guard let directory = try? PackedDirectory(packed) else { throw .storage("directory \(step.id) is damaged") }
        var former: PackedDirectory?
        if let id = step.former {
            guard let packed = try? reader.packedDirectory(id) else {
                throw .storage("the index has lost directory \(id) of a sealed snapshot")
            }
            former = try? PackedDirectory(packed)
        }
        try walk.take(directory, step.id, former: former)
    }

    /// What has only just been pinned may not be in the index yet.
    private func fetchRoot(_ reader: borrowing IndexReader) throws(SealingError) {
        guard key.root.kind != .changed, (try? reader.packedDirectory(key.root)) == nil else { return }
        var walk = SealingWalk(key.root)
        try fetchTrees(walk.descend(), reader, &walk)
    }

    private func fetchTrees(
        _ steps: [SealingWalk.Step], _ reader: borrowing IndexReader, _ walk: inout SealingWalk
    ) throws(SealingError) {
        let places = Dictionary(grouping: steps, by: \.id)
        let ids = Array(places.keys)
        for start in stride(from: 0, to: ids.count, by: OriginFetcher.sealingBatch) {
            let wanted = ids[start...].prefix(OriginFetcher.sealingBatch).map { FrameReceiver.Wanted(id: $0) }
            let found = try fetch(wanted, "trees")
            var changes: [IndexChange] = []
            for (id, packed) in found {
                changes.append(.directory(id, packed: packed, paths: [:]))
                for step in places[id] ?? [] { try take(packed, step, reader, &walk) }
            }
            try commit(changes)
        }
    }

    /// The targets of links are part of the metadata. Those that cannot be read here are fetched, whatever the index says of them.
    private func targets(of links: [ObjectID: UInt64]) throws(SealingError) -> [ObjectID: [UInt8]] {
        var targets: [ObjectID: [UInt8]] = [:]
        var missing: [FrameReceiver.Wanted] = []
        for (id, size) in links {
            if case .here(.contents(let target)) = store.localBlob(id) {
                targets[id] = target
            } else {
                missing.append(FrameReceiver.Wanted(id: id, size: size))
            }
        }
        for start in stride(from: 0, to: missing.count, by: OriginFetcher.sealingBatch) {
            let found = try fetch(Array(missing[start...].prefix(OriginFetcher.sealingBatch)), "blobs")
            try commit(found.map { .blob($0.key, size: UInt64($0.value.count), contents: $0.value) })
            targets.merge(found) { $1 }
        }
        return targets
    }

    // MARK: Waiting

    private func fetch(
        _ wanted: [FrameReceiver.Wanted], _ name: String
    ) throws(SealingError) -> [ObjectID: [UInt8]] {
        let result = Guarded<Result<[ObjectID: [UInt8]], CacheError>?>(nil)
        try wait { done in
            store.fetcher?.fetchForSealing(wanted, name) { found in
                result.with { $0 = found }
                done()
            }
        }
        switch result.with({ $0 }) {
        case .success(let found)?: return found
        case .failure(let error)?: throw .fetch(error)
        case nil: throw .stopped
        }
    }

    /// Until all of it can be read from the index.
    private func commit(_ changes: [IndexChange]) throws(SealingError) {
        guard let last = changes.last else { return }
        let isStored = Guarded(false)
        try wait { done in
            for change in changes.dropLast() { store.writer.submit(change) }
            store.writer.submit(last) { stored in
                isStored.with { $0 = stored }
                done()
            }
        }
        guard isStored.with({ $0 }) else { throw .storage("the index cannot be written") }
    }

    private func wait(_ begin: (@escaping @Sendable () -> Void) -> Void) throws(SealingError) {
        guard let ended = try? EventCounter() else { throw .storage("no event counter") }
        begin { ended.add() }
        // The fetch thread may have ended before it was asked.
        while !ended.wait(until: .after(.milliseconds(250))) {
            if isStopping() { throw .stopped }
        }
    }
}

/// Directories from the index, and links that were read before.
private struct IndexSource: TreeSource {
    let reader: IndexReaderBox
    let kept: [ObjectID: PackedDirectory]
    let targets: [ObjectID: [UInt8]]

    func directory(_ id: ObjectID) throws(SealedImageError) -> PackedDirectory {
        if let directory = kept[id] { return directory }
        guard let packed = try? reader.reader.packedDirectory(id), let directory = try? PackedDirectory(packed) else {
            throw .incomplete(directory: id)
        }
        return directory
    }

    func link(_ id: ObjectID) throws(SealedImageError) -> [UInt8] {
        guard let target = targets[id] else { throw .link(id) }
        return target
    }
}
