import Glibc
import LinuxSystem

/// A view in which nothing can be written, whoever has it open in whatever mount namespace: its overlay's superblock is read-only. Holds the mount.
final class FrozenView: Sendable {
    private let root: OwnedFD

    private init(_ root: consuming OwnedFD) {
        self.root = root
    }

    /// Nil while files are open for writing, or are deleted and still open. What is written from then on fails with EROFS.
    static func freeze(_ root: consuming OwnedFD) throws(SystemError) -> FrozenView? {
        do {
            try setReadOnly(root.raw, true)
        } catch  where error.errno == .busy {
            return nil
        }
        return FrozenView(root)
    }

    func thaw() throws(SystemError) {
        try Self.setReadOnly(root.raw, false)
    }

    /// Undoes a freeze of an earlier supervisor.
    static func thaw(_ root: borrowing OwnedFD) throws(SystemError) {
        try setReadOnly(root.raw, false)
    }

    private static func setReadOnly(_ root: Int32, _ on: Bool) throws(SystemError) {
        let context = try FilesystemContext(of: root)
        try context.set(on ? "ro" : "rw")
        try context.reconfigure()
    }
}
