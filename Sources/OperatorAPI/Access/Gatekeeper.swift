import Glibc
import HTTPTypes
import LinuxSystem
import NIOCore
import Supervision

/// Finds out who asks, or why nobody is let in.
final class Gatekeeper: Sendable {
    /// What is asked of a connection over TCP.
    struct Network: Sendable {
        let hosts: HostRules
        /// Nil: nobody is asked.
        let tokens: TokenFile?
    }

    private let policy: Guarded<AccessPolicy>
    private let network: Network?

    init(policy: AccessPolicy, network: Network?) {
        self.policy = Guarded(policy)
        self.network = network
    }

    /// Groups may get other roles while the API is served.
    func replace(_ policy: AccessPolicy) {
        self.policy.with { $0 = policy }
    }

    /// Throws what is wrong with the file of tokens, if there is to be one.
    func checkTokens() throws(SupervisorError) {
        try network?.tokens?.check()
    }

    var socketGroup: UInt32? {
        policy.with { $0.socketGroup }
    }

    /// Somebody who connected to the unix socket, with the role that is his.
    func admit(_ peer: Caller) throws(SupervisorError) -> Caller {
        var caller = peer
        let role = policy.with { $0 }.role(uid: caller.uid, groups: caller.groups, supervisor: geteuid())
        guard let role else {
            throw SupervisorError(
                .forbidden,
                "uid \(caller.uid) has no role here: it is in none of operator_groups, agent_groups and reader_groups")
        }
        caller.role = role
        return caller
    }

    /// Who asks over TCP.
    func caller(of request: HTTPRequest, from address: SocketAddress?) throws(SupervisorError) -> Caller {
        var caller = PeerCredentials.nobody
        caller.address = address?.hostAndPort
        guard let network else { return caller }
        guard network.hosts.allow(host: request.authority, origin: request.headerFields[.origin]) else {
            throw SupervisorError(
                .forbidden,
                "Host `\(request.authority ?? "")` with Origin `\(request.headerFields[.origin] ?? "")` is not served; allowed_hosts "
                    + "names further hosts")
        }
        guard let tokens = network.tokens else { return caller }
        let scheme = "bearer "
        guard let value = request.headerFields[.authorization], value.lowercased().hasPrefix(scheme) else {
            throw SupervisorError(.unauthorized, "send a token: Authorization: Bearer TOKEN")
        }
        guard let role = try tokens.role(of: value.dropFirst(scheme.count).trimmed) else {
            throw SupervisorError(.unauthorized, "the token is not known")
        }
        caller.role = role
        caller.isAuthenticated = true
        caller.ownsAsRoot = role == .operator
        return caller
    }
}

extension SocketAddress {
    /// `address:port`, with brackets around one of IPv6; nil for a unix socket.
    var hostAndPort: String? {
        guard let ip = ipAddress, let port else { return nil }
        return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }
}

extension Substring {
    /// Without blanks at the ends.
    var trimmed: String {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard let first = firstIndex(where: { !blank($0) }), let last = lastIndex(where: { !blank($0) }) else {
            return ""
        }
        return String(self[first...last])
    }
}
