import ArgumentParser
import Glibc

/// Options of every command. They may stand before the command, too.
struct GlobalOptions: ParsableArguments {
    static let defaultSocket = "/run/antares/supervisor.sock"
    /// Bytes, by unix(7).
    static let longestSocket = 107

    @Option(help: ArgumentHelp("The supervisor's socket.", discussion: "Else $ANTARES_SOCKET, else \(defaultSocket)."))
    var socket: String?

    @Option(
        help: ArgumentHelp(
            "The supervisor's address instead of a socket: https://HOST:PORT, or http:// on this machine.",
            discussion: "Else $ANTARES_URL, unless a socket is named."))
    var url: String?

    @Option(
        help: ArgumentHelp(
            "The CAs to trust at that address, PEM.", discussion: "Else $ANTARES_CA_FILE, else the system's."))
    var ca: String?

    @Option(
        help: ArgumentHelp(
            "The file with the token to show there; nobody else may read it.", discussion: "Else $ANTARES_TOKEN_FILE."))
    var tokenFile: String?

    @Flag(help: "Prints the API's JSON.")
    var json = false

    @Option(parsing: .unconditional, help: "Seconds that one request to the supervisor may take.")
    var timeout = 120

    func validate() throws {
        if timeout < 1 { throw ValidationError("--timeout takes seconds, at least 1") }
        for (name, value) in [("--socket", socket), ("--url", url), ("--ca", ca), ("--token-file", tokenFile)]
        where value?.isEmpty == true {
            throw ValidationError("\(name) is empty; give it a value or leave it out")
        }
        if case .socket(let path) = address, path.utf8.count > Self.longestSocket {
            throw ValidationError("`\(path)` is longer than the path of a socket can be, \(Self.longestSocket) bytes")
        }
        if socket != nil, url != nil { throw ValidationError("name a socket or a URL, not both") }
        if case .network(let url, _, _) = address, let problem = SupervisorAddress.problem(ofURL: url) {
            throw ValidationError(problem)
        }
    }

    /// Flags before variables, and among the variables the URL before the socket.
    var address: SupervisorAddress {
        if let socket { return .socket(socket) }
        if let url = url ?? Self.variable("ANTARES_URL") {
            return .network(
                url: url.hasSuffix("/") ? String(url.dropLast()) : url, caFile: ca ?? Self.variable("ANTARES_CA_FILE"),
                tokenFile: tokenFile ?? Self.variable("ANTARES_TOKEN_FILE"))
        }
        return .socket(Self.variable("ANTARES_SOCKET") ?? Self.defaultSocket)
    }

    /// The socket that was named; nil if none was. Throws if an address elsewhere was: `command` looks at this machine.
    func localSocket(for command: String) throws(CLIError) -> String? {
        if case .network(let url, _, _) = address {
            throw CLIError(
                .usage, "`\(command)` needs the supervisor of this machine, not \(url); name its socket with --socket")
        }
        return socket ?? Self.variable("ANTARES_SOCKET")
    }

    private static func variable(_ name: String) -> String? {
        let value = getenv(name).map { String(cString: $0) } ?? ""
        return value.isEmpty ? nil : value
    }

    var client: SupervisorClient {
        SupervisorClient(address: address, timeout: timeout)
    }

    /// Commands that have commands of their own.
    private static let groups: Set = ["cache", "config"]

    /// Those that take a value.
    private static let valued = ["--socket", "--url", "--ca", "--token-file", "--timeout"]

    /// Moves these options from before the command to behind it, where each command takes them.
    static func hoisted(_ arguments: [String]) -> [String] {
        var moved: [String] = []
        var rest = arguments[...]
        while let first = rest.first, first.hasPrefix("--") {
            let name = first.prefix { $0 != "=" }
            if first == "--json" || (first != name && valued.contains(String(name))) {
                moved.append(first)
                rest = rest.dropFirst()
            } else if valued.contains(first), rest.count > 1 {
                moved += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else {
                break
            }
        }
        guard let command = rest.first else { return arguments }
        // Of a command with commands of its own these take them.
        let isGroup = groups.contains(command) && rest.dropFirst().first?.hasPrefix("-") == false
        let names = rest.prefix(isGroup ? 2 : 1)
        return names + moved + rest.dropFirst(names.count)
    }
}

/// What `mount` and `run` have in common.
struct MountOptions: ParsableArguments {
    @Option(help: "Directory of the repository that becomes the mount's root.")
    var path = "/"

    @Option(help: "Commit, tag or branch; else the origin's head.")
    var rev: String?

    @Option(help: "A changelist to apply to the revision.")
    var cl: String?

    @Option(help: "Where the changelist begins in the repository; else that is found out.")
    var clPath: String?

    @Option(help: ArgumentHelp("The changelist's own base instead of a revision.", valueName: "cl"))
    var base: String?

    @Option(help: "A configured origin; else the default.")
    var origin: String?

    @Option(
        name: .customLong("at"), help: "Where to mount: an absolute path below mount_root or one of mountpoint_roots.")
    var mountpoint: String?

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp("Kept with the mount. May be repeated.", valueName: "key=value"), transform: Label.init)
    var labels: [Label] = []

    @Option(help: "Unmounts after this time unless renewed, like 2h.", transform: Seconds.parse)
    var ttl: Int?

    @Option(help: "Unmounts when nobody has used it for this time, like 30m.", transform: Seconds.parse)
    var idleTtl: Int?

    func validate() throws {
        let named = [("--path", path), ("--rev", rev), ("--cl", cl), ("--cl-path", clPath), ("--base", base)]
        for (name, value) in named + [("--origin", origin), ("--at", mountpoint)] where value?.isEmpty == true {
            throw ValidationError("\(name) is empty; give it a value or leave it out")
        }
    }

    struct Label: Hashable, Sendable {
        let key: String
        let value: String

        init(_ text: String) throws {
            guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
                throw ValidationError("write it as KEY=VALUE, like pipeline=nightly")
            }
            key = String(text[..<equals])
            value = String(text[text.index(after: equals)...])
        }
    }

    func request(job: String?) -> MountRequest {
        var request = MountRequest(path: path, job: job, revision: rev, mountpoint: mountpoint, origin: origin)
        (request.ttl, request.idleTTL) = (ttl, idleTtl)
        (request.changelist, request.changelistPath, request.base) = (cl, clPath, base)
        if !labels.isEmpty { request.labels = Dictionary(labels.map { ($0.key, $0.value) }) { $1 } }
        return request
    }
}
