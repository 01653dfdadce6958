import Glibc
import LinuxSystem

/// The directory of all uppers, and the trash among them that a thread of its own deletes: deleting a build's output takes seconds, an
/// unmount must not.
final class UpperStore: Sendable {
    /// What is kept and trash lie beside the uppers: a rename within one directory does not take the rename lock of the whole filesystem,
    /// which a copy-up of some job may hold while it waits.
    static let keptPrefix = ".kept-"
    static let trashPrefix = ".trash"

    let root: String
    private let storage: UpperStorage
    /// Where uppers are images.
    private let template: ImageTemplate?
    /// Where the filesystem has it, whatever uppers are now: those of earlier supervisors may have ids.
    private let quota: UpperQuota?
    private let thread: BlockingThreads
    private let log: any SupervisorLog
    private let saidUndescribed = Guarded(false)

    /// Makes the directories and starts to empty the trash of an earlier run. Throws EOPNOTSUPP if uppers are to have limits that the filesystem does
    /// not enforce.
    init(root: String, storage: UpperStorage, log: any SupervisorLog) throws(SystemError) {
        self.root = root
        self.storage = storage
        self.log = log
        thread = try BlockingThreads(count: 1, name: "trash")
        try Directory.create(root, mode: 0o700)
        try check(chmod(root, 0o700), "chmod", root)
        // A group in which inodes were deleted lately is slow to make one in (fs/ext4/ialloc.c, `recently_deleted`), and each overlay makes and deletes
        // some: with all uppers in one group every mount would take longer than the one before.
        try? Directory.setUnrelatedChildren(try Directory.open(root).raw)
        template = storage.kind == .image ? try ImageTemplate(in: root, storage) : nil
        if storage.needsQuota {
            guard let enforced = try UpperQuota(root: root) else {
                throw SystemError(
                    .notSupported, "upper_limit", root, detail: "its filesystem enforces no project quotas")
            }
            quota = enforced
        } else {
            // Where the question is forbidden nobody has given ids either.
            quota = (try? UpperQuota(root: root)) ?? nil
        }
        for name in try Directory.names(root).map({ String(decoding: $0, as: UTF8.self) })
        where name.hasPrefix(Self.trashPrefix) {
            deleteLater(name)
        }
    }

    func directory(_ id: MountID) -> UpperDirectory {
        UpperDirectory(root: root, id: id)
    }

    /// Makes the upper of a new mount. Throws ENOSPC if there is no room for an image.
    func make(_ directory: UpperDirectory, uid: UInt32, gid: UInt32) throws(SystemError) -> UpperLayer {
        try check(mkdir(directory.path, 0o700), "mkdir", directory.path)
        if let template {
            let file = try template.makeImage(directory.imagePath)
            return try UpperFilesystem.image(file.raw).makeLayer(uid: uid, gid: gid)
        }
        if storage.kind == .tmpfs { return try UpperFilesystem.tmpfs(storage).makeLayer(uid: uid, gid: gid) }
        return try directory.makeLayer(uid: uid, gid: gid) { [storage, quota] (directories) throws(SystemError) in
            if storage.needsQuota { try quota?.limit(directories, storage) }
        }
    }

    /// Leaves a description for the job on the root of an upper that no overlay stands on yet. Filesystems without such attributes have none, which is said
    /// once.
    func describe(_ upper: UpperLayer, _ description: MountDescription) {
        do throws(SystemError) {
            try File.setExtendedAttribute(MountDescription.attribute, of: upper.upper.raw, to: description.json)
        } catch {
            let isFirst = saidUndescribed.with { said -> Bool in
                defer { said = true }
                return !said
            }
            guard isFirst else { return }
            log.log(
                .notice, "mounts cannot be described by an extended attribute of their root",
                [("attribute", MountDescription.attribute), ("error", error.description)])
        }
    }

