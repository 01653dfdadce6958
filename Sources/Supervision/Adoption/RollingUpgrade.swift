import Glibc
import LinuxSystem
import WorkerProtocol

/// Replaces the processes that an earlier supervisor started from other programs, one after another, while jobs run: the cache owner first,
/// then the worker of each mount, by the same takeover as after a death.
struct RollingUpgrade: Sendable {
    let workerProgram: String
    let cache: CacheOwner
    let mounts: @Sendable () async -> [MountActor]
    let log: any SupervisorLog

    func run() async {
        await cache.replaceOutdated()
        guard let current = try? ProgramIdentity(path: workerProgram) else { return }
        for mount in await mounts() {
            do throws(WorkerFailure) {
                try await mount.replaceWorker(unlessFrom: current)
            } catch {
                log.log(
                    .error, "a worker of another build is left in place: the new program cannot take over from it",
                    [("mount", "\(mount.mountID)"), ("reason", error.description)])
            }
        }
    }
}

extension MountActor {
    /// Has another worker take over unless the present one was started from this program. The next one is ready, and able to serve the session,
    /// before the present one is ended; throws, and leaves that in place, if there is none.
    func replaceWorker(unlessFrom program: ProgramIdentity) async throws(WorkerFailure) {
        guard let old = worker, let custody, isInUse, machine.worker == .serving,
            let running = try? ProgramIdentity(of: old.process), running != program
        else { return }
        let next = try await environment.spares.take()
        do throws(WorkerFailure) {
            guard custody.memory.isServable else {
                throw WorkerFailure(pid: next.pid, reason: "this build would have answered the kernel otherwise")
            }
            _ = try await next.version(for: custody.memory, deadline: .after(MountEnvironment.takeoverTimeout))
        } catch {
            next.signal(SIGKILL)
            throw error
        }
        guard worker === old, machine.worker == .serving, isInUse, recruit == nil else {
            // It was replaced, or the mount is going, meanwhile.
            return next.signal(SIGKILL)
        }
        recruit = Task {
            let cache = try await self.environment.cache.attach(mount: self.id, origin: self.origin)
            return Recruit(worker: next, cache: cache)
        }
        // What is asked now waits in the kernel for the next one.
        _ = try? await recruit?.value
        log(.notice, "replacing a worker of another build", [("pid", "\(old.pid)"), ("by", "\(next.pid)")])
        handle(.replaceWorker(.upgrade))
        let limit = Deadline.after(MountEnvironment.takeoverTimeout)
        while worker === old || (machine.worker != .serving && isInUse), !limit.hasPassed {
            try? await Pause.sleep(for: .milliseconds(5))
        }
    }

    /// Somebody may have it open, and nothing is about to change.
    private var isInUse: Bool {
        machine.phase == .ready || machine.phase == .retired
    }
}
