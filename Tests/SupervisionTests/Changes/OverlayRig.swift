import CacheProtocol
import GitHashing
import GitObjects
import Glibc
import LinuxSystem

@testable import Supervision

/// An overlay as mounts have it, over a tree on a tmpfs, attached nowhere.
final class OverlayRig {
    private let disk: DetachedMount
    private let overlay: DetachedMount
    let upper: OwnedFD
    let withMetacopies: Bool
    let before: ShownTree

    /// - Parameter fill: makes the lower tree in a directory, by its path.
    init(withMetacopies: Bool = false, _ fill: (String) throws -> Void) throws {
        self.withMetacopies = withMetacopies
        let context = try FilesystemContext("tmpfs")
        try context.set("source", "antares-test")
        try context.create()
        disk = try context.mount([.noSetuid, .noDevices])
        for name in ["lower", "upper", "work"] { try check(mkdirat(disk.raw, name, 0o755), "mkdirat", name) }
        let lower = try Directory.open(beneath: disk.raw, "lower")
        upper = try Directory.open(beneath: disk.raw, "upper")
        let work = try Directory.open(beneath: disk.raw, "work")
        try fill("/proc/\(getpid())/fd/\(lower.raw)")
        before = try ShownTree(of: lower.raw)
        let layers = try FilesystemContext("overlay")
        try layers.set("source", "antares-test")
        try layers.set("lowerdir+", fd: lower.raw)
        try layers.set("upperdir", fd: upper.raw)
        try layers.set("workdir", fd: work.raw)
        for (key, value) in [("redirect_dir", "on"), ("xino", "off"), ("index", "off"), ("nfs_export", "off")] {
            try layers.set(key, value)
        }
        if withMetacopies { try layers.set("metacopy", "on") }
        try layers.set("volatile")
        try layers.create()
        overlay = try layers.mount([.noSetuid, .noDevices])
    }

    /// Of the overlay's root; other processes can use it, too.
    var path: String { "/proc/\(getpid())/fd/\(overlay.raw)" }
    var root: Int32 { overlay.raw }

    func after() throws -> ShownTree {
        try ShownTree(of: overlay.raw)
    }

    /// Runs a shell script in the overlay.
    func run(_ script: String) throws {
        let child = try DisposableChild(
            "/bin/sh", ["-e", "-u", "-c", "cd '\(path)'; \(script)"], until: .after(.seconds(30)))
        let output = child.finish()
        guard output.status == .code(0) else {
            throw SystemError(.ioError, "sh", script, detail: String(describing: output))
        }
    }

    /// What the upper says, found as the supervisor finds it.
    func changes() throws -> [UpperChange] {
        let trees = before.trees()
        let scan = try UpperScan(of: upper.raw, withMetacopies: withMetacopies, deadline: .never)
        var comparison = ChangeComparison(scan, root: trees.root)
        while true {
            let questions = comparison.questions()
            guard !questions.isEmpty else { break }
            comparison.answer(questions.map { trees.entry(at: $0) })
        }
        for id in comparison.listings() {
            guard let directory = trees.directories[id] else { throw SystemError(.notFound, "listing", "\(id)") }
            comparison.supply(id, directory)
        }
        let files = UpperFiles(upper: upper.raw, deadline: .never)
        var contents: [Int: ChangeComparison.Contents] = [:]
        for file in comparison.files() { contents[file.index] = try files.contents(file) }
        return comparison.changes(contents)
    }
}
