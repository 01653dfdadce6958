import Glibc
import LinuxSystem
import NIOCore

/// A Git process and the pipes to it. Every wait ends at `deadline`.
///
/// Writing and reading go on side by side: a long list of questions would otherwise fill both pipes and neither side move.
final class GitProcess: @unchecked Sendable {
    // Sendable: used only by the one thread that started it or borrowed it from its pool.

    private enum Bound {
        static let line = 64 * 1024
        static let complaint = 4096
        static let read = 256 * 1024
    }

    private let child: ChildProcess
    private let input: OwnedFD
    private let output: OwnedFD
    private let errors: OwnedFD
    private let name: String

    private var incoming = ReadBuffer()
    private var outgoing: [UInt8] = []
    private var sent = 0
    private var complaintBytes: [UInt8] = []
    private var errorsEnded = false
    private var exit: ExitStatus?

    /// Every call fails with `timedOut` once it has passed.
    var deadline: Deadline

    // A write to a process that has died must be an error here, not the end of this process.
    private static let ignoresBrokenPipes: Bool = {
        signal(SIGPIPE, SIG_IGN)
        return true
    }()

    init(_ spec: ProcessSpec, deadline: Deadline) throws(OriginError) {
        _ = Self.ignoresBrokenPipes
        do throws(SystemError) {
            let input = try Pipe()
            // A larger pipe than 64 KB saves most of the switches between the two processes.
            let output = try Pipe(size: 1 << 20)
            let errors = try Pipe()
            var spec = spec
            spec.fds = [input.read.raw, output.write.raw, errors.write.raw]
            self.child = try ChildProcess.spawn(spec)
            self.input = input.takeWrite()
            self.output = output.takeRead()
            self.errors = errors.takeRead()
            try self.input.setNonBlocking(true)
            try self.output.setNonBlocking(true)
            try self.errors.setNonBlocking(true)
        } catch {
            throw OriginError(.gitFailed, "git cannot be started", cause: error)
        }
        self.name = spec.path
        self.deadline = deadline
    }

    deinit {
        // Reaped here at once in nearly all cases: SIGKILL ends a process that only reads and writes pipes.
        self.child.signal(SIGKILL)
        _ = self.child.waitForEnd(until: .after(.seconds(2)))
        _ = self.child.reap()
    }

    var pid: Int32 { self.child.pid }

    /// True when every answer has been read: the process can be used for the next question.
    var isQuiet: Bool { self.incoming.count == 0 && self.sent == self.outgoing.count }

    /// What git wrote to standard error since the last `forgetComplaint`.
    var complaint: String {
        self.readComplaint()
        return String(decoding: self.complaintBytes, as: UTF8.self)
    }

    func forgetComplaint() {
        self.readComplaint()
        self.complaintBytes = []
    }

    /// Queues bytes for git; they leave while answers are read.
    func send(_ bytes: [UInt8]) {
        if self.sent == self.outgoing.count {
            self.outgoing = bytes
            self.sent = 0
        } else {
            self.outgoing += bytes
        }
    }

    /// The next line without its end.
    func readLine(endingIn terminator: UInt8 = 0x0a) throws(OriginError) -> [UInt8] {
        var searched = 0
        while true {
            if let line = self.incoming.takeLine(searched: searched, terminator: terminator) { return line }
            searched = self.incoming.count
            guard searched <= Bound.line else { throw OriginError(.gitFailed, "git answered with an endless line") }
            try self.fill()
        }
    }

    /// The first byte of what comes next, which stays there.
    func peek() throws(OriginError) -> UInt8 {
        while true {
            if let byte = self.incoming.first { return byte }
            try self.fill()
        }
    }

    /// Appends exactly `count` bytes of the answer to `buffer`.
    func read(_ count: Int, into buffer: inout ByteBuffer) throws(OriginError) {
        var left = count
        buffer.reserveCapacity(minimumWritableBytes: count)
        while left > 0 {
            left -= try self.readSome(atMost: left, into: &buffer)
        }
    }

