import Glibc
import LinuxSystem

/// The directories: who may write into them, how much room there is, and whether uppers can be on theirs.
enum DirectoryChecks {
    /// Below this a mount can hardly do anything.
    static let fewBytes: UInt64 = 256 << 20
    static let fewInodes: UInt64 = 10_000

    static func all(_ configuration: SupervisorConfiguration) -> [Check] {
        let directories: [(String, String)] = [
            ("state_dir", configuration.stateDirectory), ("run_dir", configuration.runDirectory),
            ("upper_root", configuration.upperRoot), ("cache dir", configuration.cacheDirectory),
        ]
        var checks = directories.map { mode($0, $1) }
        for (key, path) in directories.suffix(2) {
            if let room = Room(of: existing(path)) { checks.append(judge(room, key, path)) }
        }
        if geteuid() == 0 {
            checks.append(upper(configuration.upperRoot, configuration.upperStorage))
            if configuration.upperStorage.needsQuota { checks.append(quota(existing(configuration.upperRoot))) }
        }
        return checks
    }

    /// Nobody but root may change what is beneath: else another user could swap it.
    private static func mode(_ key: String, _ path: String) -> Check {
        let place = existing(path)
        guard let status = try? FileStatus(of: place) else {
            return Check(
                key, .failure, "\(path) cannot be looked at: \(Errno.current)", fix: "make it", topic: .configuration)
        }
        if status.mode & S_IFMT != S_IFDIR {
            return Check(
                key, .failure, "\(place) is no directory", fix: "move it away or configure another",
                topic: .configuration)
        }
        let open = status.mode & 0o022 != 0 && status.mode & S_ISVTX == 0
        if open {
            return Check(
                key, .failure, "\(place) can be written by others (mode \(String(status.mode & 0o7777, radix: 8)))",
                fix: "`chmod go-w \(place)`", topic: .configuration)
        }
        return .ok(key, path == place ? path : "\(path) will be made")
    }

    struct Room: Hashable {
        var bytes: UInt64
        /// Nil where the filesystem has no fixed number.
        var inodes: UInt64?

        init(bytes: UInt64, inodes: UInt64?) {
            self.bytes = bytes
            self.inodes = inodes
        }

        /// statvfs(3).
        init?(of path: String) {
            var status = statvfs()
            guard statvfs(path, &status) == 0 else { return nil }
            bytes = UInt64(status.f_bavail) * UInt64(status.f_frsize)
            inodes = status.f_files == 0 ? nil : UInt64(status.f_favail)
        }
    }

    static func judge(_ room: Room, _ key: String, _ path: String) -> Check {
        let name = "room \(key)"
        let inodes = room.inodes.map { "\($0) inodes" } ?? "inodes as needed"
        let what = "\(path) has \(room.bytes >> 20) MiB and \(inodes) left"
        let isLow = room.bytes < fewBytes || room.inodes.map { $0 < fewInodes } ?? false
        return isLow
            ? Check(name, .warning, what, fix: "free space there or configure a larger filesystem") : .ok(name, what)
    }

    private static let probePrefix = ".antares-probe-"

    /// What a supervisor left that was killed in the middle of its checks.
    private static func removeDeadProbes(in base: String) {
        guard let parent = try? Directory.open(base), let names = try? Directory.names(base) else { return }
        for name in names.map({ String(decoding: $0, as: UTF8.self) }) where name.hasPrefix(probePrefix) {
            guard let pid = Int32(name.dropFirst(probePrefix.count)), kill(pid, 0) == -1,
                Errno.current == .noSuchProcess
            else { continue }
            try? TreeRemoval.remove(at: parent.raw, name)
        }
    }

