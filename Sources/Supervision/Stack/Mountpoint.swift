import Glibc
import LinuxSystem

/// The directory that a mount is attached to.
struct Mountpoint: Hashable, Sendable {
    /// The configured root it lies under.
    let root: String
    /// The rest of the path, without a slash at either end.
    let name: String

    var path: String { root + "/" + name }

    /// The mountpoint for `path` under one of the roots (the longest that fits), or nil if there is none or the path is not plain: absolute,
    /// without empty, `.` or `..` components.
    init?(path: String, roots: [String]) {
        let plain =
            path.hasPrefix("/") && !path.utf8.contains(0)
            && path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.count <= 255
            }
        let fitting = roots.filter { path.hasPrefix($0 + "/") }.max { $0.utf8.count < $1.utf8.count }
        guard plain, path.utf8.count < 4096, let fitting else { return nil }
        root = fitting
        name = String(path.dropFirst(fitting.count + 1))
    }

    init(root: String, name: String) {
        self.root = root
        self.name = name
    }

    /// What was made for a mountpoint, to be taken away after the mount.
    struct Made: Hashable, Sendable {
        /// Components below the root that did not exist, outermost first.
        var components: [String] = []
    }

    /// Makes the directory beneath its root without following a link or entering a mount, and opens it. What exists already must be
    /// empty (ENOTEMPTY) and on the root's own mount (EXDEV). A directory made here is closed to everybody (mode 0, immutable), so that
    /// nothing can be written into it when its mount is gone.
    func prepare(made: inout Made) throws(SystemError) -> OwnedFD {
        let base = try Directory.open(root)
        let directory = try Directory.create(beneath: base.raw, name, mode: 0o755, made: &made.components)
        if made.components.contains(name) {
            let own = try Directory.open(beneath: base.raw, name, flags: O_RDONLY | O_DIRECTORY, resolve: Self.strict)
            try check(fchmod(own.raw, 0), "fchmod", path)
            try Self.tolerant { () throws(SystemError) in try Directory.setImmutable(own.raw, true) }
        } else {
            _ = try Directory.open(beneath: base.raw, name, resolve: Self.strict)
            guard try Directory.names(of: directory.raw).isEmpty else { throw SystemError(.notEmpty, "mount", path) }
        }
        return directory
    }

    /// Takes away what `prepare` made. A parent that holds something else by now stays.
    func remove(_ made: Made) throws(SystemError) {
        guard !made.components.isEmpty else { return }
        let base = try Directory.open(root)
        if made.components.contains(name) {
            // Opened without read permission: the mode is 0, but root's capabilities pass.
            let own = try Directory.open(beneath: base.raw, name, flags: O_RDONLY | O_DIRECTORY, resolve: Self.strict)
            try Self.tolerant { () throws(SystemError) in try Directory.setImmutable(own.raw, false) }
        }
        for component in made.components.reversed() {
            if unlinkat(base.raw, component, AT_REMOVEDIR) == -1 {
                if component != name, Errno.current == .notEmpty || Errno.current == .busy { return }
                if Errno.current != .notFound { throw SystemError(Errno.current, "rmdir", root + "/" + component) }
            }
        }
    }

    private static let strict: Directory.Resolution = [.beneath, .noLinks, .sameMount]

    /// Filesystems without inode flags answer ENOTTY or EOPNOTSUPP: then the mode alone has to do.
    private static func tolerant(_ body: () throws(SystemError) -> Void) throws(SystemError) {
        do {
            try body()
        } catch  where error.errno == .notSupported || error.errno.rawValue == ENOTTY {
            return
        }
    }
}
