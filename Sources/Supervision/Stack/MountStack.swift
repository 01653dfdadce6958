import Glibc
import LinuxSystem
import WorkerProtocol

/// The blocking half of making and ending a mount, for `BlockingThreads`: each call is bounded by the system calls' own limits or by an abort
/// of the connection from outside.
struct MountStack: Sendable {
    /// A complete mount that nobody can see yet, and the directory it will appear at.
    final class Prepared: Sendable {
        let identity: MountIdentity
        let made: Mountpoint.Made
        fileprivate let overlay: DetachedMount
        fileprivate let target: OwnedFD

        init(
            identity: MountIdentity, made: Mountpoint.Made, overlay: consuming DetachedMount, target: consuming OwnedFD
        ) {
            self.identity = identity
            self.made = made
            self.overlay = overlay
            self.target = target
        }
    }

    /// A complete view of a mount that has no place yet.
    final class PreparedSuccessor: Sendable {
        let identity: MountIdentity
        fileprivate let overlay: DetachedMount

        init(identity: MountIdentity, overlay: consuming DetachedMount) {
            self.identity = identity
            self.overlay = overlay
        }
    }

    let uppers: UpperStore
    let directories: MadeDirectories
    let id: MountID
    let mountpoint: Mountpoint
    let owner: Accounts.User

    var upper: UpperDirectory {
        uppers.directory(id)
    }

    func makeUpper() throws(SystemError) -> UpperLayer {
        try uppers.make(upper, uid: owner.uid, gid: owner.gid)
    }

    /// Proves the lower, stacks the overlay of it and the upper, which is there already, and makes the mountpoint. If that fails, a
    /// mountpoint that was made is taken away again.
    func prepare(
        on lower: LowerMount, sealed: SealedLower?, upper: UpperLayer, probeName: String,
        description: MountDescription
    ) throws(SystemError) -> Prepared {
        let overlay = try stack(lower, sealed, upper, probeName, description)
        var made = Mountpoint.Made()
        do throws(SystemError) {
            let identity = try overlay.identity()
            let target = try mountpoint.prepare(made: &made, directories)
            return Prepared(identity: identity, made: made, overlay: overlay, target: target)
        } catch {
            try? mountpoint.remove(made, directories)
            throw error
        }
    }

    /// Proves the lower and stacks the overlay for a view that takes the place of another: it has no mountpoint of its own.
    func prepareSuccessor(
        on lower: LowerMount, sealed: SealedLower?, upper: UpperLayer, probeName: String,
        description: MountDescription
    ) throws(SystemError) -> PreparedSuccessor {
        let overlay = try stack(lower, sealed, upper, probeName, description)
        return PreparedSuccessor(identity: try overlay.identity(), overlay: overlay)
    }

    private func stack(
        _ lower: LowerMount, _ sealed: SealedLower?, _ upper: UpperLayer, _ probeName: String,
        _ description: MountDescription
    ) throws(SystemError) -> DetachedMount {
        // What a sealed mount lists is the image.
        try lower.prove(probeName: probeName, listing: sealed == nil)
        try sealed?.snapshot.prove()
        uppers.describe(upper, description)
        return try OverlayMount.make(
            lower: lower, sealed: sealed, upper: upper,
            source: upper.filesystem == nil ? OverlayMount.source : self.upper.path)
    }

    /// Puts a prepared view in the place of another, in one step for everybody who looks (``MountPlace/exchange(root:for:)``).
    func exchange(_ next: PreparedSuccessor, for old: MountIdentity) throws(SystemError) {
        let place = try MountPlace(of: old, expectedAt: mountpoint.path)
        let root = try place.root(of: old)
        try place.exchange(root: root, for: next.overlay)
    }

    /// The root of an attached mount, to reconfigure its filesystem by.
    func root(of identity: MountIdentity) throws(SystemError) -> OwnedFD {
        try MountPlace(of: identity, expectedAt: mountpoint.path).root(of: identity)
    }

    /// Makes a prepared mount visible, in one step.
    func attach(_ prepared: Prepared) throws(SystemError) {
        try prepared.overlay.attach(at: prepared.target.raw)
    }

    /// One plain unmount. True when it is unmounted, false while it is busy.
    func unmountOnce(_ identity: MountIdentity) throws(SystemError) -> Bool {
        guard try identity.isAttached() else { return true }
        let place = try MountPlace(of: identity, expectedAt: mountpoint.path)
        do {
            try place.unmount()
        } catch  where error.errno == .busy {
            return false
        }
        return try !identity.isAttached()
    }

    /// Aborts the connection, which frees everybody who waits in it, takes the mount out of the tree, and looks whether it is gone.
    func unmountByForce(_ identity: MountIdentity, _ custody: Custody?) throws(SystemError) {
        try custody?.abort()
        guard try identity.isAttached() else { return }
        try MountPlace(of: identity, expectedAt: mountpoint.path).detach()
        if try identity.isAttached() {
            throw SystemError(.busy, "umount2(MNT_DETACH)", mountpoint.path, detail: "it is still in the mount table")
        }
    }

    /// Takes away the mountpoint and the upper; answers where the upper is if it is kept.
    func cleanUp(
        _ made: Mountpoint.Made, _ policy: UpperPolicy, _ filesystem: UpperFilesystem?
    ) throws(SystemError) -> String? {
        let removal = Result { () throws(SystemError) in try mountpoint.remove(made, directories) }
        let kept = policy == .keep ? try uppers.keep(upper, filesystem) : nil
        try uppers.discard(upper, filesystem)
        try removal.get()
        return kept
    }
}
