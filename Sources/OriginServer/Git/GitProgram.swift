import Glibc
import LinuxSystem

/// The Git program, and how it is called so that a repository's own configuration cannot run anything.
///
/// Of the configuration keys that name programs, `cat-file` in batch mode without `--textconv` and `--filters` uses none: no
/// filters, no textconv, no diff drivers, no hooks, no aliases (it is a builtin), no index and so no `core.fsmonitor`, no pager
/// (its output is no terminal). Nor does `diff-tree --raw`, which looks for renames in contents as they are stored. One way is left: in a partial clone a missing object starts `git fetch`, and with it
/// `core.sshCommand`, `ext::` URLs and remote helpers. GIT_NO_LAZY_FETCH forbids it (git 2.39.4, 2.45.1 and newer), and
/// GIT_ALLOW_PROTOCOL, which overrides any `protocol.*.allow` of the repository, forbids every transport besides.
struct GitProgram: Sendable {
    /// `cat-file --batch-command` came with 2.36.
    static let oldestVersion = (major: 2, minor: 36)

    let path: String

    /// Finds the program and asks for its version.
    init(_ path: String?, deadline: Deadline) throws(OriginError) {
        guard let found = path ?? Self.search() else {
            throw OriginError(.gitUnusable, "there is no git in PATH: install git or name it with --git")
        }
        guard access(found, X_OK) == 0 else {
            throw OriginError(
                .gitUnusable, "\(found) cannot be executed: name git's path with --git",
                cause: SystemError(.current, "access", found))
        }
        self.path = found
        let output = try Self.run(
            ProcessSpec(path: found, arguments: ["--version"], environment: Self.environment), deadline)
        let numbers = output.text.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        guard output.succeeded, output.text.hasPrefix("git version "), numbers.count == 2 else {
            throw OriginError(.gitUnusable, "\(found) --version says \"\(output.text.prefix(80))\": it is not git")
        }
        guard (numbers[0], numbers[1]) >= (Self.oldestVersion.major, Self.oldestVersion.minor) else {
            throw OriginError(
                .gitUnusable,
                "\(found) is git \(numbers[0]).\(numbers[1]): 2.36 or newer is needed for cat-file --batch-command")
        }
    }

    private static func search() -> String? {
        guard let path = getenv("PATH") else { return nil }
        return String(cString: path).split(separator: ":")
            .filter { $0.hasPrefix("/") }
            .map { "\($0)/git" }
            .first { access($0, X_OK) == 0 }
    }

    static let environment = [
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "HOME=/nonexistent",
        "LC_ALL=C",
        "GIT_CONFIG_NOSYSTEM=1",
        "GIT_CONFIG_GLOBAL=/dev/null",
        "GIT_ATTR_NOSYSTEM=1",
        "GIT_TERMINAL_PROMPT=0",
        "GIT_ASKPASS=/bin/false",
        "GIT_NO_REPLACE_OBJECTS=1",
        "GIT_NO_LAZY_FETCH=1",
        "GIT_OPTIONAL_LOCKS=0",
        // A list without a valid name allows nothing; an empty variable might be taken as unset.
        "GIT_ALLOW_PROTOCOL=none",
    ]

    private static let disarmed = [
        "--no-pager", "--no-replace-objects",
        "-c", "safe.directory=*",
        "-c", "core.hooksPath=/dev/null",
        "-c", "core.fsmonitor=false",
        "-c", "core.untrackedCache=false",
        "-c", "core.pager=cat",
        "-c", "core.askPass=/bin/false",
        "-c", "core.sshCommand=/bin/false",
        "-c", "credential.helper=",
        "-c", "protocol.allow=never",
        "-c", "core.warnAmbiguousRefs=false",
        // Larger blobs are streamed by git instead of being inflated in its memory.
        "-c", "core.bigFileThreshold=16m",
    ]

    /// How to start git with these arguments as this user.
    func specification(_ arguments: [String], as user: Accounts.User?, environment extra: [String] = []) -> ProcessSpec
    {
        var spec = ProcessSpec(
            path: self.path, arguments: Self.disarmed + arguments, environment: Self.environment + extra)
        spec.directory = "/"
        spec.uid = user?.uid
        spec.gid = user?.gid
        return spec
    }

    struct Output: Sendable {
        let succeeded: Bool
        let text: String
        let complaint: String
    }

    /// Runs a short command to its end and collects what it says, at most 64 KB each.
    static func run(_ spec: ProcessSpec, _ deadline: Deadline) throws(OriginError) -> Output {
        let process = try GitProcess(spec, deadline: deadline)
        let text = try process.readToEnd(limit: 64 * 1024)
        guard process.waitForEnd() else {
            throw OriginError(.timedOut, "\(spec.path) did not end in time")
        }
        return Output(succeeded: process.exitedWithSuccess, text: text, complaint: process.complaint)
    }
}
