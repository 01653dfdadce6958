import Glibc
import LinuxSystem

/// The path of the API's unix socket: made so that nobody can connect before its mode is right, and taken away at the end.
///
/// The socket is bound inside a private directory beside its place, gets its group and mode there, and is then renamed into place; so
/// it replaces the socket of a dead predecessor in one step.
final class SocketFile: Sendable {
    private let path: String
    private let staging: String
    private let stagingDirectory: OwnedFD
    private let group: UInt32?
    private let mode: Guarded<mode_t>

    /// What to bind; short enough for sockaddr_un wherever the socket's directory is.
    var bindPath: String {
        "/proc/self/fd/\(stagingDirectory.raw)/s"
    }

    /// Makes the directory in which the socket is bound.
    init(path: String, group: UInt32?, mode: mode_t) throws(SystemError) {
        self.path = path
        self.group = group
        self.mode = Guarded(mode)
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try Directory.create(parent.isEmpty ? "/" : parent)
        // A name that the next one knows: a process that is killed here leaves nothing for ever.
        staging = "\(parent)/.\(path.split(separator: "/").last ?? "").new"
        Self.clear(staging)
        try check(mkdir(staging, 0o700), "mkdir", staging)
        do throws(SystemError) {
            stagingDirectory = try Directory.open(staging)
        } catch {
            rmdir(staging)
            throw error
        }
    }

    deinit {
        Self.clear(staging)
    }

    private static func clear(_ staging: String) {
        unlink(staging + "/s")
        unlink(staging + ".s")
        rmdir(staging)
    }

    /// Refuses a path where somebody listens, or that is no socket. A socket that nobody listens on may be replaced.
    static func claim(_ path: String) throws(OperatorAPIError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw OperatorAPIError(.addressInUse, "\(path) is not a socket; remove it or configure another socket")
        }
        let pid: Int32?
        do throws(SystemError) {
            let connection = try StreamSocket.connect(path)
            pid = try? MessageSocket.peer(of: connection.raw).pid
        } catch  where error.errno == .connectionRefused || error.errno == .notFound {
            return
        } catch {
            // A full queue belongs to a listener that lives.
            if error.errno != .wouldBlock { throw OperatorAPIError(.system, "cannot take \(path): \(error)") }
            pid = nil
        }
        // A child that the last supervisor was just starting when it was killed holds its descriptors until it reaches execve(2).
        if let pid, ProcessIdentity(of: pid) == nil { return }
        let owner = pid.map { pid in
            let name = (try? File.text("/proc/\(pid)/comm"))?.split(separator: "\n").first
            return "process \(pid)" + (name.map { " (\($0))" } ?? "")
        }
        throw OperatorAPIError(
            .addressInUse, "\(path) is in use by \(owner ?? "another process"); stop it or configure another socket")
    }

    /// Puts the bound socket into place.
    func publish() throws(SystemError) {
        let bound = staging + "/s"
        if let group { try check(chown(bound, uid_t.max, group), "chown", bound) }
        try check(chmod(bound, mode.with { $0 }), "chmod", bound)
        let identity = Self.identity(bound)
        // Not one rename from the other directory: that takes the rename lock of the filesystem (s_vfs_rename_mutex), which the copy-up of a
        // directory holds while it waits for a worker. Nothing can interrupt it: killed there, this process would not end, so no next one
        // would start, and nobody would replace the worker.
        let beside = staging + ".s"
        try check(link(bound, beside), "link", beside)
        do throws(SystemError) {
            try check(rename(beside, path), "rename", path)
        } catch {
            unlink(beside)
            throw error
        }
        unlink(bound)
        rmdir(staging)
        published.with { $0 = identity }
    }

    /// Gives the socket another mode, now and if it is put into place later.
    func set(mode: mode_t) throws(SystemError) {
        self.mode.with { $0 = mode }
        guard let own = published.with({ $0 }), Self.identity(path) == own else { return }
        try check(chmod(path, mode), "chmod", path)
    }

    /// Removes the socket, unless somebody else's has taken its place.
    func remove() {
        guard let own = published.with({ $0 }), Self.identity(path) == own else { return }
        unlink(path)
    }

    private struct Identity: Equatable {
        let device: UInt64
        let inode: UInt64
    }

    private let published = Guarded<Identity?>(nil)

    private static func identity(_ path: String) -> Identity? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
