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

    let uppers: UpperStore
    let id: MountID
    let mountpoint: Mountpoint
    let owner: Accounts.User

    var upper: UpperDirectory {
        uppers.directory(id)
    }

    func makeUpper() throws(SystemError) {
        try upper.create(uid: owner.uid, gid: owner.gid)
    }

    /// Proves the lower, stacks the overlay of it and the upper, which is there already, and makes the mountpoint. If that fails, a
    /// mountpoint that was made is taken away again.
    func prepare(on lower: LowerMount, probeName: String) throws(SystemError) -> Prepared {
        try lower.prove(probeName: probeName)
        var made = Mountpoint.Made()
        do throws(SystemError) {
            let overlay = try OverlayMount.make(lower: lower, upper: upper)
            let identity = try overlay.identity()
            let target = try mountpoint.prepare(made: &made)
            return Prepared(identity: identity, made: made, overlay: overlay, target: target)
        } catch {
            try? mountpoint.remove(made)
            throw error
        }
    }

    /// Makes a prepared mount visible, in one step.
    func attach(_ prepared: Prepared) throws(SystemError) {
        try prepared.overlay.attach(at: prepared.target.raw)
    }

    /// Unmounts plainly, again and again while it is busy, until `deadline`. True when it is unmounted.
    func unmountPlainly(_ identity: MountIdentity, until deadline: Deadline) throws(SystemError) -> Bool {
        // The kernel has no event for "no longer busy", so the question is repeated.
        var pause: UInt32 = 5_000
        while try identity.isAttached() {
            try checkUncovered(identity)
            do {
                try Mounts.unmount(mountpoint.path)
            } catch  where error.errno == .busy {
                if deadline.hasPassed { return false }
                usleep(pause)
                pause = min(pause * 2, 100_000)
            }
        }
        return true
    }

    /// Aborts the connection, which frees everybody who waits in it, then takes the mount out of the tree.
    func unmountByForce(_ identity: MountIdentity, _ custody: Custody?) throws(SystemError) {
        try custody?.abort()
        guard try identity.isAttached() else { return }
        try checkUncovered(identity)
        try Mounts.detach(mountpoint.path)
    }

    /// umount2(2) takes a path and would end whatever somebody else has mounted on top of ours.
    private func checkUncovered(_ identity: MountIdentity) throws(SystemError) {
        if try Mounts.top(mountpoint.path) != identity {
            throw SystemError(.busy, "umount2", mountpoint.path, detail: "another mount covers it; unmount that first")
        }
    }

    /// Takes away the mountpoint and the upper.
    func cleanUp(_ made: Mountpoint.Made) throws(SystemError) {
        try mountpoint.remove(made)
        try uppers.discard(upper)
    }
}
