import LinuxSystem
import NIOCore

/// The connections of one address, and their number kept within bounds.
final class ConnectionTable: Sendable {
    private struct State {
        var census: ConnectionCensus
        var channels: [UInt64: any Channel] = [:]
        var next: UInt64 = 0
    }

    private let state: Guarded<State>

    init(limit: Int) {
        state = Guarded(State(census: ConnectionCensus(limit: limit)))
    }

    /// Takes in a connection on its event loop, and closes another one if there are too many. Answers its number.
    func opened(_ channel: any Channel) -> UInt64 {
        let peer = PeerCredentials.name(of: channel)
        let (number, victim) = state.with { state -> (UInt64, (any Channel)?) in
            state.next += 1
            state.channels[state.next] = channel
            let victim = state.census.opened(state.next, peer: peer)
            return (state.next, victim.flatMap { state.channels.removeValue(forKey: $0) })
        }
        victim?.close(promise: nil)
        return number
    }

    /// Whether it is the client's turn now.
    func waits(_ number: UInt64, _ isWaiting: Bool) {
        state.with { $0.census.waits(number, isWaiting) }
    }

    func closed(_ number: UInt64) {
        state.with { state in
            state.census.closed(number)
            state.channels[number] = nil
        }
    }
}
