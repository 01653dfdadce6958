import Glibc

/// Faults of a worker that tests ask for: when an entry of a given name is looked up the worker crashes, sleeps or spins. None unless the
/// program was started with them.
public struct Faults: Sendable {
    enum Kind: String, Sendable {
        case crash, hang, spin
    }

    enum Moment: String, Sendable {
        /// On the reader thread, before the request is looked at.
        case early
        /// On the control thread, when the cache owner's answer has come.
        case late
    }

    private struct Fault {
        let kind: Kind
        let moment: Moment
        let name: [UInt8]
    }

    private var faults: [Fault] = []

    /// None.
    public init() {}

    /// Faults as `KIND:MOMENT:NAME`, separated by commas, as in `crash:early:poison`. Nil if one cannot be read.
    public init?(_ text: String) {
        for part in text.split(separator: ",") {
            let fields = part.split(separator: ":", maxSplits: 2)
            guard fields.count == 3, let kind = Kind(rawValue: String(fields[0])),
                let moment = Moment(rawValue: String(fields[1]))
            else { return nil }
            faults.append(Fault(kind: kind, moment: moment, name: Array(fields[2].utf8)))
        }
    }

    func strike(_ operation: Operation, _ moment: Moment) {
        if faults.isEmpty { return }
        guard case .lookup(let name) = operation.kind,
            let fault = faults.first(where: { $0.name == name && $0.moment == moment })
        else { return }
        switch fault.kind {
        case .crash: abort()
        case .hang: while true { pause() }
        case .spin: while true { _ = getppid() }
        }
    }
}
