import Glibc
import NIOCore
import Supervision

/// Who is at the other end of a connection.
enum PeerCredentials {
    /// The kernel's overflow uid and gid: somebody without any right.
    static let nobody = Caller(uid: 65534, gid: 65534, pid: 0)

    /// struct ucred of unix(7).
    private struct Credentials: Sendable {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }

    /// The process that connected a unix socket (SO_PEERCRED); nobody where the kernel does not know.
    static func caller(of channel: any Channel) async -> Caller {
        guard channel.localAddress?.protocol == .unix, let provider = channel as? any SocketOptionProvider
        else { return nobody }
        let future: EventLoopFuture<Credentials> = provider.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        guard let found = try? await future.get(), found.uid != .max else { return nobody }
        return Caller(uid: found.uid, gid: found.gid, pid: found.pid)
    }
}
