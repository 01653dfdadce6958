import CacheProtocol
import GitHashing
import GitObjects
import Glibc
import LinuxSystem

/// A look for a blob among the object files.
enum LocalBlob: Sendable {
    case here(FlightValue)
    /// It has to be fetched.
    case absent
    /// It may be here, but cannot be read now, as when the process has no descriptor left. No fetch would help.
    case failed(CacheError)
}

extension OriginStore {
    /// A blob that is here, for the fetch thread.
    func localBlob(_ id: ObjectID) -> LocalBlob {
        guard let record = information(of: id) else { return .absent }
        return localBlob(id, record)
    }

    /// A blob that is here according to `record`; a damaged file is set aside and counts as absent.
    func localBlob(_ id: ObjectID, _ record: BlobRecord) -> LocalBlob {
        if id == .emptyBlobSHA1 { return .here(.contents([])) }
        guard record.flags.contains(.present) else { return .absent }
        do throws(SystemError) {
            switch try objects.open(id, size: record.size) {
            case .file(let file):
                noteUse(id, record)
                guard record.size <= UInt64(WorkerReply.inlineBlobLimit) else {
                    return .here(.file(file, size: record.size))
                }
                guard let bytes = try Self.contents(of: file, Int(record.size)) else {
                    try setAside(id, record.size, "it became shorter")
                    return .absent
                }
                return .here(.contents(bytes))
            case .absent:
                counters.add(.missingObjects)
                writer.submit(.blobsLost([id]))
                return .absent
            case .damaged:
                try setAside(id, record.size, "it does not have \(record.size) bytes")
                return .absent
            case .denied(let why):
                try setAside(id, record.size, why)
                return .absent
            }
        } catch {
            counters.add(.storageFailures)
            log.error("object-read-failed", ["origin": name, "object": id.hex, "cause": "\(error)"])
            return .failed(CacheError(.storage, "blob \(id) of origin \(name) cannot be read from the cache: \(error)"))
        }
    }

