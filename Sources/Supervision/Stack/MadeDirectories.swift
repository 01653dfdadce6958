import LinuxSystem

/// The directories that were made for mountpoints and are still there.
///
/// Mounts beside each other share the parents that the first of them made. Each notes them as its own, each tries to take them away, and
/// the last one finds them empty.
final class MadeDirectories: Sendable {
    private let paths = Guarded<Set<String>>([])

    func insert(_ path: String) {
        _ = paths.with { $0.insert(path) }
    }

    func remove(_ path: String) {
        _ = paths.with { $0.remove(path) }
    }

    func contains(_ path: String) -> Bool {
        paths.with { $0.contains(path) }
    }
}
