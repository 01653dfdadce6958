import CacheProtocol
import LinuxSystem
import WireFormat
import WorkerProtocol

/// A message of the cache owner, taken apart.
enum OwnerMessage: Sendable {
    case greeted(version: UInt16)
    case answer(id: UInt64, Result<Supply, Failure>)
    case ahead(AheadSupply)
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
        switch reply {
        case .hello(let version):
            self = .greeted(version: version)
        case .ahead(let answer):
            self = .ahead(
                AheadSupply(
                    directory: answer.directory, wanted: answer.wanted, next: answer.next,
                    items: try Self.supply(answer.items, fds)))
        default:
            self = .answer(id: header.id, try Self.supply(reply, fds))
        }
    }

    /// Malformed directories are left out: who needs one asks for it, and is told.
    private static func supply(
        _ items: [AheadAnswer.Item], _ fds: ReceivedFDs
    ) throws(WireError) -> [(index: Int, content: AheadSupply.Content)] {
        var supplied: [(index: Int, content: AheadSupply.Content)] = []
        var files = 0
        for item in items {
            switch item.content {
            case .directory(let bytes):
                if let packed = try? PackedDirectory(bytes) { supplied.append((item.index, .directory(packed))) }
            case .file(let size):
                guard let file = fds.take(files) else { throw .invalid("descriptor") }
                files += 1
                supplied.append((item.index, .blob(.file(SharedFD(file), size: size))))
            }
        }
        return supplied
    }

    private static func supply(_ reply: WorkerReply, _ fds: ReceivedFDs) throws(WireError) -> Result<Supply, Failure> {
        switch reply {
        case .hello, .ahead:
            throw .invalid("answer")
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