    /// Nil if there are fewer bytes, or if the disk does not give them.
    private static func contents(of file: SharedFD, _ count: Int) throws(SystemError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(SystemError) in try File.read(file.raw, into: buffer, at: 0) }
        }
        switch result {
        case .success(let found): return found == count ? bytes : nil
        case .failure(let error) where error.errno == .ioError: return nil
        case .failure(let error): throw error
        }
    }

    /// Takes a damaged object out of service. It is fetched again when it is next asked for.
    func setAside(_ id: ObjectID, _ size: UInt64, _ why: String) throws(SystemError) {
        counters.add(.damagedObjects)
        log.error("object-damaged", ["origin": name, "object": id.hex, "cause": why, "action": "quarantined"])
        try objects.quarantine(id)
        forget([id], StoreUsage(objects: 1, bytes: StoreUsage.footprint(of: size)))
    }

    /// Object files are gone: their records have to follow.
    func forget(_ ids: [ObjectID], _ usage: StoreUsage) {
        leaving.with { $0.add(ids, usage) }
        writer.submit(.blobsLost(ids)) { [leaving] _ in
            leaving.with { $0.remove(ids, usage) }
        }
    }

    /// Takes a file that has an object's name, but that the index does not know, into the index if it is the object; for the fetch
    /// thread, which would fetch it otherwise. Larger files are left to the sweep.
    func adopt(_ id: ObjectID, limit: UInt64 = 8 << 20) -> FlightValue? {
        guard id.kind != .path, let file = try? objects.open(id), let status = try? FileStatus(of: file.raw),
            status.mode & S_IFMT == S_IFREG, status.size <= limit
        else { return nil }
        guard (try? ObjectCheck.hash(file.raw, as: id, size: status.size)) == id else { return nil }
        counters.add(.adoptedObjects)
        let shared = SharedFD(file)
        guard status.size <= UInt64(WorkerReply.inlineBlobLimit) else { return .file(shared, size: status.size) }
        return (try? Self.contents(of: shared, Int(status.size)))?.map { .contents($0) }
    }

    /// The record of a blob that was received as a file; nil if there was no room for the file.
    func recorded(_ id: ObjectID, size: UInt64) -> IndexChange? {
        objects.contains(id) ? .blob(id, size: size, contents: nil) : nil
    }

    // MARK: Uses

    /// A worker asks for an object, here or not.
    func noteRequest(_ id: ObjectID, by mount: UInt64) {
        mountUses.with { $0.note(id, by: mount) }
    }

    private func noteUse(_ id: ObjectID, _ record: BlobRecord) {
        let now = Int64(time(nil))
        if let due = recentUses.with({ $0.note(id, recorded: record.lastUse, now: now) }) {
            writer.submit(.used(due, now))
        }
    }

    /// Has all uses written that are not, and answers what living mounts use.
    func flushUses() -> MountUses {
        if let due = recentUses.with({ $0.take() }) { writer.submit(.used(due, Int64(time(nil)))) }
        return mountUses.with { $0 }
    }

    // MARK: Size

    var indexBytes: UInt64 { index.current.usedBytes }

    /// Object files; nil before they have been counted.
    var objectUsage: StoreUsage? {
        guard let counted = writer.objectUsage else { return nil }
        return leaving.with { counted.reduced(by: $0.usage) }
    }

    /// Objects and index; nil before they have been counted.
    var usage: StoreUsage? {
        guard let objects = objectUsage else { return nil }
        return objects + images.usage + StoreUsage(objects: 0, bytes: indexBytes)
    }

    /// All commits that are named anywhere.
    var knownCommits: Set<ObjectID> {
        let found = read { (reader) throws(IndexError) in
            try reader.read { (index) throws(IndexError) in
                var commits = Set<ObjectID>()
                try index.visit(.snapshots, from: []) { key, _ in
                    if let commit = IndexKey.objectID(key), commit.kind != .changed { commits.insert(commit) }
                    return true
                }
                try index.visit(.paths, from: []) { _, value in
                    if let value, let record = try? PathRecord(Array(value)) { commits.insert(record.commit) }
                    return true
                }
                try index.visit(.refs, from: []) { _, value in
                    if let value, let record = try? RefRecord(Array(value)) { commits.insert(record.commit) }
                    return true
                }
                return commits
            }
        }
        return (found ?? []).union(commitLog.commits)
    }

    /// All blob records, on a thread that may take its time.
    func eachRecord(_ body: (ObjectID, BlobRecord) -> Void) {
        do throws(IndexError) {
            let reader = try IndexReader(index)
            var start: [UInt8]? = []
            while let from = start {
                let (records, next) = try reader.blobs(from: from, limit: 4096)
                for (id, record) in records { body(id, record) }
                start = next
            }
        } catch {
            unreadable(error)
        }
    }

    // MARK: For the sweep

    /// The blob records of one of the 256 parts.
    func records(of part: UInt8) throws(IndexError) -> [(id: ObjectID, record: BlobRecord)] {
        let reader = try IndexReader(index)
        var found: [(id: ObjectID, record: BlobRecord)] = []
        for kind in [ObjectID.Kind.sha1, .sha256, .lfs] {
            let (start, end) = SweepPlan.range(of: part, kind: kind)
            var position: [UInt8]? = start
            while let from = position, from.lexicographicallyPrecedes(end) {
                let (records, next) = try reader.blobs(from: from, limit: 4096)
                found += records.prefix { IndexKey($0.id).bytes.lexicographicallyPrecedes(end) }
                position = next
            }
        }
        return found
    }

    /// Seconds after 1970 at which the contents were last looked at; the time of the first call if they never were.
    var lastSweep: Int64 {
        let stored = read { (reader) throws(IndexError) in
            try reader.read { (index) throws(IndexError) in try index.get(.state, .swept) }
        }
        guard let stored, stored.count == 8 else {
            // Nothing has been looked at yet, and nothing is old: count from now on.
            writer.submit(.swept(Int64(time(nil)) * 1000))
            return Int64(time(nil))
        }
        return stored.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(as: Int64.self)) } / 1000
    }

    /// Fetches an object that was set aside, in the background. A failure means that the next reader fetches it.
    func fetchAgain(_ id: ObjectID, size: UInt64) {
        guard flights.with({ $0.waiting(of: 0) }) < 1024 else { return }
        let request = nextRequest.with { next in
            next += 1
            return next
        }
        _ = ask(.blob(id, size: size), WaiterID(owner: 0, request: request), deadline: .never) { _ in }
    }

    /// Deletes what was set aside: damaged objects and damaged indexes.
    func clearAside() {
        do {
            try objects.emptyQuarantine()
            let parent = try Directory.open(directory)
            for name in try Directory.names(directory) where name.starts(with: Array("index.damaged-".utf8)) {
                if salvager.isBusy { continue }
                try TreeRemoval.remove(at: parent.raw, String(decoding: name, as: UTF8.self))
            }
        } catch {
            log.error("aside-not-removed", ["origin": name, "cause": "\(error)"])
        }
    }
}

/// Objects whose files are gone, but whose records are not yet.
struct LeavingObjects {
    private(set) var usage = StoreUsage()
    private var counts: [ObjectID: Int] = [:]

    var ids: Set<ObjectID> { Set(counts.keys) }

    mutating func add(_ ids: [ObjectID], _ usage: StoreUsage) {
        self.usage = self.usage + usage
        for id in ids { counts[id, default: 0] += 1 }
    }

    mutating func remove(_ ids: [ObjectID], _ usage: StoreUsage) {
        self.usage = self.usage.reduced(by: usage)
        for id in ids {
            guard let count = counts[id] else { continue }
            counts[id] = count > 1 ? count - 1 : nil
        }
    }
}

extension StoreUsage {
    func reduced(by other: StoreUsage) -> StoreUsage {
        StoreUsage(objects: objects - min(objects, other.objects), bytes: bytes - min(bytes, other.bytes))
    }
}
