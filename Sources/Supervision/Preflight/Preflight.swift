import Glibc
import LinuxSystem

/// What must be true before the supervisor serves. All problems are found and told at once.
enum Preflight {
    /// RESEND needs 6.9.4 and file-backed EROFS 6.12; overlay layers by descriptor need 6.13.
    static let oldestKernel = (6, 12)

    struct Programs: Sendable {
        let worker: String
        let cache: String
        let workerUser: Accounts.User
        let cacheUser: Accounts.User
    }

    /// Checks the machine and finds the programs and users. Throws `.internalError` with one line for each problem.
    static func run(_ configuration: SupervisorConfiguration) throws(SupervisorError) -> Programs {
        var problems: [String] = []
        if geteuid() != 0 {
            problems.append("not root: mounting needs CAP_SYS_ADMIN; start as root or as a system service")
        }
        if let problem = kernelProblem(release: kernelRelease()) { problems.append(problem) }
        if geteuid() == 0 {
            do throws(SystemError) {
                _ = try FuseConnection.open()
                try FuseConnection.ensureControlFilesystem()
            } catch {
                problems.append("FUSE cannot be used (is the module loaded? `modprobe fuse`): \(error)")
            }
            do throws(SystemError) {
                try probeOverlay()
            } catch {
                problems.append(
                    "overlayfs cannot stand on a mount that is attached nowhere (is the module loaded, `modprobe overlay`? is the "
                        + "kernel new enough? 6.18 is): \(error)")
            }
        }
        let worker = program(configuration.workerProgram, "antares-worker", &problems)
        let cache = program(configuration.cacheProgram, "dicfuse-cache", &problems)
        let workerUser = user(configuration.workerUser, "worker_user", &problems)
        let cacheUser = user(configuration.cacheUser, "[cache] user", &problems)
        guard problems.isEmpty, let workerUser, let cacheUser else {
            throw SupervisorError(.internalError, problems.joined(separator: "\n"))
        }
        return Programs(worker: worker, cache: cache, workerUser: workerUser, cacheUser: cacheUser)
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

    private static func emptyLayer() throws(SystemError) -> DetachedMount {
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

    private static func program(_ configured: String?, _ name: String, _ problems: inout [String]) -> String {
        let path = configured ?? besideExecutable(name)
        if access(path, X_OK) != 0 {
            problems.append("the program \(name) is not at \(path): \(Errno.current); install it there or set its path")
        }
        return path
    }

    private static func besideExecutable(_ name: String) -> String {
        let own = (try? File.linkTarget("/proc/self/exe")) ?? ""
        return String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]) + "/" + name
    }

    private static func user(_ name: String, _ key: String, _ problems: inout [String]) -> Accounts.User? {
        guard let user = Accounts.user(name) else {
            problems.append("\(key): there is no user `\(name)`; make it (`useradd --system \(name)`) or name another")
            return nil
        }
        if user.uid == 0 { problems.append("\(key): `\(name)` is root; name an unprivileged user") }
        return user
    }
}
