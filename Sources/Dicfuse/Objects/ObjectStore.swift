import CacheProtocol
import GitObjects
import Glibc
import LinuxSystem
import Synchronization

/// The files of a store: `layer/.GIT/ab/cdef…` (`StoreLayout`), each a verified blob, read-only and complete from the moment its name exists.
///
/// New contents are written under `incoming/` and renamed. There is no fsync: after a power cut a file can be shorter than it
/// was, so every opening compares the size with the index, and a file that differs is set aside and fetched again.
final class ObjectStore: Sendable {
    /// The directories that overlayfs takes as data layers.
    let layer: SharedFD
    let inbox: SharedFD
    private let directory: String
    private let objects: OwnedFD
    private let linked: OwnedFD
    private let incoming: OwnedFD
    private let quarantined: OwnedFD
    private let nextName = Atomic<UInt64>(0)
    private let memory: SpillBudget
    private let diskIsFull: @Sendable () -> Void

    /// What was found where an object should be.
    enum Opened: Sendable {
        case file(SharedFD)
        case absent
        /// It has another size than it must have, or the disk does not give it.
        case damaged
        /// Another user made it, or somebody changed its mode; what to do about it.
        case denied(String)
    }

    /// Opens or makes the directories below `directory` and removes what an earlier owner left half-written.
    ///
    /// - Parameters:
    ///   - memory: what contents may take for which the disk has no room.
    ///   - diskIsFull: called when there was no room, on the thread that wanted to write; must not block.
    init(
        _ directory: String, memory: SpillBudget = SpillBudget(0), diskIsFull: @escaping @Sendable () -> Void = {}
    ) throws(SystemError) {
        self.directory = directory
        self.memory = memory
        self.diskIsFull = diskIsFull
        for name in [StoreLayout.layer, StoreLayout.inbox, "incoming", "quarantine"] {
            try Directory.create("\(directory)/\(name)", mode: 0o700)
        }
        let (layerPath, inboxPath) = ("\(directory)/\(StoreLayout.layer)", "\(directory)/\(StoreLayout.inbox)")
        layer = SharedFD(try File.open(layerPath, O_RDONLY | O_DIRECTORY))
        inbox = SharedFD(try File.open(inboxPath, O_RDONLY | O_DIRECTORY))
        objects = try Self.openObjects(layerPath)
        linked = try Self.openObjects(inboxPath)
        incoming = try Directory.open("\(directory)/incoming")
        quarantined = try Directory.open("\(directory)/quarantine")
        for name in try Directory.names(of: incoming.raw) {
            try TreeRemoval.remove(at: incoming.raw, String(decoding: name, as: UTF8.self))
        }
    }

    /// Makes what is missing of the directories of a layer.
    private static func openObjects(_ layer: String) throws(SystemError) -> OwnedFD {
        let path = "\(layer)/\(StoreLayout.objects)"
        try Directory.create(path, mode: 0o700)
        let objects = try Directory.open(path)
        for high in 0..<256 {
            let name = String(UInt8(high).hexPair)
            if mkdirat(objects.raw, name, 0o700) == -1, Errno.current != .exists {
                throw SystemError(Errno.current, "mkdirat", "\(path)/\(name)")
            }
        }
        return objects
    }

    /// Opens an object for reading if it has exactly `size` bytes. An error that says nothing about the object, as EMFILE, is thrown:
    /// it is neither absence nor damage.
    func open(_ id: ObjectID, size: UInt64) throws(SystemError) -> Opened {
        do throws(SystemError) {
            let file = SharedFD(try File.open(at: objects.raw, ObjectFileName.path(of: id), O_RDONLY | O_NOFOLLOW))
            return try File.size(of: file.raw) == size ? .file(file) : .damaged
        } catch {
            switch error.errno {
            case .notFound: return .absent
            // A link or a directory where a file should be, a bad sector, an inconsistent file system.
            case .tooManyLinks, .isADirectory, .ioError, .needsCleaning: return .damaged
            case .accessDenied: return .denied(denial(of: id))
            default: throw error
            }
        }
    }

    /// Why the file of an object cannot be opened by this user.
    func denial(of id: ObjectID) -> String {
        var status = stat()
        let name = "\(directory)/\(StoreLayout.layer)/\(StoreLayout.objects)/\(ObjectFileName.path(of: id))"
        guard lstat(name, &status) == 0 else { return "\(name) cannot be read" }
        return status.st_uid == geteuid()
            ? "\(name) has mode \(String(status.st_mode & 0o7777, radix: 8)): chmod u+r"
            : "\(name) belongs to user \(status.st_uid), but the cache owner runs as user \(geteuid()): "
                + "chown -R \(geteuid()) \(directory)"
    }