    /// An overlay with its upper there, as mounts have it, attached nowhere.
    ///
    /// Not where uppers are: they show it, and fsconfig(2) of an overlay takes the rename lock of the upper's filesystem, for which it waits,
    /// unkillable, while a job's copy-up waits for a worker that only the supervisor which checks here could replace.
    private static func upper(_ root: String, _ storage: UpperStorage) -> Check {
        let base = existing(root)
        if storage.kind != .directory { return limited(base, storage) }
        removeDeadProbes(in: base)
        let names = ((try? Directory.names(root)) ?? []).map { String(decoding: $0, as: UTF8.self) }
        if names.contains(where: { MountID(rawValue: $0) != nil }) { return .ok("upper", "\(root) holds uppers") }
        let probe = "\(base)/\(probePrefix)\(getpid())"
        defer {
            if let parent = try? Directory.open(base) {
                try? TreeRemoval.remove(at: parent.raw, "\(probePrefix)\(getpid())")
            }
        }
        return KernelChecks.tried(
            "upper", "\(base) can hold uppers",
            "configure an upper_root on a local filesystem with extended attributes (ext4, XFS, btrfs, tmpfs), not on an overlay",
            topic: .configuration
        ) { () throws(SystemError) in
            try check(mkdir(probe, 0o700), "mkdir", probe)
            try check(mkdir(probe + "/upper", 0o700), "mkdir", probe)
            try check(mkdir(probe + "/work", 0o700), "mkdir", probe)
            try stack(
                UpperLayer(upper: try Directory.open(probe + "/upper"), work: try Directory.open(probe + "/work")))
        }
    }

    /// The same on a filesystem of its own, so that it waits for nobody.
    private static func limited(_ base: String, _ storage: UpperStorage) -> Check {
        let fix =
            storage.kind == .tmpfs
            ? "set upper_storage to \"image\" or \"directory\""
            : "install e2fsprogs, load the module (`modprobe loop`), in a container give it /dev/loop-control and /dev/loop*, or set upper_storage to \"tmpfs\" or \"directory\""
        let limit = "\(storage.bytes >> 20) MiB"
        return KernelChecks.tried(
            "upper", "uppers of \(limit) can be made (\(storage.kind.rawValue))", fix, topic: .configuration
        ) { () throws(SystemError) in
            let filesystem: UpperFilesystem
            if storage.kind == .image {
                // Small: what is tried is the program, the device and the filesystem, not the room.
                let small = UpperStorage(kind: .image, bytes: 16 << 20)
                let path = "\(base)/\(UpperStore.trashPrefix)-probe-\(getpid())"
                let image = try ImageTemplate(in: base, small).makeImage(path)
                defer { unlink(path) }
                filesystem = try UpperFilesystem.image(image.raw)
            } else {
                filesystem = try UpperFilesystem.tmpfs(storage)
            }
            try stack(try filesystem.makeLayer(uid: 0, gid: 0))
        }
    }

    /// Whether the filesystem holds limits of directories.
    private static func quota(_ base: String) -> Check {
        KernelChecks.tried(
            "upper quota", "uppers in \(base) can be limited",
            "mount its filesystem with `-o prjquota` (an ext4 needs `tune2fs -O project,quota` before that), or set upper_storage to \"image\" or "
                + "\"tmpfs\"; without upper_limit and upper_inode_limit no quota is needed",
            topic: .configuration
        ) { () throws(SystemError) in
            if try !ProjectQuota(at: base).isEnforced() {
                throw SystemError(
                    .notSupported, "upper_limit", base, detail: "its filesystem enforces no project quotas")
            }
        }
    }

    private static func stack(_ layer: UpperLayer) throws(SystemError) {
        let lower = try KernelChecks.emptyLayer()
        let overlay = try FilesystemContext("overlay")
        try overlay.set("lowerdir+", fd: lower.raw)
        try overlay.set("upperdir", fd: layer.upper.raw)
        try overlay.set("workdir", fd: layer.work.raw)
        try overlay.set("redirect_dir", "on")
        try overlay.set("volatile")
        try overlay.create()
    }

    /// The path, or what exists above it.
    static func existing(_ path: String) -> String {
        var path = path
        while access(path, F_OK) == -1, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            path = String(path[..<slash])
        }
        return access(path, F_OK) == -1 ? "/" : path
    }
}
