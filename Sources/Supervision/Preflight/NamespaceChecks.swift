import Glibc
import LinuxSystem

/// Whether jobs will see the mounts: the mount namespace, and how mounts spread from the mount root.
enum NamespaceChecks {
    static func all(_ configuration: SupervisorConfiguration) -> [Check] {
        let own = try? File.linkTarget("/proc/self/ns/mnt")
        let first = try? File.linkTarget("/proc/1/ns/mnt")
        var checks: [Check] = []
        if let own, let first, own != first {
            checks.append(
                Check(
                    "namespace", .warning,
                    "this is not the mount namespace of process 1: mounts are seen only where they spread to",
                    fix:
                        "start the service without PrivateMounts=, or with a mount root that is shared with the host (rshared)"
                ))
        } else {
            checks.append(.ok("namespace", "the mount namespace of process 1"))
        }
        for root in [configuration.mountRoot] + configuration.mountpointRoots {
            checks.append(propagation(of: root, in: (try? MountTable.current()) ?? []))
        }
        return checks
    }

    /// The mount root is made a shared mount of its own; a root for clients is as it is.
    static func propagation(of root: String, in table: [MountTable.Entry]) -> Check {
        let name = "propagation \(root)"
        let holding = table.last { entry in
            entry.mountPoint == "/" || entry.mountPoint == root || root.hasPrefix(entry.mountPoint + "/")
        }
        guard let holding else { return Check(name, .warning, "no mount holds it", fix: "make the directory") }
        if holding.propagation.contains(where: { $0.hasPrefix("shared:") }) {
            return .ok(name, "shared: containers that have it as rslave see the mounts")
        }
        return Check(
            name, .warning,
            "\(holding.mountPoint) is private: namespaces that exist already will not see mounts made in it",
            fix: "`mount --make-rshared \(holding.mountPoint)` before the containers start, if jobs run in containers")
    }
}
