import CacheProtocol
import LinuxSystem
import WireFormat
import WorkerProtocol

/// A message of the cache owner, taken apart.
enum OwnerMessage: Sendable {
    case greeted(version: UInt16)
    case answer(id: UInt64, Result<Supply, Failure>)
    /// The owner refuses to talk.
    case refused(CacheError)

    /// Throws when the message breaks the protocol; the socket is then given up.
    init(_ bytes: [UInt8], _ fds: ReceivedFDs) throws(WireError) {
        var reader = WireReader(bytes)
        let header = try MessageHeader(from: &reader)
        guard header.flags.contains(.reply), let operation = CacheOperation(rawValue: header.operation),
            !operation.isControl
        else { throw .invalid("message from the cache owner") }
        if header.flags.contains(.error) {
            let error = try CacheError(from: &reader)
            self = operation == .hello ? .refused(error) : .answer(id: header.id, .failure(Failure(error)))
            return
        }
        let reply = try WorkerReply(operation: operation, from: &reader)
        if case .hello(let version) = reply {
            self = .greeted(version: version)
        } else {
            self = .answer(id: header.id, try Self.supply(reply, fds))
        }
    }

    private static func supply(_ reply: WorkerReply, _ fds: ReceivedFDs) throws(WireError) -> Result<Supply, Failure> {
        switch reply {
        case .hello:
            throw .invalid("greeting")
        case .directory(let bytes):
            return packed { () throws(PackedDirectory.Malformed) in try PackedDirectory(bytes) }
        case .directoryFile(let size):
            guard let file = fds.take(0), let size = Int(exactly: size) else { throw .invalid("descriptor") }
            do {
                return .success(.directory(try PackedDirectory(received: file, size: size)))
            } catch {
                return .failure(Failure(.ioError, "malformed directory: \(error.reason)", .damaged))
            }
        case .stat(let mode, let size):
            return .success(.stat(mode: mode, size: size))
        case .blob(let bytes):
            return .success(.blob(.bytes(bytes)))
        case .blobFile(let size):
            guard let file = fds.take(0) else { throw .invalid("descriptor") }
            return .success(.blob(.file(SharedFD(file), size: size)))
        case .provided:
            return .success(.provided)
        case .large(let size):
            return .success(.large(size: size))
        }
    }

    private static func packed(
        _ make: () throws(PackedDirectory.Malformed) -> PackedDirectory
    ) -> Result<Supply, Failure> {
        do {
            return .success(.directory(try make()))
        } catch {
            return .failure(Failure(.ioError, "malformed directory: \(error.reason)", .damaged))
        }
    }
}
