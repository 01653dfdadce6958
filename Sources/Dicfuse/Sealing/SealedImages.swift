import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem

/// The sealed images of a store, by what they show. An image is offered only after its contents were found to be what was written.
final class SealedImages: Sendable {
    struct Key: Hashable, Sendable {
        var root: ObjectID
        /// Seconds after 1970.
        var time: Int64

        /// The name of its file.
        var name: String { "\(root.kind.rawValue)-\(root.hex)-\(time)" }

        init(root: ObjectID, time: Int64) {
            self.root = root
            self.time = time
        }

        init?(name: String) {
            let parts = name.split(separator: "-", maxSplits: 2)
            guard parts.count == 3, let kind = UInt8(parts[0]).flatMap({ ObjectID.Kind(rawValue: $0) }),
                let time = Int64(parts[2]), let plain = ObjectID(hex: String(parts[1])),
                let root = ObjectID(kind: kind, bytes: plain.bytes)
            else { return nil }
            self.init(root: root, time: time)
        }
    }

    struct Image: Sendable {
        /// Image and record on the disk.
        var footprint: UInt64
        /// Seconds after 1970.
        var lastUse: Int64
        /// Whether the contents have been checked.
        var isChecked: Bool
        /// Other images can be made from it. Not known before it was checked.
        var isBase = false
        var sizes: SizeTable?
    }

    private let directory: OwnedFD
    private let path: String
    private let images = Guarded<[Key: Image]>([:])
    /// Snapshots whose sizes are kept in memory, the latest last.
    private let recent = Guarded<[Key]>([])
    /// What living mounts stand on.
    private let mounted = Guarded<[String: Key]>([:])
    private static let sizesKept = 4
    private static let recordSuffix = ".sizes"

    /// - Parameter trusted: false if the last owner did not end in order: what it wrote was not synced, and can be made again.
    init(_ store: String, trusted: Bool) throws(SystemError) {
        path = "\(store)/\(StoreLayout.images)"
        try Directory.create(path, mode: 0o700)
        directory = try Directory.open(path)
        for name in try Directory.names(of: directory.raw).map({ String(decoding: $0, as: UTF8.self) }) {
            if name.hasSuffix(Self.recordSuffix), SealedImages.Key(name: String(name.dropLast(6))) != nil { continue }
            guard trusted, let key = Key(name: name), let file = try? File.open(at: directory.raw, name, O_RDONLY),
                let status = try? FileStatus(of: file.raw)
            else {
                try TreeRemoval.remove(at: directory.raw, name)
                continue
            }
            let image = Image(
                footprint: StoreUsage.footprint(of: UInt64(status.size)), lastUse: Self.modified(file.raw),
                isChecked: false, sizes: nil)
            images.with { $0[key] = image }
        }
        for name in try Directory.names(of: directory.raw).map({ String(decoding: $0, as: UTF8.self) })
        where name.hasSuffix(Self.recordSuffix) {
            let key = Key(name: String(name.dropLast(Self.recordSuffix.utf8.count)))
            if key == nil || images.with({ $0[key!] == nil }) { unlinkat(directory.raw, name, 0) }
        }
    }

    private static func modified(_ fd: Int32) -> Int64 {
        var status = stat()
        return fstat(fd, &status) == 0 ? Int64(status.st_mtim.tv_sec) : 0
    }

    // MARK: What there is

    func isOffered(_ key: Key) -> Bool {
        images.with { $0[key]?.isChecked == true }
    }

    /// Those whose contents have not been looked at since the start, the last used first.
    var unchecked: [Key] {
        images.with { images in
            images.filter { !$0.value.isChecked }.sorted { $0.value.lastUse > $1.value.lastUse }.map(\.key)
        }
    }

    /// Those that others can be made from, the last used first.
    var bases: [Key] {
        images.with { images in
            images.filter { $0.value.isChecked && $0.value.isBase }.sorted { $0.value.lastUse > $1.value.lastUse }
                .map(\.key)
        }
    }

    /// An image to make another one from, with its record; nil if it is gone.
    func openBase(_ key: Key) -> (file: SharedFD, record: ImageRecord)? {
        guard let record = record(of: key), record.isBase,
            let file = try? File.open(at: directory.raw, key.name, O_RDONLY | O_NOFOLLOW)
        else { return nil }
        return (SharedFD(file), record)
    }

    func contains(_ key: Key) -> Bool {
        images.with { $0[key] != nil }
    }

    var usage: StoreUsage {
        images.with { images in
            StoreUsage(objects: UInt64(images.count) * 2, bytes: images.values.reduce(0) { $0 + $1.footprint })
        }
    }

    /// For eviction.
    var all: [(key: Key, image: Image)] {
        images.with { $0.map { ($0.key, $0.value) } }
    }

