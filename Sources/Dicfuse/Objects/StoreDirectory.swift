import CacheProtocol
import Glibc
import LinuxSystem

/// The directory that holds all stores: one owner at a time, and a record of how the last one ended.
struct StoreDirectory: ~Copyable {
    let path: String
    /// False after a crash of the owner or of the machine: what was not synced may be lost.
    let endedCleanly: Bool
    private let lock: LockFile

    /// Why a store directory cannot be used.
    enum Failure: Error, CustomStringConvertible {
        case held(LockFile.Held)
        case wrongOwner(path: String, owner: UInt32, user: UInt32)
        /// The mode does not let the user in who owns it.
        case closed(path: String, mode: UInt32, isDirectory: Bool)
        case system(SystemError)

        var description: String {
            switch self {
            case .held(let held):
                "another cache owner uses this store: \(held). Stop that one, or configure another directory"
            case .wrongOwner(let path, let owner, let user):
                "\(path) belongs to user \(owner), but the cache owner runs as user \(user): "
                    + "run it as user \(owner), or give the directory away (chown -R \(user) \(path))"
            case .closed(let path, let mode, let isDirectory):
                "\(path) has mode \(String(mode, radix: 8)), but the cache owner needs to read and write there: "
                    + "chmod \(isDirectory ? "u+rwx" : "u+rw") \(path)"
            case .system(let error):
                error.errno == .accessDenied || error.errno == .notPermitted
                    ? "\(error); the cache owner runs as user \(geteuid()) and needs to read and write there"
                    : error.description
            }
        }
    }

    private init(path: String, lock: consuming LockFile, endedCleanly: Bool) {
        self.path = path
        self.lock = lock
        self.endedCleanly = endedCleanly
    }

    /// Makes the directory if it is not there, and takes the lock.
    static func open(_ path: String) throws(Failure) -> StoreDirectory {
        try create(path)
        for name in ["", "/lock", "/clean"] { try checkUse(path + name) }
        let isNew = access("\(path)/lock", F_OK) == -1
        let lock = try takeLock("\(path)/lock")
        let marker = try? File.text(Self.marker(path), limit: 256)
        // A marker that cannot be removed would make the next start believe in an order that nobody vouches for.
        if unlink(Self.marker(path)) == -1, Errno.current != .notFound {
            throw .system(SystemError(Errno.current, "unlink", Self.marker(path)))
        }
        return StoreDirectory(path: path, lock: lock, endedCleanly: isNew || marker == Self.bootID)
    }

    private static func create(_ path: String) throws(Failure) {
        do throws(SystemError) {
            try Directory.create(path, mode: 0o755)
        } catch {
            throw .system(error)
        }
    }

    /// Files that another user made, as by a run as root, and directories that cannot be written would fail one by one later. What is
    /// not there is no problem.
    static func checkUse(_ path: String) throws(Failure) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if Errno.current == .notFound { return }
            throw .system(SystemError(Errno.current, "lstat", path))
        }
        guard status.st_uid == geteuid() else {
            throw .wrongOwner(path: path, owner: status.st_uid, user: geteuid())
        }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        let wanted = isDirectory ? R_OK | W_OK | X_OK : R_OK | W_OK
        guard faccessat(AT_FDCWD, path, wanted, AT_EACCESS) == -1 else { return }
        let error = Errno.current
        if error == .accessDenied {
            throw .closed(path: path, mode: status.st_mode & 0o7777, isDirectory: isDirectory)
        }
        throw .system(SystemError(error, "faccessat", path))
    }

    /// All of one origin's store but the objects themselves, which are many: one that cannot be read is found when it is asked for.
    static func checkStore(_ directory: String) throws(Failure) {
        for path in [
            "", "/commits", "/preloads", "/images", "/incoming", "/quarantine", "/index", "/index/data.mdb",
            "/index/lock.mdb",
        ] {
            try checkUse(directory + path)
        }
        for layer in [StoreLayout.layer, StoreLayout.inbox] {
            let objects = "\(directory)/\(layer)/\(StoreLayout.objects)"
            try checkUse("\(directory)/\(layer)")
            try checkUse(objects)
            for prefix in UInt8.min...UInt8.max { try checkUse("\(objects)/\(prefix.hexPair)") }
        }
    }

    private static func takeLock(_ path: String) throws(Failure) -> LockFile {
        do throws(LockFile.Failure) {
            return try LockFile(path, name: "dicfuse-cache")
        } catch {
            switch error {
            case .held(let held): throw .held(held)
            case .system(let error): throw .system(error)
            }
        }
    }

    /// Call last, when everything is written.
    borrowing func markClean() throws(SystemError) {
        try File.replace(Self.marker(path), with: Array(Self.bootID.utf8))
    }

    private static func marker(_ path: String) -> String {
        "\(path)/clean"
    }

    /// Differs after every boot (random(4), /proc/sys/kernel/random/boot_id): what was clean before a power cut is not.
    private static var bootID: String {
        (try? File.text("/proc/sys/kernel/random/boot_id", limit: 256)) ?? "unknown"
    }
}
