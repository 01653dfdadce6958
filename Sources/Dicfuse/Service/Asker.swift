import CacheProtocol
import GitObjects
import LinuxSystem
import WireFormat

/// One request of a worker, and how it is answered: once, from any thread.
struct Asker: Sendable {
    let connection: Connection
    let header: MessageHeader
    let store: OriginStore
    let counters: Counters

    /// Joins a flight; its value goes to `landed`, its error to `failed`, which by default answers it.
    func ask(
        _ key: FlightKey, failed: @escaping @Sendable (Asker, CacheError) -> Void = { $0.answer($1) },
        _ landed: @escaping @Sendable (Asker, FlightValue) -> Void
    ) -> Handled {
        let asked = store.ask(
            key, WaiterID(owner: connection.id, request: header.id), deadline: header.deadline
        ) { result in
            switch result {
            case .success(let value): landed(self, value)
            case .failure(let error): failed(self, error)
            }
        }
        switch asked {
        case .taken:
            return .done
        case .duplicate:
            return .violation("request \(header.id) is under way already")
        case .tooMany:
            answer(CacheError(.overloaded, "this worker has too many requests waiting"))
            return .done
        }
    }

    func reply(_ reply: WorkerReply, file: SharedFD? = nil) {
        connection.reply(header, reply, file: file)
    }

    /// What nobody waits for.
    func offer(_ answer: AheadAnswer, _ files: [SharedFD]) {
        connection.offer(
            OutgoingMessage(bytes: header.reply().message(WorkerReply.ahead(answer).encode()), files: files))
    }

    func answer(_ error: CacheError) {
        connection.reply(header, error, counters)
    }

    func answer(directory packed: [UInt8]) {
        guard packed.count > WorkerReply.inlineDirectoryLimit else { return reply(.directory(packed)) }
        let made = packed.withUnsafeBytes { bytes in
            Result { () throws(SystemError) in
                SharedFD(try SharedMemory.sealedFile(name: "directory", bytes))
            }
        }
        switch made {
        case .success(let file):
            reply(.directoryFile(size: UInt64(packed.count)), file: file)
        case .failure(let error):
            counters.add(.storageFailures)
            answer(CacheError(.storage, "a directory of \(packed.count) bytes cannot be passed on: \(error)"))
        }
    }

    /// Mode and size of an entry that was packed without; it is packed with them the next time.
    func answer(
        _ entry: PackedEntry, _ directory: ObjectID, _ index: Int, size: UInt64, executable: Bool?
    ) {
        var mode = entry.mode
        if entry.flags.contains(.modeUnknown) { mode = executable == true ? .executable : .regular }
        reply(.stat(mode: mode.rawValue, size: size))
        store.writer.submit(.completed(directory: directory, index: index, mode: mode, size: size))
    }

    /// The contents of a blob, if they have the size the tree says.
    func answer(_ id: ObjectID, _ value: FlightValue, expecting expected: UInt64) {
        switch value {
        case .contents(let bytes) where UInt64(bytes.count) == expected:
            reply(.blob(bytes))
        case .file(let file, let size) where size == expected:
            reply(.blobFile(size: size), file: file)
        case .contents(let bytes):
            mismatch(id, UInt64(bytes.count), expected)
        case .file(_, let size):
            mismatch(id, size, expected)
        default:
            answer(CacheError(.internalFailure, "blob \(id) came as something else"))
        }
    }

    private func mismatch(_ id: ObjectID, _ size: UInt64, _ expected: UInt64) {
        counters.add(.sizeMismatches)
        answer(CacheError(.corrupt, "blob \(id) has \(size) bytes, but its directory said \(expected)"))
    }
}
