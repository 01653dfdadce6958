import CacheProtocol
import GitHashing
import GitObjects
import Glibc
import LinuxSystem

/// Collects a body in memory, up to a limit.
final class MemoryReceiver: BodyReceiver {
    private(set) var bytes: [UInt8] = []
    private let limit: Int
    private let share: MemoryShare

    init(limit: Int, budget: MemoryBudget) {
        self.limit = limit
        share = MemoryShare(budget)
    }

    func begin(length: UInt64?) -> CacheError? {
        if let length, length > UInt64(limit) { return tooLong }
        return nil
    }

    func receive(_ chunk: UnsafeRawBufferPointer) -> CacheError? {
        guard bytes.count + chunk.count <= limit else { return tooLong }
        if let error = share.grow(chunk.count) { return error }
        bytes.append(contentsOf: chunk)
        return nil
    }

    private var tooLong: CacheError {
        CacheError(.corrupt, "the origin's answer is longer than \(limit) bytes")
    }
}

/// Takes a blob: small ones stay in memory, larger ones go to a file as they arrive, and the hash is computed on the way.
final class BlobReceiver: BodyReceiver {
    private let id: ObjectID
    private let store: ObjectStore
    private let memoryLimit: Int
    private let expectedLength: UInt64?
    private var hasher: ObjectHasher?
    private var buffer: [UInt8] = []
    private var file: IncomingFile?
    private var count: UInt64 = 0

    /// The largest blob that is taken when nobody says how long it is.
    static let unknownLengthLimit: UInt64 = 64 << 30

    /// - Parameter size: What the blob must have, if that is known: an origin that sends more, or claims to, is cut off.
    init(_ id: ObjectID, size: UInt64?, store: ObjectStore, memoryLimit: Int) {
        self.id = id
        expectedLength = size
        self.store = store
        self.memoryLimit = memoryLimit
    }

    func begin(length: UInt64?) -> CacheError? {
        if let length, let expectedLength, length != expectedLength { return wrongLength(length) }
        if let length, length > Self.unknownLengthLimit, expectedLength == nil { return wrongLength(length) }
        // The header of a Git object names its size, so without a length the hash has to wait for the end.
        if let length = length ?? expectedLength { hasher = ObjectHasher(kind: id.kind, type: .blob, size: length) }
        return nil
    }

    func receive(_ chunk: UnsafeRawBufferPointer) -> CacheError? {
        hasher?.update(chunk)
        count += UInt64(chunk.count)
        if count > expectedLength ?? Self.unknownLengthLimit { return wrongLength(count) }
        do throws(SystemError) {
            if file == nil && buffer.count + chunk.count > memoryLimit {
                file = try store.create()
                let kept = buffer
                buffer = []
                try write(kept)
            }
            if file == nil {
                buffer.append(contentsOf: chunk)
            } else {
                try file?.write(chunk)
            }
            return nil
        } catch {
            return CacheError(error.isLackOfSpace ? .noSpace : .storage, "blob \(id) cannot be stored: \(error)")
        }
    }

    private func wrongLength(_ found: UInt64) -> CacheError {
        let expected = expectedLength.map { "\($0)" } ?? "at most \(Self.unknownLengthLimit)"
        return CacheError(.corrupt, "the origin sends \(found) bytes or more for blob \(id), which has \(expected)")
    }

    private func write(_ bytes: [UInt8]) throws(SystemError) {
        try bytes.span.bytes.withUnsafeBytes { (bytes) throws(SystemError) in try file?.write(bytes) }
    }

    /// Checks the contents against the id; a file then gets its place among the objects. Call once, after the whole body.
    func finish() throws(CacheError) -> FlightValue {
        let found: ObjectID
        if let hasher = hasher.take() {
            found = hasher.finish()
        } else {
            found = try hashAfterwards()
        }
        guard found == id else {
            throw CacheError(.corrupt, "the origin sent \(count) bytes for blob \(id) whose id is \(found)")
        }
        guard let file = file.take() else { return .contents(buffer) }
        do throws(SystemError) {
            return .file(try store.publish(file, as: id), size: count)
        } catch {
            throw CacheError(.storage, "blob \(id) cannot be stored: \(error)")
        }
    }

    private func hashAfterwards() throws(CacheError) -> ObjectID {
        var hasher = ObjectHasher(kind: id.kind, type: .blob, size: count)
        guard file != nil else {
            hasher.update(buffer)
            return hasher.finish()
        }
        let descriptor = file?.raw ?? -1
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 * 1024, alignment: 16)
        defer { chunk.deallocate() }
        var offset: Int64 = 0
        do throws(SystemError) {
            while true {
                let n = try File.read(descriptor, into: chunk, at: offset)
                if n == 0 { return hasher.finish() }
                hasher.update(UnsafeRawBufferPointer(rebasing: chunk[..<n]))
                offset += Int64(n)
            }
        } catch {
            throw CacheError(.storage, "blob \(id) cannot be read back: \(error)")
        }
    }
}
