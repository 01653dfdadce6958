import Glibc
import LinuxSystem

/// What the process may do: root, its capabilities, its limits.
enum PrivilegeChecks {
    /// Numbers of capabilities(7), and what each is for.
    static let needed: [(number: UInt64, name: String, use: String)] = [
        (0, "CAP_CHOWN", "giving trees to jobs"), (1, "CAP_DAC_OVERRIDE", "mountpoints that are closed to everybody"),
        (5, "CAP_KILL", "ending workers"), (6, "CAP_SETGID", "starting workers as their user"),
        (7, "CAP_SETUID", "starting workers as their user"), (9, "CAP_LINUX_IMMUTABLE", "sealing bare mountpoints"),
        (19, "CAP_SYS_PTRACE", "adopting mounts and naming holders"), (21, "CAP_SYS_ADMIN", "mounting"),
    ]
    /// Descriptors for some hundred mounts.
    static let fewDescriptors: UInt64 = 8192

    static func all() -> [Check] {
        guard geteuid() == 0 else {
            return [
                Check(
                    "root", .failure, "not root: mounting needs CAP_SYS_ADMIN",
                    fix: "start as root or as a system service")
            ]
        }
        let status = (try? File.text("/proc/self/status")) ?? ""
        let limit = Privileges.raiseOpenFileLimit()
        let descriptors =
            limit >= fewDescriptors
            ? Check.ok("nofile", "\(limit) descriptors")
            : Check(
                "nofile", .warning, "only \(limit) descriptors may be open; about \(limit / 16) mounts fit",
                fix: "raise the hard limit, LimitNOFILE= in the service or `ulimit -Hn`")
        return [.ok("root", "runs as root"), capabilities(status: status), descriptors]
    }

    static func capabilities(status: String) -> Check {
        let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") } ?? ""
        guard let effective = UInt64(line.dropFirst("CapEff:".count).filter(\.isHexDigit), radix: 16) else {
            return Check("capabilities", .warning, "cannot be read", fix: "mount /proc")
        }
        let missing = needed.filter { effective & (1 << $0.number) == 0 }
        if missing.isEmpty { return .ok("capabilities", "all that are needed") }
        return Check(
            "capabilities", .failure, "missing " + missing.map { "\($0.name) (\($0.use))" }.joined(separator: ", "),
            fix: "give them to the service or container (CapabilityBoundingSet=, --cap-add)")
    }
}
