import CacheProtocol
import GitObjects

/// Where a changelist lies in a tree, and what of it a mount shows. A value without I/O; paths are components from the tree's root.
struct ChangePlacement: Hashable, Sendable {
    /// The changelist's own root.
    var root: [[UInt8]]
    /// The mount's root.
    var mount: [[UInt8]]

    /// What happens to the tree as far as the mount shows it: what lies elsewhere is left out.
    /// - Throws: `changelistMisplaced` if all of it lies elsewhere, `corrupt` if a file is listed twice.
    func edits(_ changelist: Changelist, _ name: String) throws(CacheError) -> TreeEdits {
        var edits = TreeEdits()
        for file in changelist.files {
            let path = root + file.path
            guard isShown(path) else { continue }
            switch file.action {
            case .delete:
                edits.delete(path)
            case .put(var put):
                put.before = put.before.map { root + $0 }
                do throws(TreeEdits.Duplicate) {
                    try edits.put(put, at: path)
                } catch {
                    throw CacheError(.corrupt, "changelist \(name) lists \(Self.text(error.path)) twice")
                }
            }
        }
        guard edits.count > 0 || changelist.files.isEmpty else {
            throw CacheError(
                .changelistMisplaced,
                "changelist \(name) begins at \(Self.text(root)) and changes nothing below \(Self.text(mount)): mount a "
                    + "directory it changes, or say where it begins (cl_path)")
        }
        return edits
    }

    /// A path that lies in the mount, or that the mount lies in.
    private func isShown(_ path: [[UInt8]]) -> Bool {
        zip(path, mount).allSatisfy { $0 == $1 }
    }

    /// The same placement in a tree that begins at the changelist's root; nil if the mount begins above it.
    var fromRoot: ChangePlacement? {
        guard mount.starts(with: root) else { return nil }
        return ChangePlacement(root: [], mount: Array(mount.dropFirst(root.count)))
    }

    /// An absolute path for messages.
    static func text(_ path: [[UInt8]]) -> String {
        "/" + path.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
    }
}
