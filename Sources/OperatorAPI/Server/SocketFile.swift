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

    /// What to bind; short enough for sockaddr_un wherever the socket's directory is.
    var bindPath: String {
        "/proc/self/fd/\(stagingDirectory.raw)/s"
    }

    /// Makes the directory in which the socket is bound.
    init(path: String, group: UInt32?) throws(SystemError) {
        self.path = path
        self.group = group
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try Directory.create(parent.isEmpty ? "/" : parent)
        staging = "\(parent)/.\(String(UInt32.random(in: 0 ... .max), radix: 16))"
        try check(mkdir(staging, 0o700), "mkdir", staging)
        do throws(SystemError) {
            stagingDirectory = try Directory.open(staging)
        } catch {
            rmdir(staging)
            throw error
        }
    }

    deinit {
        unlink(staging + "/s")
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
        try check(chmod(bound, group == nil ? 0o600 : 0o660), "chmod", bound)
        let identity = Self.identity(bound)
        try check(rename(bound, path), "rename", path)
        rmdir(staging)
        published.with { $0 = identity }
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