    /// Whether a file has the object's name.
    func contains(_ id: ObjectID) -> Bool {
        faccessat(objects.raw, ObjectFileName.path(of: id), F_OK, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// Whether any of its contents are in the page cache.
    func isResident(_ id: ObjectID) -> Bool {
        guard let file = try? open(id) else { return false }
        return File.isResident(file.raw)
    }

    /// A new file that nobody can see as an object yet.
    func create() throws(SystemError) -> IncomingFile {
        let number = nextName.add(1, ordering: .relaxed).newValue
        let name = "\(getpid())-\(number)"
        do throws(SystemError) {
            let file = try File.open(at: incoming.raw, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o444)
            return IncomingFile(file: file, directory: incoming.raw, name: name, memory: memory, diskIsFull: diskIsFull)
        } catch  where error.isLackOfSpace {
            diskIsFull()
            return try IncomingFile(inMemory: memory)
        }
    }

    /// Gives verified contents their name and reopens them for reading only. Contents for which there was no room are only reopened.
    func publish(_ contents: consuming IncomingFile, as id: ObjectID) throws(SystemError) -> SharedFD {
        guard let file = contents.name else { return try contents.sealed() }
        let name = ObjectFileName.path(of: id)
        if renameat(incoming.raw, file, objects.raw, name) == -1 {
            let error = SystemError(Errno.current, "renameat", name)
            guard error.isLackOfSpace else { throw error }
            // The directory cannot take another name. What is open can be read all the same.
            diskIsFull()
            return SharedFD(try File.open("/proc/self/fd/\(contents.raw)", O_RDONLY))
        }
        contents.hasName()
        return SharedFD(try File.open(at: objects.raw, name, O_RDONLY | O_NOFOLLOW))
    }

    /// Writes and names verified contents. Throws ENOSPC if there is no room.
    ///
    /// A file of that size that is there already stays: two threads may put the same object in place, and a second file would have pages of
    /// its own, and would make link(2) fail that finds the first at that moment (vfs_link in fs/namei.c).
    func publish(_ contents: [UInt8], as id: ObjectID) throws(SystemError) {
        var file = try create()
        try contents.span.bytes.withUnsafeBytes { (bytes) throws(SystemError) in try file.write(bytes) }
        guard let name = file.name else { throw SystemError(.noSpace, "write", id.hex) }
        let target = ObjectFileName.path(of: id)
        if !(try File.rename(at: incoming.raw, name, to: objects.raw, target, replacing: false)) {
            if case .file = try open(id, size: UInt64(contents.count)) { return }
            _ = try File.rename(at: incoming.raw, name, to: objects.raw, target, replacing: true)
        }
        file.hasName()
    }

    /// Takes the object away; false if there is none. Whoever has it open goes on reading it.
    func remove(_ id: ObjectID) throws(SystemError) -> Bool {
        if unlinkat(objects.raw, ObjectFileName.path(of: id), 0) == 0 { return true }
        guard Errno.current == .notFound else { throw SystemError(Errno.current, "unlinkat", id.hex) }
        return false
    }

    // MARK: The inbox

    /// Gives an object its link in the inbox; false if there is no such object.
    func link(_ id: ObjectID) throws(SystemError) -> Bool {
        let name = ObjectFileName.path(of: id)
        if linkat(objects.raw, name, linked.raw, name, 0) == 0 { return true }
        switch Errno.current {
        case .exists: return true
        case .notFound: return false
        case let error: throw SystemError(error, "linkat", name)
        }
    }

    func unlinkFromInbox(_ id: ObjectID) {
        unlinkat(linked.raw, ObjectFileName.path(of: id), 0)
    }

    /// What is in one of the 256 directories of the inbox.
    func inInbox(prefix: UInt8) throws(SystemError) -> [ObjectID] {
        let directory = try Directory.open(beneath: linked.raw, prefix.hexPair)
        return try Directory.names(of: directory.raw).compactMap {
            ObjectFileName.object(prefix, $0)
        }
    }

    // MARK: Taking away

    /// Sets a damaged object aside, where it can be looked at but is never served.
    func quarantine(_ id: ObjectID) throws(SystemError) {
        try quarantine(ObjectFileName.path(of: id), as: id.hex + ObjectFileName.suffix(of: id.kind))
    }

    private func quarantine(_ name: String, as kept: String) throws(SystemError) {
        if renameat(objects.raw, name, quarantined.raw, kept) == -1 {
            switch Errno.current {
            case .notFound:
                return
            case let error where SystemError(error, "").isLackOfSpace:
                // Not being served is what matters.
                try check(unlinkat(objects.raw, name, 0), "unlinkat", name)
            case let error:
                throw SystemError(error, "renameat", name)
            }
        }
    }

    // MARK: For the sweep

    /// What is in one of the 256 directories: objects, and names that are none.
    func names(prefix: UInt8) throws(SystemError) -> (objects: [ObjectID], strangers: [String]) {
        let directory = try Directory.open(beneath: objects.raw, prefix.hexPair)
        var found: [ObjectID] = []
        var strangers: [String] = []
        for name in try Directory.names(of: directory.raw) {
            if let id = ObjectFileName.object(prefix, name) {
                found.append(id)
            } else {
                strangers.append(String(decoding: name, as: UTF8.self))
            }
        }
        return (found, strangers)
    }

    /// Opens whatever has the object's name.
    func open(_ id: ObjectID) throws(SystemError) -> OwnedFD {
        try File.open(at: objects.raw, ObjectFileName.path(of: id), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    }

    /// Takes something that is no object out of the way.
    func quarantine(stranger name: String, prefix: UInt8) throws(SystemError) {
        try quarantine("\(prefix.hexPair)/\(name)", as: "\(prefix.hexPair)-\(name)".filter { $0 != "/" })
    }

    /// What has been set aside: files and their bytes.
    func quarantine() throws(SystemError) -> StoreUsage {
        var usage = StoreUsage()
        for name in try Directory.names(of: quarantined.raw) {
            var status = stat()
            guard fstatat(quarantined.raw, String(decoding: name, as: UTF8.self), &status, AT_SYMLINK_NOFOLLOW) == 0
            else { continue }
            usage.objects += 1
            usage.bytes += UInt64(status.st_blocks) * 512
        }
        return usage
    }

    /// Deletes what has been set aside.
    func emptyQuarantine() throws(SystemError) {
        for name in try Directory.names(of: quarantined.raw) {
            try TreeRemoval.remove(at: quarantined.raw, String(decoding: name, as: UTF8.self))
        }
    }
}

extension UInt8 {
    var hexPair: String {
        let digits = String(self, radix: 16)
        return digits.utf8.count == 1 ? "0" + digits : digits
    }
}
