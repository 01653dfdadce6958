import GitObjects
import LinuxSystem
import NIOCore

/// The objects of one repository, for async callers: every wait for Git is on threads of its own, and bounded.
final class ObjectStore: Sendable {
    /// Larger trees are refused: Git would hold them in memory, and so would the client.
    static let treeLimit: UInt64 = 256 << 20

    let repository: GitRepository
    let limits: OriginConfiguration.Limits
    let streams: GitProcessPool
    let differ: ChangeStore
    let largeFiles: LFSFiles
    private let objects: GitProcessPool
    private let sizePool: GitProcessPool
    private let treeCache: RecentCache<ObjectID, [UInt8]>
    /// Only blobs: an id in here is known to be one.
    private let sizeCache: RecentCache<ObjectID, UInt64>

    init(_ repository: GitRepository, limits: OriginConfiguration.Limits) throws(OriginError) {
        self.repository = repository
        self.limits = limits
        self.largeFiles = LFSFiles(repository: repository.commonDirectory)
        func pool(_ name: String, _ format: String, _ size: Int) throws(OriginError) -> GitProcessPool {
            try GitProcessPool(
                repository, size: size, deadline: limits.gitDeadline, queue: limits.queue, name: name
            ) { (repository, deadline) throws(OriginError) in
                try repository.startCatFile(format: format, deadline: deadline)
            }
        }
        self.objects = try pool("git-objects", GitProcess.objectFormat, limits.readers)
        self.sizePool = try pool("git-sizes", GitProcess.sizeFormat, max(1, limits.readers / 2))
        self.streams = try pool("git-streams", GitProcess.objectFormat, limits.streams)
        self.differ = try ChangeStore(repository, limits: limits)
        self.treeCache = RecentCache(capacity: limits.treeCache) { $0.count + 128 }
        self.sizeCache = RecentCache(capacity: limits.sizeCache) { _ in 1 }
    }

    /// Git processes that died and were replaced.
    var restarts: UInt64 {
        self.objects.restarts + self.sizePool.restarts + self.streams.restarts + self.differ.restarts
    }

    /// Processes that wait for work.
    var idleProcesses: [Int32] {
        self.objects.idleProcesses + self.sizePool.idleProcesses + self.streams.idleProcesses
            + self.differ.idleProcesses
    }

    /// The commit a name stands for now; nil if there is none. Annotated tags are followed.
    func commitID(of name: String) async throws(OriginError) -> ObjectID? {
        try await self.objects.run { (process, absence) throws(OriginError) in
            let info = try process.lookUp(["\(name)^{commit}"])[0]
            if info == nil { try absence.confirm(process) }
            return info?.id
        }
    }

    /// Nil if there is no such object.
    func info(_ id: ObjectID) async throws(OriginError) -> ObjectInfo? {
        try await self.objects.run { (process, absence) throws(OriginError) in
            let info = try process.lookUp([id.hex])[0]
            if info == nil { try absence.confirm(process) }
            return info
        }
    }

    /// Nil if there is no such commit.
    func commit(_ id: ObjectID) async throws(OriginError) -> Commit? {
        guard let payload = try await self.payloads([id], type: "commit", limit: 16 << 20)[0] else { return nil }
        do {
            return try Commit(payload: payload)
        } catch {
            throw OriginError(.objectDamaged, "commit \(id) is not readable: \(error)")
        }
    }

    /// Nil if there is no such tree.
    func tree(_ id: ObjectID) async throws(OriginError) -> [UInt8]? {
        try await self.trees([id])[0]
    }

    /// One answer for each id; nil where there is no such tree.
    func trees(_ ids: [ObjectID]) async throws(OriginError) -> [[UInt8]?] {
        var answers = self.treeCache.values(for: ids)
        let missing = ids.indices.filter { answers[$0] == nil }
        guard !missing.isEmpty else { return answers }
        let read = try await self.payloads(missing.map { ids[$0] }, type: "tree", limit: Self.treeLimit)
        for (index, payload) in zip(missing, read) {
            answers[index] = payload
            if let payload { self.treeCache.insert(payload, for: ids[index]) }
        }
        return answers
    }

