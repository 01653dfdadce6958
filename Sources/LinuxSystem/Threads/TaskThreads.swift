import CAntares

/// Threads of our own for the tasks that belong to no executor, instead of Dispatch's: Dispatch looks at its pool once a second for ever after
/// it has run one task, so that no process which uses it is ever idle. Such a process waits with `Pause`, because Task.sleep is Dispatch.
public enum TaskThreads {
    /// A job of the runtime, which is run once.
    private struct Job: @unchecked Sendable {
        // Sendable: nobody else has it until it is run, on whatever thread.
        let raw: UnsafeMutableRawPointer
    }

    /// A fixed number, because nothing that runs here may block; more than processors, so that one which does after all holds up no others.
    private static let count = 8
    /// What a library would have on a thread of Dispatch.
    private static let stackSize = 8 << 20
    private static let installed = Guarded<BlockingThreads?>(nil)

    /// Takes all tasks of the process from now on; to be called once, before the first one is started.
    public static func install() throws(SystemError) {
        let threads = try BlockingThreads(count: count, name: "tasks", stackSize: stackSize)
        installed.with { $0 = threads }
        ant_take_tasks { job in
            guard let job = job.map(Job.init) else { return }
            TaskThreads.installed.with { $0 }?.submit { ant_run_task(job.raw) }
        }
    }

    /// Runs `body`, which resumes tasks, and then what they do next on the calling thread.
    ///
    /// A task that is resumed belongs to no executor until it returns to its actor, also if it waited inside of one: one of the threads would be
    /// woken for nothing but to wake the actor's. To be used where who is resumed is known to return to an actor with a thread of its own.
    /// `body` may hold no lock.
    public static func resuming(_ body: () -> Void) {
        ant_keep_tasks()
        body()
        ant_run_kept_tasks()
    }
}
