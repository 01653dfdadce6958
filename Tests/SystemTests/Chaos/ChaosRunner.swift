import Glibc
import LinuxSystem

/// Strikes the processes of a farm as planned, and starts the supervisor again as systemd would.
final class ChaosRunner: Sendable {
    private let farm: Farm
    private let plan: ChaosPlan
    private let log: ChaosLog
    /// Those that stand still until somebody ends them or the run is over.
    private let stopped = Guarded<[ProcessIdentity]>([])
    /// Those that got a deadly signal. One that stands still gets it only when it goes on, and until then is no holder to rely on.
    private let doomed = Guarded<[ProcessIdentity]>([])

    init(_ farm: Farm, _ plan: ChaosPlan, _ log: ChaosLog) {
        self.farm = farm
        self.plan = plan
        self.log = log
    }

    private struct Pause {
        let step: Int
        let end: Deadline
        let processes: [ChildProcess]
    }

    /// Carries the plan out, step by step.
    func strike() {
        var pauses: [Pause] = []
        var next = Deadline.now
        for (index, step) in plan.steps.enumerated() {
            next = next.advanced(by: step.delay)
            wait(until: next, ending: &pauses)
            var paused: [ChildProcess] = []
            let blows = step.fault.blows.flatMap { target, blow in
                processes(target, step.choice).map { (target, blow, $0) }
            }
            let victims =
                blows.filter { Self.isDeadly($0.1) }.map(\.2.pid)
                + doomed.with { $0 }.filter { (try? ChildProcess(adopting: $0.pid))?.identity == $0 }.map(\.pid)
            // With the last holder of a connection its mount is lost, which is no defect.
            let mounted = farm.recordedConnections()
            let lost = ((try? farm.processes.holders()) ?? [:]).filter {
                $0.value.isSubset(of: victims) && mounted.contains($0.key.number)
            }
            if !lost.isEmpty {
                log.note("#\(index) \(step.fault.rawValue) is left out: \(victims) are the last holders")
                continue
            }
            for (target, blow, process) in blows {
                let signal = if case .signal(let number) = blow { number } else { SIGSTOP }
                log.note("#\(index) \(step.fault.rawValue): \(target) \(process.pid) signal \(signal)")
                process.signal(signal)
                if Self.isDeadly(blow) { doomed.with { $0.append(process.identity) } }
                if blow == .pause { paused.append(process) }
                if blow == .signal(SIGSTOP) { stopped.with { $0.append(process.identity) } }
            }
            if !paused.isEmpty { pauses.append(Pause(step: index, end: .after(step.pause), processes: paused)) }
        }
        while let last = pauses.map(\.end).max() { wait(until: last, ending: &pauses) }
    }

    /// Starts the supervisor again whenever it ends by a signal, until `isOver`. One that ends by itself is a defect.
    func keepSupervisor(while isRunning: @Sendable () -> Bool) {
        while isRunning() {
            guard let supervisor = farm.supervisor else { return log.fail("there is no supervisor") }
            guard supervisor.waitForEnd(until: .after(.milliseconds(50))) else { continue }
            let status = supervisor.reap() ?? .unknown
            if case .signal = status {
                log.note("the supervisor ended (\(status)) and is started again")
            } else {
                log.fail("the supervisor ended by itself: \(status)")
            }
            do {
                try farm.spawnSupervisor()
            } catch {
                return log.fail("the supervisor cannot be started: \(error)")
            }
        }
    }

    /// Lets those go on that stand still and that nobody has ended: their number.
    func release() -> Int {
        let left = stopped.with { $0 }.filter { identity in
            guard let process = try? ChildProcess(adopting: identity.pid), process.identity == identity else {
                return false
            }
            process.signal(SIGCONT)
            return true
        }
        return left.count
    }

    private static func isDeadly(_ blow: ChaosFault.Blow) -> Bool {
        blow != .pause && blow != .signal(SIGSTOP)
    }

    private func processes(_ target: ChaosFault.Target, _ choice: Int) -> [ChildProcess] {
        let pids: [Int32] =
            switch target {
            case .supervisor: (try? farm.processes.named("antares-supervisor")) ?? []
            case .owner: (try? farm.processes.named("dicfuse-cache")) ?? []
            case .worker, .allWorkers: (try? farm.processes.serving()) ?? []
            }
        let sorted = pids.sorted()
        let chosen = target == .worker && !sorted.isEmpty ? [sorted[choice % sorted.count]] : sorted
        return chosen.compactMap { try? ChildProcess(adopting: $0) }
    }

    /// Meanwhile those go on whose pause is over.
    private func wait(until deadline: Deadline, ending pauses: inout [Pause]) {
        repeat {
            for pause in pauses where pause.end.hasPassed {
                for process in pause.processes { process.signal(SIGCONT) }
                log.note("#\(pause.step) goes on")
            }
            pauses.removeAll { $0.end.hasPassed }
            _ = poll(nil, 0, min(deadline, pauses.map(\.end).min() ?? deadline).pollTimeout)
        } while !deadline.hasPassed
    }
}
