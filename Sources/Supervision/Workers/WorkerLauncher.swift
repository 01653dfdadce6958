import Glibc
import LinuxSystem

/// Starts worker processes. Each gets a listening control socket that was made for it in the run directory, so that a later supervisor
/// can connect to it, and nothing else.
struct WorkerLauncher: Sendable {
    /// Receive and reply buffers of all its threads, locked in memory.
    static let memoryLockLimit: UInt64 = 32 << 20
    static let openFileLimit: UInt64 = 4096

    let program: String
    var arguments: [String] = []
    var environment: [String] = []
    let user: Accounts.User
    let socketDirectory: String
    let loop: ChannelLoop
    let monitor: ExitMonitor
    let lines: ChildLines

    /// Faults that a test of the whole system wants of the workers, from the supervisor's environment, which only root sets; nothing else
    /// can make a worker take them.
    static func testFaults(_ log: any SupervisorLog) -> [String] {
        guard let value = getenv("ANTARES_TEST_WORKER_FAULTS") else { return [] }
        let faults = String(cString: value)
        log.log(.warning, "workers are started with faults, for a test", [("faults", faults)])
        return ["--test-faults", faults]
    }

    /// Starts a spare worker, which waits for a connection to take over.
    func launch() throws(WorkerFailure) -> WorkerProcess {
        do throws(SystemError) {
            let path = socketDirectory + "/" + String(UInt64.random(in: 0 ... .max), radix: 36) + ".sock"
            let listener = try MessageSocket.listen(path, backlog: 4)
            do throws(SystemError) {
                let lines = lines.openEnd()
                var spec = ProcessSpec(
                    path: program, arguments: arguments, environment: environment,
                    fds: [nil, nil, 2, listener.raw] + (lines.map { [$0.raw] } ?? []))
                spec.uid = user.uid
                spec.gid = user.gid
                // Not that of the supervision thread, which goes before the builds.
                spec.nice = 0
                spec.memoryLockLimit = Self.memoryLockLimit
                spec.openFileLimit = Self.openFileLimit
                spec.oomScoreAdjust = OOMScore.raised(to: OOMScore.worker)
                // The backlog takes the connection, so there is no race with the worker's start.
                let channel = try ControlChannel(MessageSocket(try MessageSocket.connect(path)), loop: loop)
                let process = try ChildProcess.spawn(spec)
                do throws(SystemError) {
                    try ProcessRecord.write(process.identity, socket: path)
                } catch {
                    // Without a record nobody would find it later.
                    process.signal(SIGKILL)
                    monitor.whenEnded(process) { _ in }
                    throw error
                }
                return watched(process, channel, path)
            } catch {
                ProcessRecord.remove(socket: path)
                throw error
            }
        } catch {
            throw WorkerFailure(pid: nil, reason: error.description)
        }
    }

    /// A worker that an earlier supervisor started. The process is not our child: its end is seen, its exit code is not.
    func adopt(_ process: ChildProcess, socket: String) throws(SystemError) -> WorkerProcess {
        let channel = try ControlChannel(MessageSocket(try MessageSocket.connect(socket)), loop: loop)
        return watched(process, channel, socket)
    }

    private func watched(_ process: ChildProcess, _ channel: ControlChannel, _ socket: String) -> WorkerProcess {
        let worker = WorkerProcess(process: process, channel: channel, socketPath: socket)
        worker.watch(with: monitor)
        return worker
    }
}
