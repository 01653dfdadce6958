import Glibc
import LinuxSystem
import NIOCore
import Supervision

/// Who is at the other end of a connection.
enum PeerCredentials {
    /// The kernel's overflow uid and gid, for whom nothing is known about.
    static let nobody: Caller = {
        var caller = Caller(uid: 65534, gid: 65534, pid: 0)
        caller.isAuthenticated = false
        return caller
    }()

    /// struct ucred of unix(7).
    private struct Credentials: Sendable {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }

    /// Supplementary groups that are looked at. Who has more has none of them: ERANGE.
    private typealias Groups = InlineArray<512, UInt32>

    /// The process that connected a unix socket (SO_PEERCRED, SO_PEERGROUPS: as it was when it connected); nobody where the kernel does not
    /// know.
    static func caller(of channel: any Channel) async -> Caller {
        guard channel.localAddress?.protocol == .unix, let provider = channel as? any SocketOptionProvider
        else { return nobody }
        let future: EventLoopFuture<Credentials> = provider.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
        guard let found = try? await future.get(), found.uid != .max else { return nobody }
        var caller = Caller(uid: found.uid, gid: found.gid, pid: found.pid, groups: [found.gid])
        let groups: EventLoopFuture<Groups> = provider.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: peerGroups))
        guard let list = try? await groups.get() else { return caller }
        // The rest of the list is zero, so root's group is not seen here; root needs none.
        for index in list.indices where list[index] != 0 { caller.groups.append(list[index]) }
        return caller
    }

    /// Whom connections are counted for: a user at the socket, an address over TCP. To be called on the channel's event loop.
    static func name(of channel: any Channel) -> String {
        guard channel.localAddress?.protocol == .unix else { return channel.remoteAddress?.ipAddress ?? "" }
        // What a channel is asked for on its own event loop it answers at once.
        let uid = Guarded(UInt32.max)
        if let provider = channel as? any SocketOptionProvider {
            let future: EventLoopFuture<Credentials> = provider.unsafeGetSocketOption(
                level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
            future.whenSuccess { found in uid.with { $0 = found.uid } }
        }
        return "uid \(uid.with { $0 })"
    }

    /// SO_PEERGROUPS of asm-generic/socket.h; the C library's headers do not have it.
    private static let peerGroups: CInt = 59
}
