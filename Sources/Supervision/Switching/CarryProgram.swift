import Glibc
import LinuxSystem

/// A program that works on what a job wrote, in a process of its own that can be ended: it takes as long as there is much of it, and may wait for the
/// origin. No thread waits for it.
final class CarryProgram: Sendable {
    /// Bytes that are kept of what it complains about.
    private static let complaints = 4096

    private let path: String
    private let child: ChildProcess
    private let errors: OwnedFD

    /// Starts it. `descriptors` are the program's from 3 on; `input` is its standard input.
    init(_ path: String, _ arguments: [String], input: Int32? = nil, descriptors: [Int32]) throws(SystemError) {
        let pipe = try Pipe()
        let spec = ProcessSpec(
            path: path, arguments: arguments, environment: ["LC_ALL=C"],
            fds: [input, nil, pipe.write.raw] + descriptors.map { $0 })
        self.path = path
        child = try ChildProcess.spawn(spec)
        errors = pipe.takeRead()
        try errors.setNonBlocking(true)
    }

    /// Returns when it has ended well. Throws ETIMEDOUT at the deadline, ECANCELED when `isCancelled` says so, and EIO with its own words if it fails.
    /// One that does not end although it was killed, because it waits in the kernel for a silent server, is left to `monitor` to reap.
    func finish(
        until deadline: Deadline, reapedBy monitor: ExitMonitor, isCancelled: @Sendable () -> Bool
    ) async throws(SystemError) {
        var text: [UInt8] = []
        var pause = Duration.milliseconds(1)
        while !child.waitForEnd(until: .now) {
            drain(&text)
            if deadline.hasPassed || isCancelled() {
                await kill(reapedBy: monitor)
                throw SystemError(deadline.hasPassed ? .timedOut : .cancelled, "running", path)
            }
            try? await Pause.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(20))
        }
        drain(&text)
        guard let status = child.reap(), status != .code(0) else { return }
        throw SystemError(.ioError, "running", path, detail: "\(status): \(String(decoding: text, as: UTF8.self))")
    }

    private func kill(reapedBy monitor: ExitMonitor) async {
        child.signal(SIGKILL)
        let patience = Deadline.after(MountEnvironment.killTimeout)
        while !child.waitForEnd(until: .now), !patience.hasPassed { try? await Pause.sleep(for: .milliseconds(1)) }
        if child.reap() == nil { monitor.whenEnded(child) { _ in } }
    }

    private func drain(_ text: inout [UInt8]) {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(errors.raw, &chunk, chunk.count)
            if count <= 0 { return }
            text += chunk[..<min(count, max(0, Self.complaints - text.count))]
        }
    }
}
