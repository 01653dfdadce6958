import Glibc

/// Something bad that happens to a farm at one moment: signals, to some of its processes.
enum ChaosFault: String, CaseIterable, Sendable {
    // One process, as by a hand or for want of memory.
    case workerKill = "worker-kill"
    case ownerKill = "owner-kill"
    case supervisorKill = "supervisor-kill"
    // One process, by a defect of its own.
    case workerCrash = "worker-crash"
    case ownerCrash = "owner-crash"
    case supervisorCrash = "supervisor-crash"
    // One process stands still for a while, and goes on: slow, not hung.
    case workerPause = "worker-pause"
    case ownerPause = "owner-pause"
    case supervisorPause = "supervisor-pause"
    // One process stands still for good: somebody has to notice.
    case workerStop = "worker-stop"
    case ownerStop = "owner-stop"
    // Several at once; one holder of each connection is left.
    case allWorkersKill = "all-workers-kill"
    case ownerAndWorkerKill = "owner+worker-kill"
    case ownerAndAllWorkersKill = "owner+all-workers-kill"
    case supervisorAndOwnerKill = "supervisor+owner-kill"
    case supervisorAndWorkerKill = "supervisor+worker-kill"
    case supervisorAndAllWorkersKill = "supervisor+all-workers-kill"
    case supervisorKillWorkersStop = "supervisor-kill+all-workers-stop"

    enum Target: Sendable {
        case supervisor, owner, worker, allWorkers
    }

    enum Blow: Hashable, Sendable {
        case signal(Int32)
        /// SIGSTOP, and SIGCONT after the step's pause.
        case pause
    }

    var blows: [(Target, Blow)] {
        switch self {
        case .workerKill: [(.worker, .signal(SIGKILL))]
        case .ownerKill: [(.owner, .signal(SIGKILL))]
        case .supervisorKill: [(.supervisor, .signal(SIGKILL))]
        case .workerCrash: [(.worker, .signal(SIGSEGV))]
        case .ownerCrash: [(.owner, .signal(SIGSEGV))]
        case .supervisorCrash: [(.supervisor, .signal(SIGSEGV))]
        case .workerPause: [(.worker, .pause)]
        case .ownerPause: [(.owner, .pause)]
        case .supervisorPause: [(.supervisor, .pause)]
        case .workerStop: [(.worker, .signal(SIGSTOP))]
        case .ownerStop: [(.owner, .signal(SIGSTOP))]
        case .allWorkersKill: [(.allWorkers, .signal(SIGKILL))]
        case .ownerAndWorkerKill: [(.owner, .signal(SIGKILL)), (.worker, .signal(SIGKILL))]
        case .ownerAndAllWorkersKill: [(.owner, .signal(SIGKILL)), (.allWorkers, .signal(SIGKILL))]
        case .supervisorAndOwnerKill: [(.supervisor, .signal(SIGKILL)), (.owner, .signal(SIGKILL))]
        case .supervisorAndWorkerKill: [(.supervisor, .signal(SIGKILL)), (.worker, .signal(SIGKILL))]
        case .supervisorAndAllWorkersKill: [(.supervisor, .signal(SIGKILL)), (.allWorkers, .signal(SIGKILL))]
        case .supervisorKillWorkersStop: [(.supervisor, .signal(SIGKILL)), (.allWorkers, .signal(SIGSTOP))]
        }
    }
}
