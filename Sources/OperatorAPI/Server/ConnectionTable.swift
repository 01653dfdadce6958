import LinuxSystem
import NIOCore
import Supervision

/// The connections of one address, and their number kept within bounds.
final class ConnectionTable: Sendable {
    private struct State {
        var census: ConnectionCensus
        var channels: [UInt64: any Channel] = [:]
        /// Who connected them, so that no request has to ask the event loop.
        var callers: [ObjectIdentifier: Caller] = [:]
        var next: UInt64 = 0

        mutating func remove(_ number: UInt64) -> (any Channel)? {
            let channel = channels.removeValue(forKey: number)
            if let channel { callers[ObjectIdentifier(channel)] = nil }
            return channel
        }
    }

    private let state: Guarded<State>

    init(limit: Int) {
        state = Guarded(State(census: ConnectionCensus(limit: limit)))
    }

    /// Takes in a connection on its event loop, and closes another one if there are too many. Answers its number.
    func opened(_ channel: any Channel) -> UInt64 {
        let caller = PeerCredentials.caller(of: channel)
        // Connections are counted for a user at the socket, and for an address over TCP.
        let peer = channel.remoteAddress?.ipAddress ?? "uid \(caller.uid)"
        let (number, victim) = state.with { state -> (UInt64, (any Channel)?) in
            state.next += 1
            state.channels[state.next] = channel
            state.callers[ObjectIdentifier(channel)] = caller
            let victim = state.census.opened(state.next, peer: peer)
            return (state.next, victim.flatMap { state.remove($0) })
        }
        victim?.close(promise: nil)
        return number
    }

    /// Who connected to the unix socket; nobody of a connection that is not in the table any more.
    func caller(of channel: any Channel) -> Caller {
        state.with { $0.callers[ObjectIdentifier(channel)] } ?? PeerCredentials.nobody
    }

    /// Whether it is the client's turn now.
    func waits(_ number: UInt64, _ isWaiting: Bool) {
        state.with { $0.census.waits(number, isWaiting) }
    }

    func closed(_ number: UInt64) {
        state.with { state in
            state.census.closed(number)
            _ = state.remove(number)
        }
    }
}
