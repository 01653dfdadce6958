import Glibc
import LinuxSystem

/// Where a mount of ours is, held in a way that nobody can swap: the directory above it by descriptor, and its name in there. While a mount is on
/// it, the kernel lets nobody rename or remove that name (EBUSY); what lies above may be moved or linked as anybody likes.
struct MountPlace: ~Copyable {
    private let parent: OwnedFD
    private let name: String

    /// The place of an attached mount: at `path` where it was put, else where the mount table says. Throws EBUSY if another mount covers it, ENOENT
    /// if it is in no place that a path leads to. Touches no filesystem but those that lie above it.
    init(of identity: MountIdentity, expectedAt path: String) throws(SystemError) {
        if let place = try? MountPlace(path), try place.top() == identity {
            self = place
            return
        }
        var failure = SystemError(.notFound, "looking for the mount", path)
        for _ in 0..<Self.looks {
            guard let facts = try identity.facts(),
                let entry = try MountTable.current().last(where: { $0.mountID == facts.tableID })
            else { throw failure }
            do throws(SystemError) {
                let place = try MountPlace(entry.mountPoint)
                if try place.top() == identity {
                    self = place
                    return
                }
                failure = SystemError(
                    .busy, "umount2", entry.mountPoint, detail: "another mount covers it; unmount that first")
            } catch {
                failure = error
            }
        }
        throw failure
    }

    /// What lies above may be moved between the look at the mount table and the walk there; the next look shows where it is then.
    private static let looks = 32

    private init(_ path: String) throws(SystemError) {
        guard let slash = path.lastIndex(of: "/") else { throw SystemError(.invalidArgument, "open", path) }
        let above = slash == path.startIndex ? "/" : String(path[..<slash])
        parent = try Directory.open(above)
        name = String(path[path.index(after: slash)...])
    }

    private var path: String { "/proc/self/fd/\(parent.raw)/\(name)" }

    /// What is on top there.
    private func top() throws(SystemError) -> MountIdentity {
        try Mounts.top(path)
    }

    /// The root of the mount, by descriptor (O_PATH): as long as it is open the mount does not end, wherever it is.
    func root(of identity: MountIdentity) throws(SystemError) -> OwnedFD {
        let root = try File.open(path, Directory.pathOnly | O_NOFOLLOW)
        guard try MountIdentity(of: root.raw) == identity else {
            throw SystemError(.busy, "open", path, detail: "another mount covers it")
        }
        return root
    }

    /// Puts another mount in the place of this one, of which `root` is the root: beneath it first, then this one is taken away. Whoever looks up the path
    /// meets one or the other, never neither (move_mount(2), MOVE_MOUNT_BENEATH).
    func exchange(root: borrowing OwnedFD, for next: borrowing DetachedMount) throws(SystemError) {
        try next.attach(at: root.raw, beneath: true)
        try detach()
    }

    /// umount2(2). EBUSY while it is used, and while something is mounted in it or on it.
    func unmount() throws(SystemError) {
        try Mounts.unmount(path)
    }

    /// MNT_DETACH. What somebody mounts on top of it between the look and the call goes with it; nothing else can.
    func detach() throws(SystemError) {
        try Mounts.detach(path)
    }
}
