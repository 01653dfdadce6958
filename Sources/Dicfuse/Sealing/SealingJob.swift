import CacheProtocol
import GitObjects
import LinuxSystem
import SealedImage

/// Makes one image. Runs on the sealing thread.
struct SealingJob {
    let store: OriginStore
    let key: SealedImages.Key
    let isStopping: @Sendable () -> Bool

    /// Bytes of directories that are kept in memory while an image is made: some 300,000 files.
    private static let keptLimit = 32 << 20

    /// What a walk over the whole tree found.
    private struct Walk {
        var sizes: [(prefix: UInt64, size: UInt64)] = []
        var links: [ObjectID: UInt64] = [:]
        var seen: Set<ObjectID> = []
        var below: [ObjectID] = []
        /// What need not be read and checked again for the layout and for the image.
        var kept: [ObjectID: PackedDirectory] = [:]
        private var keptBytes = 0

        mutating func take(_ directory: PackedDirectory, _ id: ObjectID) throws(SealingError) {
            if keptBytes + directory.byteCount <= SealingJob.keptLimit {
                keptBytes += directory.byteCount
                kept[id] = directory
            }
            for index in 0..<directory.count {
                let entry = directory[index]
                guard entry.isComplete else { throw .image(.incomplete(directory: id)) }
                switch entry.mode {
                case .directory: if seen.insert(entry.id).inserted { below.append(entry.id) }
                case .symlink: links[entry.id] = entry.size
                case .regular, .executable:
                    if entry.size > 0 { sizes.append((SizeTable.prefix(of: entry.id), entry.size)) }
                case .submodule: break
                }
            }
        }
    }

    func run() throws(SealingError) -> ImageRecord {
        let reader = try makeReader()
        let walk = try walk(reader.reader)
        try fetchLinks(walk.links)
        let source = IndexSource(store: store, reader: reader, kept: walk.kept)
        // The root of a change is made with its time, which is kept with it.
        let changeTime = key.root.kind == .changed ? store.snapshot(key.root)?.time : key.time
        guard let changeTime else { throw .storage("the index has lost the time of \(key.root)") }
        do throws(SystemError) {
            let file = try store.images.create(key)
            let summary: SealedImage.Summary
            do throws(SealedImageError) {
                summary = try SealedImage.write(
                    key.root, of: source, time: key.time, changeTime: changeTime, to: file.raw)
            } catch {
                throw SystemError(.cancelled, "sealing", "", detail: "\(error)")
            }
            let size = UInt64(summary.bytes)
            guard let checksum = try ImageRecord.checksum(of: file.raw, size: size) else {
                throw SystemError(.ioError, "pread", key.name)
            }
            let record = ImageRecord(bytes: size, checksum: checksum, sizes: SizeTable(walk.sizes))
            try store.images.publish(key, record, store.counters)
            return record
        } catch {
            throw .storage(error.detail.isEmpty ? "\(error)" : error.detail)
        }
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
    private func walk(_ reader: borrowing IndexReader) throws(SealingError) -> Walk {
        var walk = Walk()
        var level = [key.root]
        while !level.isEmpty {
            var missing: [ObjectID] = []
            for id in level {
                if isStopping() { throw .stopped }
                if let packed = try? reader.packedDirectory(id) {
                    try take(packed, id, &walk)
                } else if id.kind == .changed {
                    throw .storage("the index has lost directory \(id) of a changelist")
                } else {
                    missing.append(id)
                }
            }
            try fetchTrees(missing, &walk)
            level = walk.below
            walk.below = []
        }
        return walk
    }

    private func take(_ packed: [UInt8], _ id: ObjectID, _ walk: inout Walk) throws(SealingError) {
        guard let directory = try? PackedDirectory(packed) else { throw .storage("directory \(id) is damaged") }
        try walk.take(directory, id)
    }

    private func fetchTrees(_ ids: [ObjectID], _ walk: inout Walk) throws(SealingError) {
        for start in stride(from: 0, to: ids.count, by: OriginFetcher.sealingBatch) {
            let wanted = ids[start...].prefix(OriginFetcher.sealingBatch).map { FrameReceiver.Wanted(id: $0) }
            let found = try fetch(wanted, "trees")
            var changes: [IndexChange] = []
            for (id, packed) in found {
                changes.append(.directory(id, packed: packed, paths: [:]))
                try take(packed, id, &walk)
            }
            try commit(changes)
        }
    }

    /// The targets of links are part of the metadata.
    private func fetchLinks(_ links: [ObjectID: UInt64]) throws(SealingError) {
        let missing = links.filter { store.information(of: $0.key)?.flags.contains(.present) != true }
            .map { FrameReceiver.Wanted(id: $0.key, size: $0.value) }
        for start in stride(from: 0, to: missing.count, by: OriginFetcher.sealingBatch) {
            let found = try fetch(Array(missing[start...].prefix(OriginFetcher.sealingBatch)), "blobs")
            try commit(found.map { .blob($0.key, size: UInt64($0.value.count), contents: $0.value) })
        }
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

/// Directories from the index and links from the object files.
private struct IndexSource: TreeSource {
    let store: OriginStore
    let reader: IndexReaderBox
    let kept: [ObjectID: PackedDirectory]

    func directory(_ id: ObjectID) throws(SealedImageError) -> PackedDirectory {
        if let directory = kept[id] { return directory }
        guard let packed = try? reader.reader.packedDirectory(id), let directory = try? PackedDirectory(packed) else {
            throw .incomplete(directory: id)
        }
        return directory
    }

    func link(_ id: ObjectID) throws(SealedImageError) -> [UInt8] {
        guard case .here(.contents(let target)) = store.localBlob(id) else { throw .link(id) }
        return target
    }
}
