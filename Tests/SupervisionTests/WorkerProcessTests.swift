import LinuxSystem
import Testing

@testable import Supervision

@Suite struct WorkerProcessTests {
    /// What a mount does: its observer holds the worker, and through that two descriptors.
    @Test func anEndedWorkerIsLetGoOf() async throws {
        let monitor = try ExitMonitor()
        let loop = try ChannelLoop()
        weak var released: WorkerProcess?
        do {
            let (ours, _) = try MessageSocket.pair()
            let process = try ChildProcess.spawn(ProcessSpec(path: "/bin/true"))
            let worker = WorkerProcess(
                process: process, channel: try ControlChannel(ours, loop: loop), socketPath: "/nonexistent/worker.sock")
            released = worker
            let status = await withCheckedContinuation { continuation in
                worker.onEnd { status in
                    #expect(worker.hasEnded)
                    continuation.resume(returning: status)
                }
                worker.watch(with: monitor)
            }
            #expect(status == .code(0))
            worker.onEnd { _ in #expect(worker.hasEnded) }
        }
        // The monitor's thread lets go of it right after it has told.
        let deadline = Deadline.after(.seconds(5))
        while released != nil, !deadline.hasPassed { await Task.yield() }
        #expect(released == nil)
    }
}
