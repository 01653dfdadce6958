import Glibc
import LinuxSystem

/// Writes what a mount shows at the places of changes. Nothing but the mount is looked at: no link is followed, no other mount entered.
///
/// The mount itself is read, as its job does: what was renamed, or only made executable, has its contents below the upper.
final class ChangeArchive {
    private let root: Int32
    private let output: Int32
    private var buffer: [UInt8] = []
    private var written = Set<[UInt8]>()
    private var trees = Set<[UInt8]>()
    /// What is not in it as it is in the mount, with the reason.
    private(set) var problems: [String] = []

    private static let chunk = 256 << 10

    init(of root: Int32, to output: Int32) {
        self.root = root
        self.output = output
    }

    func write(_ plan: ArchivePlan) throws(SystemError) {
        let marks = Set(plan.marks)
        trees = plan.trees
        for path in plan.order {
            try putParents(of: path)
            if marks.contains(path) { try mark(path) } else { try addWhole(path) }
        }
        buffer += TarMember.end
        try flush()
    }

    private func putParents(of path: [UInt8]) throws(SystemError) {
        for parent in ArchivePlan.parents(of: path) where !written.contains(parent) { try add(parent) }
    }

    private func mark(_ path: [UInt8]) throws(SystemError) {
        guard written.insert(path).inserted else { return }
        // A link that came in the place of its directory would take the mark elsewhere.
        let directory = ArchivePlan.parents(of: path).last ?? [0x2E]
        guard (try? Directory.open(beneath: root, bytes: directory, flags: Directory.pathOnly)) != nil else {
            return problems.append(
                "\(QuotedPath.text(directory)) is no directory any more; what is gone in it is left out")
        }
        try put(TarMember(path: path, kind: .file, mode: 0o644))
    }

    /// A directory that hides one of before comes with all that is in it.
    private func addWhole(_ path: [UInt8]) throws(SystemError) {
        try add(path)
        let opaque = path + [0x2F] + ArchivePlan.opaque
        guard trees.contains(path) else { return }
        try mark(opaque)
        try addContents(of: path)
    }

    private func add(_ path: [UInt8]) throws(SystemError) {
        if ArchivePlan.looksLikeMark(path) {
            throw SystemError(
                .invalidArgument, "packing", QuotedPath.text(path),
                detail: "in an archive of changes a name that begins with .wh. means that something was deleted")
        }
        if written.insert(path).inserted { try addMember(path) }
    }

    private func addMember(_ path: [UInt8]) throws(SystemError) {
        do throws(SystemError) {
            let place = try Directory.open(beneath: root, bytes: path, flags: File.pathOnly)
            let status = try FileStatus(of: place.raw)
            var member = TarMember(
                path: path, kind: .file, mode: status.mode & 0o7777, uid: status.uid, gid: status.gid,
                modified: status.modified)
            switch status.mode & S_IFMT {
            case S_IFREG:
                return try addFile(path)
            case S_IFLNK:
                member.kind = .symlink
                member.target = try File.linkTarget(of: place.raw)
            case S_IFDIR:
                member.kind = .directory
            case S_IFIFO:
                member.kind = .pipe
            default:
                return problems.append("\(QuotedPath.text(path)) is a socket or a device and left out")
            }
            try put(member)
        } catch  where error.errno == .notFound || error.errno == .notADirectory {
            return problems.append("\(QuotedPath.text(path)) has vanished and is left out")
        }
    }

    private func addContents(of path: [UInt8]) throws(SystemError) {
        // What is in a directory right after it, and no stack that grows with the depth.
        var pending = try entries(of: path)
        while let place = pending.popLast() {
            try add(place)
            pending += try entries(of: place)
        }
    }

    /// What is in a directory, the last first; nothing if it is none.
    private func entries(of path: [UInt8]) throws(SystemError) -> [[UInt8]] {
        do throws(SystemError) {
            let opened = try Directory.open(beneath: root, bytes: path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            return try Directory.names(of: opened.raw).sorted { $1.lexicographicallyPrecedes($0) }
                .map { path + [0x2F] + $0 }
        } catch  where [.notFound, .notADirectory, .tooManyLinks].contains(error.errno) {
            return []
        }
    }

    private func addFile(_ path: [UInt8]) throws(SystemError) {
        let file = try Directory.open(beneath: root, bytes: path, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        let status = try FileStatus(of: file.raw)
        guard status.mode & S_IFMT == S_IFREG else {
            return problems.append("\(QuotedPath.text(path)) is something else by now and left out")
        }
        try put(
            TarMember(
                path: path, kind: .file, mode: status.mode & 0o7777, uid: status.uid, gid: status.gid,
                size: status.size,
                modified: status.modified))
        var done: UInt64 = 0
        var chunk = [UInt8](repeating: 0, count: Int(min(UInt64(Self.chunk), max(status.size, 1))))
        while done < status.size {
            let wanted = Int(min(UInt64(chunk.count), status.size - done))
            let count = try chunk.withUnsafeMutableBytes { bytes -> Result<Int, SystemError> in
                do throws(SystemError) {
                    let part = UnsafeMutableRawBufferPointer(rebasing: bytes[..<wanted])
                    return .success(try File.read(file.raw, into: part, at: Int64(done)))
                } catch {
                    return .failure(error)
                }
            }.get()
            if count < wanted {
                // Its head is written already.
                problems.append("\(QuotedPath.text(path)) became shorter while it was read; the rest is zeros")
                for index in count..<wanted { chunk[index] = 0 }
            }
            buffer += chunk[..<wanted]
            done += UInt64(wanted)
            try flush(above: Self.chunk)
        }
        buffer += [UInt8](repeating: 0, count: TarMember.padding(after: status.size))
    }

    private func put(_ member: TarMember) throws(SystemError) {
        buffer += member.head()
        try flush(above: Self.chunk)
    }

    private func flush(above limit: Int = 0) throws(SystemError) {
        guard buffer.count > limit else { return }
        let bytes = buffer
        buffer = []
        try bytes.withUnsafeBytes { bytes -> Result<Void, SystemError> in
            do throws(SystemError) {
                return .success(try File.write(output, bytes))
            } catch {
                return .failure(error)
            }
        }.get()
    }
}