    /// The image, for reading only; nil if there is none, or if it is not as it was written.
    func open(_ key: Key) -> SharedFD? {
        guard isOffered(key) else { return nil }
        guard let file = try? File.open(at: directory.raw, key.name, O_RDONLY | O_NOFOLLOW) else {
            remove(key)
            return nil
        }
        let now = Int64(Glibc.time(nil))
        let isNews = images.with { images in
            let before = images[key]?.lastUse ?? now
            images[key]?.lastUse = now
            return now - before > 60
        }
        // The time of the file is what the next owner knows of its use.
        if isNews { futimens(file.raw, nil) }
        noteRecent(key)
        return SharedFD(file)
    }

    /// The size of a file of a snapshot that is in use, if it is known.
    func size(of id: ObjectID) -> UInt64? {
        let keys = recent.with { $0 }
        for key in keys.reversed() {
            if let size = images.with({ $0[key]?.sizes })?[id] { return size }
        }
        return nil
    }

    private func noteRecent(_ key: Key) {
        let gone = recent.with { recent -> [Key] in
            if recent.last == key { return [] }
            recent.removeAll { $0 == key }
            recent.append(key)
            defer { recent = Array(recent.suffix(Self.sizesKept)) }
            return Array(recent.dropLast(Self.sizesKept))
        }
        images.with { images in for key in gone { images[key]?.sizes = nil } }
        if images.with({ $0[key] != nil && $0[key]?.sizes == nil }), let record = record(of: key) {
            images.with { $0[key]?.sizes = record.sizes }
        }
    }

    // MARK: Mounts

    func noteMounted(_ key: Key, by mount: String) {
        mounted.with { $0[mount] = key }
    }

    func noteUnmounted(_ mount: String) {
        mounted.with { _ = $0.removeValue(forKey: mount) }
    }

    /// The images that living mounts stand on, whether they are still here or not.
    var inUse: Set<Key> {
        mounted.with { Set($0.values) }
    }

    /// What the files of an image are, from memory or its record; nil if the image is gone.
    func sizes(of key: Key) -> SizeTable? {
        guard isOffered(key) else { return nil }
        return images.with { $0[key]?.sizes } ?? record(of: key)?.sizes
    }

    // MARK: Changes

    /// A new file for an image; gets its name with `publish`.
    func create(_ key: Key) throws(SystemError) -> OwnedFD {
        try File.open(at: directory.raw, key.name + ".new", O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o444)
    }

    /// Gives a finished image its name and counts it, before anybody can be offered it. Nothing is synced: after an unclean end all images
    /// are made anew.
    func publish(_ key: Key, _ record: ImageRecord, _ counters: Counters) throws(SystemError) {
        let encoded = record.encode()
        try File.replace("\(path)/\(key.name)\(Self.recordSuffix)", with: encoded, durable: false)
        try LinuxSystem.check(renameat(directory.raw, key.name + ".new", directory.raw, key.name), "renameat", key.name)
        let image = Image(
            footprint: StoreUsage.footprint(of: record.bytes) + StoreUsage.footprint(of: UInt64(encoded.count)),
            lastUse: Int64(Glibc.time(nil)), isChecked: true, isBase: record.isBase, sizes: record.sizes)
        counters.add(.sealedImages)
        images.with { $0[key] = image }
        noteRecent(key)
    }

    func discard(_ key: Key) {
        unlinkat(directory.raw, key.name + ".new", 0)
    }

    /// Takes an image away. Whoever has mounted it keeps it.
    ///
    /// - Returns: false if there was none.
    @discardableResult
    func remove(_ key: Key) -> Bool {
        let image = images.with { $0.removeValue(forKey: key) }
        recent.with { $0.removeAll { $0 == key } }
        unlinkat(directory.raw, key.name, 0)
        unlinkat(directory.raw, key.name + Self.recordSuffix, 0)
        return image != nil
    }

    /// Looks at the contents of an image; offers it if they are what was written, removes it if not.
    ///
    /// - Parameter progress: called with the number of bytes of each piece that was read; false ends it, and the image stays as it is.
    func check(_ key: Key, progress: (Int) -> Bool = { _ in true }) -> Bool {
        do throws(SystemError) {
            // One that was evicted meanwhile is not damaged.
            guard let record = record(of: key), try isIntact(key, record, progress) else { return !remove(key) }
            images.with { images in
                guard images[key]?.isChecked == false else { return }
                images[key]?.isChecked = true
                images[key]?.isBase = record.isBase
                images[key]?.footprint += StoreUsage.footprint(of: UInt64(record.sizes.count) * 16)
            }
        } catch {
            if error.errno != .cancelled { return !remove(key) }
        }
        return true
    }

    private func isIntact(
        _ key: Key, _ record: ImageRecord, _ progress: (Int) -> Bool
    ) throws(SystemError) -> Bool {
        let file = try File.open(at: directory.raw, key.name, O_RDONLY | O_NOFOLLOW)
        guard try File.size(of: file.raw) == record.bytes else { return false }
        return try ImageRecord.checksum(of: file.raw, size: record.bytes, progress: progress) == record.checksum
    }

    private func record(of key: Key) -> ImageRecord? {
        (try? File.contents("\(path)/\(key.name)\(Self.recordSuffix)", limit: 1 << 30)).flatMap { ImageRecord($0) }
    }
}
