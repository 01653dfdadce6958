import ArgumentParser
import Glibc

/// Options of every command. They may stand before the command, too.
struct GlobalOptions: ParsableArguments {
    static let defaultSocket = "/run/antares/supervisor.sock"

    @Option(help: ArgumentHelp("The supervisor's socket.", discussion: "Else $ANTARES_SOCKET, else \(defaultSocket)."))
    var socket: String?

    @Flag(help: "Prints the API's JSON.")
    var json = false

    @Option(help: "Seconds that one request to the supervisor may take.")
    var timeout = 120

    func validate() throws {
        if timeout < 1 { throw ValidationError("--timeout takes seconds, at least 1") }
    }

    var socketPath: String {
        if let socket { return socket }
        let variable = getenv("ANTARES_SOCKET").map { String(cString: $0) } ?? ""
        return variable.isEmpty ? Self.defaultSocket : variable
    }

    var client: SupervisorClient {
        SupervisorClient(socket: socketPath, timeout: timeout)
    }

    /// Moves these options from before the command to behind it, where each command takes them.
    static func hoisted(_ arguments: [String]) -> [String] {
        var moved: [String] = []
        var rest = arguments[...]
        while let first = rest.first, first.hasPrefix("--") {
            let name = first.prefix { $0 != "=" }
            if first == "--json" || (first != name && (name == "--socket" || name == "--timeout")) {
                moved.append(first)
                rest = rest.dropFirst()
            } else if first == "--socket" || first == "--timeout", rest.count > 1 {
                moved += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else {
                break
            }
        }
        guard let command = rest.first else { return arguments }
        return [command] + moved + rest.dropFirst()
    }
}

/// What `mount` and `run` have in common.
struct MountOptions: ParsableArguments {
    @Option(help: "Directory of the repository that becomes the mount's root.")
    var path = "/"

    @Option(help: "Commit, tag or branch; else the origin's head.")
    var rev: String?

    @Option(help: "A configured origin; else the default.")
    var origin: String?

    @Option(
        name: .customLong("at"), help: "Where to mount: an absolute path below mount_root or one of mountpoint_roots.")
    var mountpoint: String?

    @Option(name: .customLong("label"), help: "KEY=VALUE, kept with the mount. May be repeated.")
    var labels: [Label] = []

    struct Label: ExpressibleByArgument, Hashable, Sendable {
        let key: String
        let value: String

        init?(argument: String) {
            guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return nil }
            key = String(argument[..<equals])
            value = String(argument[argument.index(after: equals)...])
        }
    }

    func request(job: String?) -> MountRequest {
        var request = MountRequest(path: path, job: job, revision: rev, mountpoint: mountpoint, origin: origin)
        if !labels.isEmpty { request.labels = Dictionary(labels.map { ($0.key, $0.value) }) { $1 } }
        return request
    }
}
