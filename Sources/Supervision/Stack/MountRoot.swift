import Glibc
import LinuxSystem

/// The directory under which mounts appear: a small tmpfs of its own, so that nothing of it survives a reboot, and shared, so that mounts
/// made in it later reach the mount namespaces that were cloned from ours (mount_namespaces(7)).
struct MountRoot: Sendable {
    let path: String
    let identity: MountIdentity

    /// Mounts the tmpfs unless `path` is one of ours already. Throws EBUSY if something else is mounted there.
    static func prepare(_ path: String) throws(SystemError) -> MountRoot {
        try Directory.create(path, mode: 0o755)
        if let top = try MountTable.current().last(where: { $0.mountPoint == path }) {
            guard top.type == "tmpfs", top.source == source else {
                throw SystemError(.busy, "mount", path, detail: "\(top.type) of \(top.source) is mounted there")
            }
            return MountRoot(path: path, identity: try Mounts.top(path))
        }
        let context = try FilesystemContext("tmpfs")
        try context.set("source", source)
        try context.set("mode", "0755")
        try context.set("size", "16m")
        try context.create()
        let mount = try context.mount([.noSetuid, .noDevices])
        let target = try Directory.open(path)
        try mount.attach(at: target.raw)
        try Mounts.makeShared(path)
        return MountRoot(path: path, identity: try Mounts.top(path))
    }

    /// Unmounts it; a mount still in it keeps it (EBUSY).
    func remove() throws(SystemError) {
        try Mounts.unmount(path)
        rmdir(path)
    }

    /// The names in it; read only if what is on top there is ours, for what a stranger mounts on it may hang.
    func names() throws(SystemError) -> [[UInt8]] {
        let directory = try Directory.open(path)
        guard try MountIdentity(of: directory.raw) == identity else {
            throw SystemError(.busy, "readdir", path, detail: "another mount covers the mount root")
        }
        return try Directory.names(of: directory.raw)
    }

    private static let source = "antares-mounts"
}
