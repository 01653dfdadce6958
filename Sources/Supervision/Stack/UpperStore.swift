import Glibc
import LinuxSystem

/// The directory of all uppers, and the trash in it that a thread of its own empties: deleting a build's output takes seconds, an unmount
/// must not.
final class UpperStore: Sendable {
    static let trashName = ".trash"

    let root: String
    private let thread: BlockingThreads
    private let log: any SupervisorLog

    /// Makes the directories and starts to empty the trash of an earlier run.
    init(root: String, log: any SupervisorLog) throws(SystemError) {
        self.root = root
        self.log = log
        thread = try BlockingThreads(count: 1, name: "trash")
        try Directory.create(root, mode: 0o700)
        try check(chmod(root, 0o700), "chmod", root)
        try Directory.create(root + "/" + Self.trashName, mode: 0o700)
        for name in try Directory.names(root + "/" + Self.trashName) {
            emptyLater(String(decoding: name, as: UTF8.self))
        }
    }

    func directory(_ id: MountID) -> UpperDirectory {
        UpperDirectory(root: root, id: id)
    }

    /// Takes an upper away: one rename(2), then deletion in the background. No error if it was never made.
    func discard(_ upper: UpperDirectory) throws(SystemError) {
        let target = "\(root)/\(Self.trashName)/\(upper.id)"
        if rename(upper.path, target) == -1 {
            if Errno.current == .notFound { return }
            throw SystemError(Errno.current, "rename", upper.path)
        }
        emptyLater(upper.id.rawValue)
    }

    /// Takes away the uppers of mounts that are not among `kept`: nobody knows them any more.
    func discardAll(except kept: Set<MountID>) throws(SystemError) {
        for name in try Directory.names(root) {
            guard let id = MountID(rawValue: String(decoding: name, as: UTF8.self)), !kept.contains(id) else {
                continue
            }
            log.log(.notice, "discarding an upper that no mount has", [("mount", id.rawValue)])
            try discard(directory(id))
        }
    }

    /// Waits until everything discarded so far is deleted.
    func drain() async {
        await thread.run {}
    }

    private func emptyLater(_ name: String) {
        thread.submit { [root, log] in
            do throws(SystemError) {
                let trash = try Directory.open(root + "/" + Self.trashName)
                try TreeRemoval.remove(at: trash.raw, name)
            } catch {
                log.log(.warning, "cannot delete a discarded upper", [("name", name), ("error", error.description)])
            }
        }
    }
}
