import CAntares
import Glibc

/// The owner that files of owner 0 get in a mount: a user namespace in which one user and one group exist (user_namespaces(7)).
public struct IdentityMap: ~Copyable, Sendable {
    private let namespace: OwnedFD

    /// Costs one short-lived process; keep it for the next mount of the same owner.
    public init(owner: Accounts.User) throws(SystemError) {
        namespace = OwnedFD(
            taking: try check(ant_user_namespace(owner.uid, owner.gid), "clone(CLONE_NEWUSER)", "\(owner.uid)"))
    }

    /// A copy of a mount, attached nowhere, in which what belongs to user and group 0 belongs to the owner (mount_setattr(2),
    /// MOUNT_ATTR_IDMAP). Throws EINVAL if the filesystem does not allow it.
    public func apply(to mount: borrowing DetachedMount) throws(SystemError) -> DetachedMount {
        DetachedMount(
            OwnedFD(taking: try check(ant_idmapped_copy(mount.raw, namespace.raw), "mount_setattr(MOUNT_ATTR_IDMAP)")))
    }
}
