import Glibc
import LinuxSystem

/// All that is in an upper layer.
///
/// The layer may be written meanwhile: what is moved during the scan may be in it at both places or at none.
struct UpperScan: Hashable, Sendable {
    struct Limits: Sendable {
        var entries = 1_000_000
        /// Of the paths of all entries together.
        var pathBytes = 256 << 20
    }

    /// The first is the root. What is in a directory comes after it, side by side and in the order of the bytes of the names.
    private(set) var entries = [UpperEntry(parent: 0, name: [], kind: .directory(UpperEntry.Directory()))]
    private var pathBytes = 0

    init() {}

    /// Names with slashes between, empty for the root.
    func path(of index: Int) -> [UInt8] {
        var names: [[UInt8]] = []
        var index = index
        while index != 0 {
            names.append(entries[index].name)
            index = entries[index].parent
        }
        return Array(names.reversed().joined(separator: [0x2F]))
    }

    /// Adds what is in a directory, to which nothing was added before.
    mutating func add(_ found: [(name: [UInt8], kind: UpperEntry.Kind)], to index: Int) {
        guard var directory = entries[index].directory else { return }
        let first = entries.count
        for (name, kind) in found { entries.append(UpperEntry(parent: index, name: name, kind: kind)) }
        directory.children = first..<entries.count
        entries[index].kind = .directory(directory)
    }

    // MARK: Scanning

    /// Looks at the layer below an open directory. No link is followed, no mount entered, nothing opened but directories.
    ///
    /// Throws ETIMEDOUT at the deadline, EOVERFLOW above a limit, ENAMETOOLONG where a path is longer than a system call takes.
    ///
    /// - Parameter withMetacopies: whether files may have their contents in the lower (`metacopy=on`).
    init(
        of upper: Int32, withMetacopies: Bool, limits: Limits = Limits(), deadline: Deadline
    ) throws(SystemError) {
        self.init()
        var next = 0
        while next < entries.count {
            defer { next += 1 }
            guard entries[next].directory != nil else { continue }
            try enter(next, upper, withMetacopies, limits, deadline)
        }
    }

    private mutating func enter(
        _ index: Int, _ upper: Int32, _ withMetacopies: Bool, _ limits: Limits, _ deadline: Deadline
    ) throws(SystemError) {
        let path = path(of: index)
        guard path.count < Int(PATH_MAX) else {
            throw SystemError(.nameTooLong, "looking at", String(decoding: path.prefix(200), as: UTF8.self) + "…")
        }
        do throws(SystemError) {
            let directory = try Directory.open(
                beneath: upper, bytes: path.isEmpty ? [0x2E] : path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            if index != 0 {
                var marks = UpperEntry.Directory()
                marks.isOpaque = try ExtendedAttributes.value(of: directory.raw, "trusted.overlay.opaque") == [0x79]
                marks.redirect = try ExtendedAttributes.value(of: directory.raw, "trusted.overlay.redirect")
                entries[index].kind = .directory(marks)
            }
            var found: [(name: [UInt8], kind: UpperEntry.Kind)] = []
            for name in try Directory.names(of: directory.raw).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                guard !deadline.hasPassed else { throw SystemError(.timedOut, "looking at an upper") }
                pathBytes += path.count + name.count + 1
                guard entries.count + found.count < limits.entries, pathBytes <= limits.pathBytes else {
                    throw SystemError(
                        .overflow, "looking at an upper",
                        detail: "it has more than \(entries.count + found.count) files")
                }
                let kind: UpperEntry.Kind
                do throws(SystemError) {
                    kind = try Self.kind(of: name, in: directory.raw, withMetacopies)
                } catch  where error.errno == .notFound {
                    continue
                }
                found.append((name, kind))
            }
            add(found, to: index)
        } catch  where [.notFound, .notADirectory, .tooManyLinks].contains(error.errno) {
            entries[index].kind = .vanished
        }
    }

    private static func kind(
        of name: [UInt8], in directory: Int32, _ withMetacopies: Bool
    ) throws(SystemError) -> UpperEntry.Kind {
        let status = try FileStatus(at: directory, name)
        switch status.mode & S_IFMT {
        case S_IFDIR:
            return .directory(UpperEntry.Directory())
        case S_IFLNK:
            return .symlink(size: status.size)
        case S_IFCHR where status.represented == 0:
            return .whiteout
        case S_IFREG:
            var contents = UpperEntry.Contents.own
            if withMetacopies, try ExtendedAttributes.value(at: directory, name, "trusted.overlay.metacopy") != nil {
                contents = .lower(
                    redirect: try ExtendedAttributes.value(at: directory, name, "trusted.overlay.redirect"))
            }
            return .file(isExecutable: status.mode & 0o100 != 0, size: status.size, contents: contents)
        default:
            return .other
        }
    }
}
