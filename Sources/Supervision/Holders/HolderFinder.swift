import Glibc
import LinuxSystem
import Probes

/// Finds who holds mounts, by a disposable child: one scan of /proc at a time, for all mounts that are asked about meanwhile.
actor HolderFinder {
    struct Result: Sendable {
        var holders: [Holder] = []
        /// The child came to its end within its time.
        var isComplete = false
    }

    /// Time for one scan; what was found by then is told.
    static let limit: Duration = .milliseconds(1500)
    /// Targets that one child looks for.
    private static let batch = 256
    /// Output of one child.
    private static let maximumOutput = 4 << 20

    private let program: String
    private let thread: BlockingThreads
    private let monitor: ExitMonitor
    private let log: any SupervisorLog
    private var waiting: [(target: HolderScan.Target, continuation: CheckedContinuation<Result, Never>)] = []
    private var isScanning = false

    /// - Parameter program: antares-worker.
    init(program: String, monitor: ExitMonitor, log: any SupervisorLog) throws(SystemError) {
        self.program = program
        self.monitor = monitor
        self.log = log
        thread = try BlockingThreads(count: 1, name: "holders")
    }

    /// Who holds the mount; answers within twice the limit.
    func holders(of target: HolderScan.Target) async -> Result {
        await withCheckedContinuation { continuation in
            waiting.append((target, continuation))
            if !isScanning {
                isScanning = true
                Task { await self.scanAll() }
            }
        }
    }

    private func scanAll() async {
        while !waiting.isEmpty {
            let batch = Array(waiting.prefix(Self.batch))
            waiting.removeFirst(batch.count)
            let targets = batch.map(\.target)
            let (program, monitor, log) = (program, monitor, log)
            let results = await thread.run {
                do throws(SystemError) {
                    return try Self.scan(targets, program, monitor)
                } catch {
                    log.log(.warning, "the holders of a mount cannot be looked for", [("error", error.description)])
                    return targets.map { _ in Result() }
                }
            }
            for (entry, result) in zip(batch, results) { entry.continuation.resume(returning: result) }
        }
        isScanning = false
    }

    private static func scan(
        _ targets: [HolderScan.Target], _ program: String, _ monitor: ExitMonitor
    ) throws(SystemError) -> [Result] {
        let child = try DisposableChild(
            program, [ProbeMode.holders] + targets.map(\.argument), until: .after(limit), maximumOutput: maximumOutput)
        let output = child.finish(reapedBy: monitor)
        let (holders, isComplete) = ProbeMode.parse(output.bytes, targets: targets.count)
        return holders.map { Result(holders: $0, isComplete: isComplete) }
    }
}
