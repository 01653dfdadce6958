import CacheProtocol
import Glibc
import LinuxSystem

/// Brings the store of an earlier layout to this one.
enum StoreMigration {
    /// Renames what earlier layouts called otherwise: one rename(2) for each layer, so that whatever ends it in between leaves a store that
    /// the next start goes on with. Where both names are there, an owner of the earlier layout has been here since; what it left can
    /// be fetched again, and is deleted.
    ///
    /// - Returns: whether there was anything. Then the sealed images lead to where the objects were, and have to be made anew.
    static func run(_ directory: String) throws(SystemError) -> Bool {
        var found = false
        for layer in [StoreLayout.layer, StoreLayout.inbox] {
            for former in StoreLayout.formerObjects {
                let (old, new) = ("\(directory)/\(layer)/\(former)", "\(directory)/\(layer)/\(StoreLayout.objects)")
                guard access(old, F_OK) == 0 else { continue }
                found = true
                if access(new, F_OK) == 0 {
                    let parent = try Directory.open("\(directory)/\(layer)")
                    try TreeRemoval.remove(at: parent.raw, former)
                } else {
                    try check(rename(old, new), "rename", old)
                }
            }
        }
        return found
    }
}
