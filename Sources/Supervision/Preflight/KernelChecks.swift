import Glibc
import LinuxSystem

/// The kernel: its version, and each feature that is needed, tried out.
enum KernelChecks {
    /// RESEND needs 6.9.4 and file-backed EROFS 6.12; overlay layers by descriptor need 6.13.
    static let oldestKernel = (6, 12)

    static func all() -> [Check] {
        let release = kernelRelease()
        let version = kernelProblem(release: release).map {
            Check("kernel", .failure, $0, fix: "boot Linux 6.13 or newer")
        }
        var checks = [version ?? .ok("kernel", "Linux \(release)")]
        guard geteuid() == 0 else { return checks }
        checks.append(
            tried("fuse", "/dev/fuse opens", "load the module, `modprobe fuse`; in a container give it /dev/fuse") {
                () throws(SystemError) in _ = try FuseConnection.open()
            })
        checks.append(
            tried("fusectl", "connections can be aborted", "`mount -t fusectl fusectl /sys/fs/fuse/connections`") {
                () throws(SystemError) in try FuseConnection.ensureControlFilesystem()
            })
        checks.append(
            tried(
                "overlay", "overlayfs stands on a mount that is attached nowhere",
                "load the module, `modprobe overlay`, or boot a newer kernel (6.18 is new enough)"
            ) { () throws(SystemError) in try probeOverlay() })
        checks.append(
            tried(
                "statmount", "mounts are known by unique ids", "boot Linux 6.8 or newer; allow statmount(2) in seccomp"
            ) {
                () throws(SystemError) in
                let root = try Directory.open("/")
                if try MountIdentity(of: root.raw).facts() == nil {
                    throw SystemError(.notFound, "statmount", "/")
                }
            })
        checks.append(
            tried("pidfd", "processes are held by descriptor", "allow pidfd_open(2) in seccomp") {
                () throws(SystemError) in _ = try ChildProcess(adopting: getpid())
            })
        return checks
    }

    /// Whether sealed snapshots can be mounted from images in the cache's directory; nothing fails without them, but everything is slower.
    static func sealed(_ configuration: SupervisorConfiguration) -> Check? {
        guard geteuid() == 0, configuration.seal else { return nil }
        let directory = existing(configuration.cacheDirectory)
        do throws(SystemError) {
            try SealedSupport.probe(directory: directory)
            return .ok("sealed snapshots", "images of metadata can be mounted, from \(directory)")
        } catch {
            return Check(
                "sealed snapshots", .warning,
                "\(error). All mounts are lazy: every file's first read in each mount goes through its worker, each mount "
                    + "keeps its own copy of what it reads in the page cache, and jobs wait when a worker dies",
                fix:
                    "boot Linux 6.12 or newer with EROFS (`modprobe erofs`), and have [cache] dir on a local filesystem other than tmpfs and "
                    + "overlayfs; or set `seal = false`")
        }
    }

    /// Whether idle processors of a virtual machine stay awake for a moment before they halt
    /// (Documentation/virt/guest-halt-polling.rst). Whoever wakes one that has halted calls its host, and each request of a lazy mount
    /// wakes two threads. Nil where another governor decides, as on real machines.
    static func idle(governor: String?, polling: String?) -> Check? {
        guard governor == "haltpoll", let nanoseconds = polling.flatMap({ Int($0) }) else { return nil }
        if nanoseconds > 0 { return .ok("idle processors", "halt after \(nanoseconds / 1000) µs at most") }
        return Check(
            "idle processors", .warning,
            "halt at once, and to wake one takes a call of this virtual machine's host: while the machine has little to do, lazy mounts "
                + "take about twice as long for what is read first",
            fix: "`echo 200000 > \(haltPolling)`, which is the kernel's own default; it costs idle time of the host")
    }

    static func idle() -> Check? {
        func value(_ path: String) -> String? {
            (try? File.text(path)).map { String($0.prefix { $0 != "\n" }) }
        }
        return idle(governor: value("/sys/devices/system/cpu/cpuidle/current_governor"), polling: value(haltPolling))
    }

    private static let haltPolling = "/sys/module/haltpoll/parameters/guest_halt_poll_ns"

    /// The path, or the nearest directory above it that is there.
    private static func existing(_ path: String) -> String {
        var path = path
        while access(path, F_OK) == -1, path != "/" {
            path = String(path[..<(path.dropLast().lastIndex(of: "/") ?? path.startIndex)])
            if path.isEmpty { path = "/" }
        }
        return path
    }

    static func tried(
        _ name: String, _ what: String, _ fix: String, topic: Check.Topic = .machine,
        _ body: () throws(SystemError) -> Void
    ) -> Check {
        do throws(SystemError) {
            try body()
            return .ok(name, what)
        } catch {
            return Check(name, .failure, "\(error)", fix: fix, topic: topic)
        }
    }

    /// Stacks a tiny overlay as mounts do, on layers that no path leads to: kernels differ in what they take, whatever their number.
    static func probeOverlay() throws(SystemError) {
        let upper = try emptyLayer()
        let lower = try emptyLayer()
        let overlay = try FilesystemContext("overlay")
        try overlay.set("lowerdir+", fd: upper.raw)
        try overlay.set("lowerdir+", fd: lower.raw)
        try overlay.create()
        _ = try overlay.mount([.noSetuid, .noDevices])
    }

    static func emptyLayer() throws(SystemError) -> DetachedMount {
        let context = try FilesystemContext("tmpfs")
        try context.create()
        return try context.mount([.noSetuid, .noDevices])
    }

    /// Why a kernel with this release (uname(2)) is too old; nil if it is not.
    static func kernelProblem(release: String) -> String? {
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return "the kernel's release `\(release)` cannot be read" }
        if (numbers[0], numbers[1]) >= oldestKernel { return nil }
        return
            "Linux \(release) is too old: \(oldestKernel.0).\(oldestKernel.1) is needed (FUSE_NOTIFY_RESEND, statmount)"
    }

    private static func kernelRelease() -> String {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
