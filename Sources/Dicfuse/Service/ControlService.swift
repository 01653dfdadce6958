import CacheProtocol
import LinuxSystem
import WireFormat

/// Answers the supervisor.
struct ControlService: Sendable {
    let stores: [String: OriginStore]
    let defaultOrigin: String
    let counters: Counters
    let log: Log
    /// What the server does for it.
    let attach: @Sendable (_ socket: consuming OwnedFD, _ mount: String, OriginStore) throws(SystemError) -> Void
    let status: @Sendable () -> String
    let shutDown: @Sendable () -> Void

    func handle(_ message: [UInt8], _ fds: ReceivedFDs, on connection: Connection) -> Handled {
        var fields = WireReader(message)
        let header: MessageHeader
        let request: ControlRequest
        do throws(WireError) {
            header = try MessageHeader(from: &fields)
            guard let operation = CacheOperation(rawValue: header.operation), header.flags.isEmpty else {
                return .violation("operation \(header.operation)")
            }
            request = try ControlRequest(operation: operation, from: &fields)
        } catch {
            return .violation("\(error)")
        }
        guard fds.count == (request.carriesDescriptor ? 1 : 0) else {
            return .violation("\(fds.count) descriptors with operation \(header.operation)")
        }
        counters.add(.messages)
        switch request {
        case .pin(let origin, let revision, let path):
            return pin(header, origin, revision, path, connection)
        case .attach(let mount, let origin):
            return attach(header, mount, origin, fds, connection)
        case .status:
            connection.reply(header, .status(json: status()))
        case .shutDown:
            connection.reply(header, .shuttingDown)
            shutDown()
        }
        return .done
    }

    private func store(_ origin: String) throws(CacheError) -> OriginStore {
        guard let store = stores[origin.isEmpty ? defaultOrigin : origin] else {
            let known = stores.keys.sorted().joined(separator: ", ")
            throw CacheError(.unknownOrigin, "no origin is named \"\(origin)\"; there are: \(known)")
        }
        return store
    }

    private func pin(
        _ header: MessageHeader, _ origin: String, _ revision: String, _ path: [UInt8], _ connection: Connection
    ) -> Handled {
        do throws(CacheError) {
            // A path's spelling must not make two flights of one.
            let plain = Array(PathKey.components(path).joined(separator: [0x2F]))
            let asked = try store(origin).ask(
                .pin(revision: revision, path: plain), WaiterID(owner: connection.id, request: header.id),
                deadline: header.deadline
            ) { [counters] result in
                switch result {
                case .success(.pinned(let snapshot)): connection.reply(header, .pinned(snapshot))
                case .success: connection.reply(header, CacheError(.internalFailure, "not a snapshot"), counters)
                case .failure(let error): connection.reply(header, error, counters)
                }
            }
            switch asked {
            case .taken: break
            case .duplicate: return .violation("request \(header.id) is under way already")
            case .tooMany: throw CacheError(.overloaded, "too many requests wait on this control connection")
            }
        } catch {
            connection.reply(header, error, counters)
        }
        return .done
    }

    private func attach(
        _ header: MessageHeader, _ mount: String, _ origin: String, _ fds: ReceivedFDs, _ connection: Connection
    ) -> Handled {
        do throws(CacheError) {
            let store = try store(origin)
            guard let socket = fds.take(0) else { return .violation("no descriptor to attach") }
            do throws(SystemError) {
                try attach(socket, mount, store)
            } catch {
                throw CacheError(.invalidRequest, "the worker's socket cannot be used: \(error)")
            }
            connection.reply(header, .attached)
        } catch {
            connection.reply(header, error, counters)
        }
        return .done
    }
}
