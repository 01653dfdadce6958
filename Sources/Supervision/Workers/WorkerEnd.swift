import LinuxSystem
import WorkerProtocol

/// How a worker of a mount ended, with what is known of its work.
struct WorkerEnd: Hashable, Sendable {
    /// A worker that ends sooner was not kept up at all.
    static let soon: Duration = .milliseconds(100)

    var status: ExitStatus
    /// It had answered requests of the kernel.
    var answered = false
    /// What its threads were working on.
    var inFlight: [InFlightRequest] = []
    /// How long it had served.
    var lived: Duration = .zero
    /// It was killed because it did not go on.
    var hung: HangEvidence?

    /// What the next worker may be expected to be worth.
    enum Worth: Hashable, Sendable {
        /// The mount was better off with it than without: it answered something, or nobody asked it anything for a while. What waited for
        /// the origin is not held against it.
        case useful
        /// It had no time to be of use, and that was not its doing.
        case disturbed
        /// It ended by itself before it was of any use.
        case useless
    }

    var worth: Worth {
        if answered || hung == nil && inFlight.isEmpty && lived >= Self.soon { return .useful }
        return blame == .own ? .useless : .disturbed
    }

    var cause: String {
        hung.map { "hung: \($0)" } ?? status.description
    }

    var blame: PoisonLedger.Blame {
        if let hung { return hung.isOfItsOwn ? .own : .outside }
        return switch status {
        // SIGKILL and SIGTERM.
        case .signal(9), .signal(15), .unknown: .outside
        case .signal, .code: .own
        }
    }
}

/// Why a worker that serves is replaced on purpose.
enum ReplacementCause: Hashable, Sendable, CustomStringConvertible {
    /// It does not go on although something waits for it.
    case hung(HangEvidence)
    /// A newer program takes its place.
    case upgrade
    /// An operator asked for it.
    case reset

    var description: String {
        switch self {
        case .hung(let evidence): "hung: \(evidence)"
        case .upgrade: "upgrade"
        case .reset: "reset"
        }
    }
}