    /// Appends what is there, at least one byte, to `buffer`.
    func readSome(atMost limit: Int, into buffer: inout ByteBuffer) throws(OriginError) -> Int {
        if self.incoming.count > 0 {
            let count = min(self.incoming.count, limit)
            self.incoming.take(count, into: &buffer)
            return count
        }
        try self.waitForOutput()
        let wanted = min(limit, Bound.read)
        var count = 0
        var error = Errno.wouldBlock
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { space in
            count = Glibc.read(self.output.raw, space.baseAddress, wanted)
            error = .current
            return max(0, count)
        }
        try self.judge(count, error)
        return max(0, count) == 0 ? try self.readSome(atMost: limit, into: &buffer) : count
    }

    /// Throws away `count` bytes of the answer.
    func skip(_ count: UInt64) throws(OriginError) {
        var left = count
        while left > 0 {
            if self.incoming.count == 0 { try self.fill() }
            let taken = Int(min(UInt64(self.incoming.count), left))
            self.incoming.drop(taken)
            left -= UInt64(taken)
        }
    }

    /// Everything up to the end of the output, for short commands.
    func readToEnd(limit: Int) throws(OriginError) -> String {
        var bytes: [UInt8] = []
        while bytes.count < limit {
            do throws(OriginError) {
                try self.fill()
            } catch  where error.code == .gitFailed {
                break
            }
            bytes += self.incoming.takeAll()
        }
        return String(decoding: bytes.prefix(limit), as: UTF8.self)
    }

    /// False when the deadline passed before the process ended.
    func waitForEnd() -> Bool {
        guard self.child.waitForEnd(until: self.deadline) else { return false }
        self.readComplaint()
        self.exit = self.exit ?? self.child.reap()
        return true
    }

    var exitedWithSuccess: Bool { self.exit == .code(0) }

    private func fill() throws(OriginError) {
        try self.waitForOutput()
        switch self.incoming.fill(from: self.output.raw) {
        case .success(let count): try self.judge(count)
        case .failure(let error): try self.judge(-1, error)
        }
    }

    private func judge(_ count: Int, _ error: Errno = .wouldBlock) throws(OriginError) {
        if count > 0 || count == -1 && (error == .wouldBlock || error == .interrupted) { return }
        throw OriginError(.gitFailed, "git ended in the middle of an answer: \(self.complaint)")
    }

    /// Returns when there is output, or its end, to read.
    private func waitForOutput() throws(OriginError) {
        while true {
            let sending = self.sent < self.outgoing.count
            var polled = [
                pollfd(fd: self.output.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: sending ? self.input.raw : -1, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: self.errorsEnded ? -1 : self.errors.raw, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&polled, 3, self.deadline.pollTimeout)
            if ready == 0, self.deadline.hasPassed {
                throw OriginError(.timedOut, "git did not answer in time")
            }
            if polled[2].revents != 0 { self.readComplaint() }
            if polled[1].revents != 0 { self.sendMore() }
            if polled[0].revents != 0 { return }
        }
    }

    private func sendMore() {
        let count = self.outgoing.withUnsafeBytes { bytes in
            Glibc.write(self.input.raw, bytes.baseAddress?.advanced(by: self.sent), bytes.count - self.sent)
        }
        if count > 0 {
            self.sent += count
        } else if Errno.current != .wouldBlock && Errno.current != .interrupted {
            // It has closed its input: it is ending, and its output will say so.
            self.sent = self.outgoing.count
        }
        if self.sent == self.outgoing.count {
            self.outgoing.removeAll(keepingCapacity: true)
            self.sent = 0
        }
    }

    private func readComplaint() {
        var buffer = [UInt8](repeating: 0, count: 1024)
        while !self.errorsEnded {
            let count = Glibc.read(self.errors.raw, &buffer, buffer.count)
            if count > 0 {
                self.complaintBytes += buffer.prefix(min(count, Bound.complaint - self.complaintBytes.count))
            } else if count == 0 {
                self.errorsEnded = true
            } else if Errno.current != .interrupted {
                return
            }
        }
    }
}