    /// Takes an upper away: one rename(2), then deletion in the background. No error if it was never made.
    func discard(_ upper: UpperDirectory, _ filesystem: UpperFilesystem? = nil) throws(SystemError) {
        let trash = "\(Self.trashPrefix)-\(upper.id)"
        if rename(upper.path, "\(root)/\(trash)") == -1 {
            if Errno.current == .notFound { return }
            throw SystemError(Errno.current, "rename", upper.path)
        }
        deleteLater(trash, filesystem)
    }

    /// Moves what a job wrote to `.kept-<mount id>`, where nobody touches it any more, and answers its path: a directory, or an image. Nil if
    /// there is none. An image is complete when no loop device is over it any more.
    func keep(_ upper: UpperDirectory, _ filesystem: UpperFilesystem?) throws(SystemError) -> String? {
        let kept = "\(root)/\(Self.keptPrefix)\(upper.id)"
        let names = Set(((try? Directory.names(upper.path)) ?? []).map { String(decoding: $0, as: UTF8.self) })
        let candidates = [UpperFilesystem.upperName, UpperDirectory.imageName]
        guard let name = candidates.first(where: names.contains) else { return nil }
        try check(rename(upper.path, kept), "rename", upper.path)
        thread.submit { [log] in
            // The last user of an image: its end writes out what is in memory.
            withExtendedLifetime(filesystem) {}
            do throws(SystemError) {
                try TreeRemoval.remove(at: try Directory.open(kept).raw, UpperFilesystem.workName)
            } catch  where error.errno == .notFound {
            } catch {
                log.log(.warning, "cannot tidy a kept upper", [("path", kept), ("error", error.description)])
            }
        }
        return "\(kept)/\(name)"
    }

    /// The mount that an entry of the mount table is, if it is an overlay on one of our uppers: whoever else mounts has no directory in there. The
    /// path of an upper with a filesystem of its own says nothing, so its source does.
    func owner(of entry: MountTable.Entry) -> MountID? {
        guard entry.type == "overlay" else { return nil }
        if entry.source.hasPrefix(root + "/") {
            return MountID(rawValue: String(entry.source.dropFirst(root.utf8.count + 1)))
        }
        let prefix = "upperdir=\(root)/"
        for option in entry.superOptions.split(separator: ",") where option.hasPrefix(prefix) {
            let rest = MountTable.unescape(option).dropFirst(prefix.count)
            return MountID(rawValue: String(rest.prefix { $0 != "/" }))
        }
        return nil
    }

    /// Waits until everything discarded so far is deleted, or the deadline has passed; the next supervisor goes on with the rest.
    func drain(until deadline: Deadline) async {
        let done = EventFlag()
        thread.submit { done.set() }
        while !done.isSet, !deadline.hasPassed { try? await Pause.sleep(for: .milliseconds(10)) }
    }

    /// A program of an earlier supervisor may still be filling it (``LayerCopy``), until it notices.
    private static func remove(_ name: String, at directory: Int32) throws(SystemError) {
        for _ in 0..<20 {
            do throws(SystemError) {
                return try TreeRemoval.remove(at: directory, name)
            } catch {
                guard error.errno == .notEmpty else { throw error }
                usleep(100_000)
            }
        }
        try TreeRemoval.remove(at: directory, name)
    }

    private func deleteLater(_ name: String, _ filesystem: UpperFilesystem? = nil) {
        thread.submit { [root, log, quota] in
            filesystem?.abandon()
            let project = quota?.project(ofUpperAt: "\(root)/\(name)")
            do throws(SystemError) {
                let directory = try Directory.open(root)
                try Self.remove(name, at: directory.raw)
                if let project { try quota?.giveBack(project) }
            } catch {
                log.log(.warning, "cannot delete a discarded upper", [("name", name), ("error", error.description)])
            }
        }
    }
}

private final class EventFlag: Sendable {
    private let state = Guarded(false)

    var isSet: Bool { state.with { $0 } }

    func set() {
        state.with { $0 = true }
    }
}
