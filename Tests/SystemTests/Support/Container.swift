import Glibc
import LinuxSystem

/// Processes with a mount namespace and a root directory of their own, which is what container runtimes make: the root becomes rslave, the
/// volume is bound recursively at `/mnt`, gets its propagation, and pivot_root(2) leaves the host's root behind.
final class Container: Sendable {
    /// Of the volume.
    enum Propagation: String, CaseIterable, Sendable {
        case rslave, rprivate
    }

    enum Users: Sendable {
        case host
        /// In a user namespace, which owns the mount namespace too: id n is `firstID` + n of the host.
        case mapped
    }

    static let firstID = 100_000

    private let initial: ChildProcess
    private let users: Users
    /// Whether the volume is one mount, and not the root of all.
    private let hasOneMount: Bool

    private static let setUp = """
        root=$1 volume=$2 propagation=$3 shared=$4
        mount --make-rslave /
        mount -t tmpfs container "$root"
        cd "$root"
        mkdir -p usr etc proc dev tmp mnt old
        for name in bin sbin lib lib64; do
            if [[ -L /$name ]]; then cp -d "/$name" .; else mkdir "$name"; mount --rbind "/$name" "$name"; fi
        done
        for name in usr etc proc dev; do mount --rbind "/$name" "$name"; done
        if [[ -n $shared ]]; then
            mkdir -p ".$shared"
            mount --bind "$shared" ".$shared"
            mount --make-private ".$shared"
        fi
        mount --rbind "$volume" mnt
        mount "--make-$propagation" mnt
        pivot_root . old
        umount -l old
        echo ready
        exec sleep infinity
        """

    /// Returns when it has its root.
    ///
    /// - Parameter volume: a directory of the host; without it the root of all mounts. The farm's directory, without what is mounted in it, is
    ///   at the same path as outside, unless users are mapped.
    init(
        _ farm: Farm, _ propagation: Propagation, volume: String? = nil, users: Users = .host
    ) throws {
        let root = farm.directory + "/container"
        try Directory.create(root)
        let output = try CapturedOutput()
        let errors = try CapturedOutput()
        var script = "exec /bin/bash -euc \"$0\" - \"$@\""
        var options = ["--mount", "--propagation", "unchanged"]
        if case .mapped = users {
            options = ["--user", "--keep-caps"] + options
            script = """
                until [[ $(cat /proc/self/uid_map /proc/self/gid_map | wc -l) == 2 ]]; do sleep 0.01; done
                exec setpriv --reuid 0 --regid 0 --clear-groups /bin/bash -euc "$0" - "$@"
                """
        }
        let shared = if case .host = users { farm.directory } else { "" }
        initial = try Program.start(
            "/usr/bin/unshare",
            options + ["/bin/bash", "-c", script, Self.setUp, root, volume ?? farm.mountRoot]
                + [propagation.rawValue, shared],
            output: output.raw, errors: errors.raw)
        self.users = users
        hasOneMount = volume != nil
        do {
            if case .mapped = users { try map() }
            try until("the container has its root") {
                if initial.waitForEnd(until: .now) { throw Trouble("no container: \(try errors.text())") }
                return try output.text() == "ready\n"
            }
        } catch {
            end()
            throw error
        }
    }

    /// Once the process is in its user namespace.
    private func map() throws {
        let pid = initial.pid
        try until("it is in its user namespace") {
            try FileStatus(of: "/proc/\(pid)/ns/user").identity != FileStatus(of: "/proc/self/ns/user").identity
        }
        for file in ["gid_map", "uid_map"] {
            try Program.shell("echo 0 \(Self.firstID) 65536 >/proc/\(pid)/\(file)")
        }
    }

    /// Its first process, which is in the way of nothing but its namespace.
    var pid: Int32 { initial.pid }

    /// Where a mount of the host is in it.
    func path(of mount: Farm.Mount) -> String {
        hasOneMount ? "/mnt" : "/mnt/" + (mount.path.split(separator: "/").last.map(String.init) ?? "")
    }

    /// Runs a script in it to its end, as its root.
    func run(_ script: String, uid: Int = 0, limit: Duration = .seconds(20)) throws -> Finished {
        try Program.run(Self.enter, arguments(script, uid), limit: limit)
    }

    /// What a script says that succeeds.
    func output(_ script: String, uid: Int = 0) throws -> String {
        let finished = try run(script, uid: uid)
        guard finished.succeeded else { throw Trouble("\(script): \(finished.status): \(finished.errors)") }
        return finished.output
    }

    /// Starts a script in it.
    func start(_ script: String, output: Int32? = nil, errors: Int32? = nil) throws -> ChildProcess {
        try Program.start(Self.enter, arguments(script, 0), output: output, errors: errors)
    }

    private static let enter = "/usr/bin/nsenter"

    private func arguments(_ script: String, _ uid: Int) -> [String] {
        let user = if case .mapped = users { ["--user"] } else { [String]() }
        return ["--target", "\(pid)"] + user + ["--mount", "--root", "--", "/usr/bin/setpriv"]
            + ["--reuid", "\(uid)", "--regid", "\(uid)", "--clear-groups", "/bin/bash", "-euc", "cd /\n" + script]
    }

    /// Ends its first process. What else was started in it has to be ended before.
    func end() {
        initial.signal(SIGKILL)
        _ = initial.waitForEnd(until: .after(.seconds(10)))
        _ = initial.reap()
    }
}
