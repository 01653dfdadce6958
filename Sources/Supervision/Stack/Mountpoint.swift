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

    /// What was done for a mountpoint, to be undone after the mount.
    struct Made: Hashable, Sendable {
        /// Components below the root that did not exist, outermost first; also those that another mount made and that are used in common.
        var components: [String] = []
        /// The directory was there, and was made immutable.
        var isLocked = false
    }

    /// Makes the directory beneath its root without following a link or entering a mount, and opens it. What exists already must be
    /// empty (ENOTEMPTY) and on the root's own mount (EXDEV). It is immutable from now on, so that nothing can be written into it when its
    /// mount is gone, not by root either; one that is made here has mode 0, too.
    func prepare(made: inout Made, _ directories: MadeDirectories = MadeDirectories()) throws(SystemError) -> OwnedFD {
        let base = try Directory.open(root)
        let directory = try make(beneath: base.raw, &made, directories)
        let own = try Directory.open(beneath: base.raw, name, flags: O_RDONLY | O_DIRECTORY, resolve: Self.strict)
        if made.components.contains(name) {
            try check(fchmod(own.raw, 0), "fchmod", path)
        } else {
            guard try Directory.names(of: own.raw).isEmpty else { throw SystemError(.notEmpty, "mount", path) }
            made.isLocked = true
        }
        try Self.tolerant { () throws(SystemError) in try Directory.setImmutable(own.raw, true) }
        return directory
    }

    private func make(
        beneath base: Int32, _ made: inout Made, _ directories: MadeDirectories
    ) throws(SystemError) -> OwnedFD {
        for _ in 0..<100 {
            if let directory = try attempt(beneath: base, &made, directories) { return directory }
        }
        throw SystemError(.notFound, "mkdir", path, detail: "its parents keep being taken away")
    }

    /// Nil if a parent was taken away meanwhile, by the end of another mount.
    private func attempt(
        beneath base: Int32, _ made: inout Made, _ directories: MadeDirectories
    ) throws(SystemError) -> OwnedFD? {
        var created: [String] = []
        defer {
            for component in created { directories.insert(root + "/" + component) }
            for component in ancestors where directories.contains(root + "/" + component) {
                if !made.components.contains(component) { made.components.append(component) }
            }
            if created.contains(name), !made.components.contains(name) { made.components.append(name) }
        }
        do throws(SystemError) {
            return try Directory.create(beneath: base, name, mode: 0o755, made: &created)
        } catch {
            if error.errno != .notFound { throw error }
            return nil
        }
    }

    /// The components above the last one, outermost first.
    private var ancestors: [String] {
        let parts = name.split(separator: "/")
        return (1..<max(parts.count, 1)).map { parts[..<$0].joined(separator: "/") }
    }

    /// Undoes what `prepare` did. A parent that holds something else by now stays. Nothing is done to what is not there any more or what a
    /// link leads to: somebody else has put it there.
    func remove(_ made: Made, _ directories: MadeDirectories = MadeDirectories()) throws(SystemError) {
        guard !made.components.isEmpty || made.isLocked else { return }
        let base = try Directory.open(root)
        if made.isLocked || made.components.contains(name) { try unlock(beneath: base.raw) }
        for component in made.components.reversed() {
            if let error = try Self.removeDirectory(component, beneath: base.raw) {
                if component != name, error == .notEmpty || error == .busy { return }
                throw SystemError(error, "rmdir", root + "/" + component)
            }
            directories.remove(root + "/" + component)
        }
    }

    /// Removes one directory; what is not there, or not a directory any more, is no error.
    private static func removeDirectory(_ path: String, beneath base: Int32) throws(SystemError) -> Errno? {
        let slash = path.lastIndex(of: "/")
        do throws(SystemError) {
            let above = slash.map { String(path[..<$0]) } ?? "."
            let parent = try Directory.open(beneath: base, above, resolve: strict)
            let last = slash.map { String(path[path.index(after: $0)...]) } ?? path
            if unlinkat(parent.raw, last, AT_REMOVEDIR) == 0 { return nil }
            let error = Errno.current
            return error == .notFound || error == .notADirectory ? nil : error
        } catch {
            if [.notFound, .notADirectory, .tooManyLinks].contains(error.errno) { return nil }
            throw error
        }
    }

    private func unlock(beneath base: Int32) throws(SystemError) {
        do throws(SystemError) {
            // Opened without read permission: the mode may be 0, but root's capabilities pass.
            let own = try Directory.open(beneath: base, name, flags: O_RDONLY | O_DIRECTORY, resolve: Self.strict)
            try Directory.setImmutable(own.raw, false)
        } catch {
            let harmless: [Errno] = [.notFound, .notADirectory, .tooManyLinks, .notSupported, Errno(rawValue: ENOTTY)]
            if !harmless.contains(error.errno) { throw error }
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
