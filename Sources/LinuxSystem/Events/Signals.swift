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
}