    /// The sizes of objects that trees name as blobs; `ObjectFrame.noSize` for one that is not there.
    func blobSizes(_ ids: [ObjectID]) async throws(OriginError) -> [UInt64] {
        var answers = self.sizeCache.values(for: ids)
        let unknown = Array(Set(ids.indices.filter { answers[$0] == nil }.map { ids[$0] }))
        guard !unknown.isEmpty else { return answers.map { $0 ?? ObjectFrame.noSize } }
        let sizes = try await self.sizePool.run { (process, absence) throws(OriginError) in
            let sizes = try process.sizes(of: unknown)
            if sizes.contains(ObjectFrame.noSize) { try absence.confirm(process) }
            return sizes
        }
        let found = Dictionary(uniqueKeysWithValues: zip(unknown, sizes)).filter { $0.value != ObjectFrame.noSize }
        self.sizeCache.insert(found)
        for index in ids.indices where answers[index] == nil { answers[index] = found[ids[index]] }
        return answers.map { $0 ?? ObjectFrame.noSize }
    }

    /// For each id the size of the blob, nil where there is none or it is something else. Reads no content.
    func checkedBlobSizes(_ ids: [ObjectID]) async throws(OriginError) -> [UInt64?] {
        var answers = self.sizeCache.values(for: ids)
        let unknown = Array(Set(ids.indices.filter { answers[$0] == nil }.map { ids[$0] }))
        guard !unknown.isEmpty else { return answers }
        let infos = try await self.objects.run { (process, absence) throws(OriginError) in
            let infos = try process.lookUp(unknown.map(\.hex))
            if infos.contains(where: { $0 == nil }) { try absence.confirm(process) }
            return infos
        }
        var found: [ObjectID: UInt64] = [:]
        for (id, info) in zip(unknown, infos) {
            if let info, info.type == "blob" { found[id] = info.size }
        }
        self.sizeCache.insert(found)
        for index in ids.indices where answers[index] == nil { answers[index] = found[ids[index]] }
        return answers
    }

    /// The contents of blobs whose sizes are known, one after the other, each preceded by what `header` gives for it.
    /// - Throws: `objectDamaged` when one is not the blob of that size.
    func blobs(
        _ wanted: [(id: ObjectID, size: UInt64)],
        header: @escaping @Sendable (ObjectID, UInt64) -> [UInt8] = { _, _ in [] }
    ) async throws(OriginError) -> ByteBuffer {
        try await self.objects.run { (process, absence) throws(OriginError) in
            var buffer = ByteBuffer()
            buffer.reserveCapacity(wanted.reduce(0) { $0 + Int($1.size) + 64 })
            try process.contents(of: wanted.map(\.id)) { (index, info) throws(OriginError) in
                let (id, size) = wanted[index]
                try Self.expect(info, id, size, process, absence)
                buffer.writeBytes(header(id, size))
                try process.read(Int(size), into: &buffer)
            }
            return buffer
        }
    }

    /// A blob announced with this id and size has to be there.
    static func expect(
        _ info: ObjectInfo?, _ id: ObjectID, _ size: UInt64, _ process: GitProcess, _ absence: Absence
    ) throws(OriginError) {
        if info == nil { try absence.confirm(process) }
        guard let info, info.type == "blob", info.size == size else {
            throw OriginError(.objectDamaged, "git no longer gives blob \(id) as it did")
        }
    }

    private func payloads(
        _ ids: [ObjectID], type: String, limit: UInt64
    ) async throws(OriginError) -> [[UInt8]?] {
        try await self.objects.run { (process, absence) throws(OriginError) in
            var payloads: [[UInt8]?] = []
            payloads.reserveCapacity(ids.count)
            try process.contents(of: ids) { (index, info) throws(OriginError) in
                guard let info else {
                    try absence.confirm(process)
                    return payloads.append(nil)
                }
                guard info.type == type else {
                    try process.skip(info.size)
                    return payloads.append(nil)
                }
                guard info.size <= limit else {
                    throw OriginError(.objectDamaged, "\(type) \(ids[index]) of \(info.size) bytes is over the limit")
                }
                var buffer = ByteBuffer()
                try process.read(Int(info.size), into: &buffer)
                payloads.append(Array(buffer.readableBytesView))
            }
            return payloads
        }
    }
}
