import CacheProtocol
import LinuxSystem

/// What the job wrote.
extension MountActor {
    /// What differs from the snapshot, in the order of the bytes of the paths. The job may write meanwhile: what vanishes is left out, and
    /// what is moved may be told at both places or at none.
    ///
    /// Throws `.conflict` unless the mount is ready, or if its upper cannot be reached; `.overloaded` if others ask the same already.
    func changes(deadline: Deadline) async throws(SupervisorError) -> [UpperChange] {
        guard canTellChanges, let snapshot else { throw notReady }
        guard changesAsked < MountEnvironment.changesLimit else {
            throw SupervisorError(
                .overloaded, "others look at what the job of mount \(mountID) wrote already", retryAfter: 1)
        }
        changesAsked += 1
        defer { changesAsked -= 1 }
        let upper = try await openUpper()
        let finder = ChangeFinder(
            upper: upper, origin: snapshot.origin, root: snapshot.root, withMetacopies: isSealed,
            cache: environment.cache, threads: environment.changeThreads, deadline: deadline)
        let found: Result<[UpperChange], SupervisorError>
        do throws(SupervisorError) {
            found = .success(try await finder.changes())
        } catch {
            found = .failure(error)
        }
        // What was taken away while it was looked at is not what the job left.
        guard canTellChanges else { throw notReady }
        return try found.get()
    }

    private var canTellChanges: Bool {
        machine.phase == .ready || machine.phase == .yielding
    }

    private var notReady: SupervisorError {
        SupervisorError(
            .conflict, "mount \(mountID) is not ready: only of a ready mount can be told what its job wrote")
    }

    /// The directory of what the job wrote. Throws `.conflict` where it cannot be reached.
    func openUpper() async throws(SupervisorError) -> SharedFD {
        let (directory, filesystem) = (stack.upper, upperFilesystem)
        do throws(SystemError) {
            return try await environment.changeThreads.run { () throws(SystemError) in
                if let filesystem { return SharedFD(try filesystem.openUpper()) }
                return SharedFD(try Directory.open(directory.upperPath))
            }
        } catch {
            guard error.errno == .notFound else { throw ChangeFinder.explain(error) }
            throw SupervisorError(
                .conflict,
                "the upper of mount \(mountID) is in memory and was made by an earlier supervisor: it cannot be reached any "
                    + "more")
        }
    }
}
