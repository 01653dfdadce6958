import LinuxSystem

/// Which role the peer of a unix socket has, by its uid and all its groups. No I/O.
public struct AccessPolicy: Hashable, Sendable {
    public var operators: Set<UInt32> = []
    public var agents: Set<UInt32> = []
    public var readers: Set<UInt32> = []
    /// The group that the socket itself has.
    public var socketGroup: UInt32?

    public init() {}

    /// The groups of a configuration. Throws the names that there are not.
    public init(_ configuration: SupervisorConfiguration) throws(UnknownGroups) {
        var unknown: [String] = []
        func numbers(_ key: String, _ names: [String]) -> Set<UInt32> {
            Set(
                names.compactMap { name in
                    let number = Accounts.group(name)
                    if number == nil { unknown.append("\(key): there is no group `\(name)`") }
                    return number
                })
        }
        operators = numbers("operator_groups", configuration.operatorGroups)
        agents = numbers("agent_groups", configuration.agentGroups)
        readers = numbers("reader_groups", configuration.readerGroups)
        socketGroup = configuration.socketGroup.flatMap { numbers("socket_group", [$0]).first }
        if !unknown.isEmpty { throw UnknownGroups(problems: unknown) }
    }

    public struct UnknownGroups: Error, Hashable, Sendable {
        public let problems: [String]
    }

    /// Whether groups decide. Where they do not, those of the socket's own group are operators.
    public var hasGroups: Bool {
        !operators.isEmpty || !agents.isEmpty || !readers.isEmpty
    }

    /// Nil: nothing at all. Root and the supervisor's own user are operators. Who is in several groups has the highest role.
    public func role(uid: UInt32, groups: [UInt32], supervisor: UInt32 = 0) -> Role? {
        if uid == 0 || uid == supervisor { return .operator }
        // Not whoever has a connection: it may be from a time when groups decided and the socket was open to all.
        guard hasGroups else { return socketGroup.map(groups.contains) == true ? .operator : nil }
        if groups.contains(where: operators.contains) { return .operator }
        if groups.contains(where: agents.contains) { return .agent }
        if groups.contains(where: readers.contains) { return .reader }
        return nil
    }
}
