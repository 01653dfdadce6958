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
    /// know. To be called on the channel's event loop.
    static func caller(of channel: any Channel) -> Caller {
        let found: Credentials? = option(SO_PEERCRED, of: channel)
        guard let found, found.uid != .max else { return nobody }
        var caller = Caller(uid: found.uid, gid: found.gid, pid: found.pid, groups: [found.gid])
        let groups: Groups? = option(peerGroups, of: channel)
        guard let groups else { return caller }
        // The rest of the list is zero, so root's group is not seen here; root needs none.
        for index in groups.indices where groups[index] != 0 { caller.groups.append(groups[index]) }
        return caller
    }

    /// What a channel is asked for on its own event loop it answers at once.
    private static func option<Value: Sendable>(_ name: CInt, of channel: any Channel) -> Value? {
        guard channel.localAddress?.protocol == .unix, let provider = channel as? any SocketOptionProvider
        else { return nil }
        let answer = Guarded<Value?>(nil)
        let future: EventLoopFuture<Value> = provider.unsafeGetSocketOption(
            level: .socket, name: NIOBSDSocket.Option(rawValue: name))
        future.whenSuccess { value in answer.with { $0 = value } }
        return answer.with { $0 }
    }

    /// SO_PEERGROUPS of asm-generic/socket.h; the C library's headers do not have it.
    private static let peerGroups: CInt = 59
}
