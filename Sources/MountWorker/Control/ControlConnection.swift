import Glibc
import LinuxSystem
import WireFormat
import WorkerProtocol

/// The connection of the supervisor that is served.
final class ControlConnection {
    private let socket: MessageSocket
    private var buffer = [UInt8](repeating: 0, count: 4096)

    /// Nil if the other end is neither root nor the worker's own user.
    init?(_ file: consuming OwnedFD) throws(SystemError) {
        let peer = try MessageSocket.peer(of: file.raw)
        guard peer.uid == 0 || peer.uid == getuid() else { return nil }
        // A supervisor that hangs must not hold up the worker.
        try file.setNonBlocking(true)
        socket = MessageSocket(file)
    }

    var raw: Int32 {
        socket.raw
    }

    enum Input {
        case request(MessageHeader, WorkerControlRequest, ReceivedFDs)
        /// Nothing to read after all.
        case nothing
        /// End of file, or a message that breaks the protocol.
        case closed
    }

    func receive() -> Input {
        let received: (count: Int, fds: ReceivedFDs)?
        do throws(SystemError) {
            received = try receiveOne()
        } catch {
            return error.errno == .wouldBlock ? .nothing : .closed
        }
        guard let (count, fds) = received else { return .closed }
        var reader = WireReader(Array(buffer.prefix(count)))
        do throws(WireError) {
            let header = try MessageHeader(from: &reader)
            guard let operation = WorkerOperation(rawValue: header.operation), !header.flags.contains(.reply) else {
                return .closed
            }
            return .request(header, try WorkerControlRequest(operation: operation, from: &reader), fds)
        } catch {
            return .closed
        }
    }

    private func receiveOne() throws(SystemError) -> (count: Int, fds: ReceivedFDs)? {
        let result = buffer.withUnsafeMutableBytes { bytes -> Result<(count: Int, fds: ReceivedFDs)?, SystemError> in
            do throws(SystemError) {
                return .success(try socket.receive(into: bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// False if the supervisor does not take it.
    func reply(to header: MessageHeader, _ reply: WorkerControlReply) -> Bool {
        (try? socket.send(header.reply().message(reply.encode()))) != nil
    }

    func fail(_ header: MessageHeader, _ error: WorkerError) -> Bool {
        var writer = WireWriter()
        writer.put(error.description)
        return (try? socket.send(header.reply(isError: true).message(writer))) != nil
    }
}
