import CAntares
import Glibc

/// Signals as a descriptor that becomes readable (signalfd(2)), so that no code runs in a handler.
public struct Signals: ~Copyable, Sendable {
    private let file: OwnedFD

    /// Blocks the signals in the calling thread (threads it starts later inherit that; call this first thing in main) and collects
    /// them. SIGPIPE is blocked as well.
    public init(_ signals: [Int32]) throws(SystemError) {
        try check(ant_block_signals(signals, Int32(signals.count)), "pthread_sigmask")
        file = OwnedFD(taking: try check(ant_signalfd(signals, Int32(signals.count)), "signalfd"))
    }

    public var raw: Int32 {
        file.raw
    }

    /// The next signal that arrived, or nil.
    public borrowing func next() throws(SystemError) -> Int32? {
        let signal = try check(ant_next_signal(file.raw), "read(signalfd)")
        return signal == 0 ? nil : signal
    }

    /// The next signal that arrived, and whether the kernel sent it: what a terminal sends goes to the whole foreground process group, so
    /// a child in it has had the signal already. Nil if there is none.
    public borrowing func nextWithSender() throws(SystemError) -> (number: Int32, isFromKernel: Bool)? {
        // struct signalfd_siginfo of signalfd(2): 128 bytes, of which ssi_signo is the first word and ssi_code the third.
        var information = [Int32](repeating: 0, count: 32)
        let n = information.withUnsafeMutableBytes { read(file.raw, $0.baseAddress, $0.count) }
        if n == -1 {
            if Errno.current == .wouldBlock || Errno.current == .interrupted { return nil }
            throw SystemError(Errno.current, "read(signalfd)")
        }
        let kernel: Int32 = 0x80
        return (information[0], information[2] == kernel)
    }
}
