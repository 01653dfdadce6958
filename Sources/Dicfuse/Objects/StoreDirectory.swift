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
        case system(SystemError)

        var description: String {
            switch self {
            case .held(let held):
                "another cache owner uses this store: \(held). Stop that one, or configure another directory"
            case .wrongOwner(let path, let owner, let user):
                "\(path) belongs to user \(owner), but the cache owner runs as user \(user): "
                    + "run it as user \(owner), or give the directory away (chown -R \(user) \(path))"
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
        try checkOwner(path)
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

    /// Files that another user made, as by a run as root, would fail one by one later. What is not there is no problem.
    static func checkOwner(_ path: String) throws(Failure) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if Errno.current == .notFound { return }
            throw .system(SystemError(Errno.current, "lstat", path))
        }
        guard status.st_uid == geteuid() else {
            throw .wrongOwner(path: path, owner: status.st_uid, user: geteuid())
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
