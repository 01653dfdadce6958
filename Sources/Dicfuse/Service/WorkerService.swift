import CacheProtocol
import GitObjects
import LinuxSystem
import WireFormat

/// What a message was: to be answered, answered already, or a reason to close the connection.
enum Handled {
    case done
    /// It breaks the protocol; the text says how.
    case violation(String)
}

/// Answers workers. What is in the index is answered at once on the calling thread; everything else joins a flight and is
/// answered when that lands.
struct WorkerService: Sendable {
    let counters: Counters
    let log: Log

    func handle(
        _ message: [UInt8], on connection: Connection, store: OriginStore, reader: borrowing IndexReader
    ) -> Handled {
        var fields = WireReader(message)
        let header: MessageHeader
        let request: WorkerRequest
        do throws(WireError) {
            header = try MessageHeader(from: &fields)
            guard let operation = CacheOperation(rawValue: header.operation), header.flags.isEmpty else {
                return .violation("operation \(header.operation)")
            }
            request = try WorkerRequest(operation: operation, from: &fields)
        } catch {
            return .violation("\(error)")
        }
        counters.add(.messages)
        if case .hello(let oldest, let newest) = request {
            return greet(header, oldest: oldest, newest: newest, connection)
        }
        guard connection.isGreeted else { return .violation("a request before the hello") }
        let asker = Asker(connection: connection, header: header, store: store, counters: counters)
        switch request {
        case .hello: return .done
        case .directory(let id): return directory(id, asker, reader)
        case .stat(let directory, let index): return stat(directory, Int(index), asker, reader)
        case .open(let id, let size): return open(id, size, asker, reader)
        case .provide(let id):
            return provide(id, asker, reader)
        case .cancel(let request):
            store.cancel(WaiterID(owner: connection.id, request: request))
            return .done
        }
    }

    private func greet(
        _ header: MessageHeader, oldest: UInt16, newest: UInt16, _ connection: Connection
    ) -> Handled {
        guard !connection.isGreeted else { return .violation("a second hello") }
        guard let version = CacheProtocolVersion.agreed(oldest: oldest, newest: newest) else {
            connection.reply(
                header,
                CacheError(
                    .invalidRequest,
                    "the worker speaks protocol \(oldest) to \(newest), the cache owner "
                        + "\(CacheProtocolVersion.oldest) to \(CacheProtocolVersion.newest)"), counters)
            return .done
        }
        connection.greet()
        connection.reply(header, .hello(version: version))
        return .done
    }

    // MARK: Directories

    private func directory(_ id: ObjectID, _ asker: Asker, _ reader: borrowing IndexReader) -> Handled {
        do throws(IndexError) {
            if let packed = try reader.packedDirectory(id) {
                counters.add(.directoryHits)
                asker.answer(directory: packed)
                asker.store.noteUsed(id)
                asker.store.noteListed(id, packed)
                return .done
            }
        } catch {
            asker.store.unreadable(error)
        }
        counters.add(.directoryMisses)
        asker.store.noteUsed(id)
        return asker.ask(.directory(id)) { asker, value in
            guard case .directory(let packed) = value else { return }
            asker.answer(directory: packed)
            asker.store.noteListed(id, packed)
        }
    }

    // MARK: Modes and sizes

    private func stat(
        _ directory: ObjectID, _ index: Int, _ asker: Asker, _ reader: borrowing IndexReader
    ) -> Handled {
        do throws(IndexError) {
            if let packed = try reader.packedDirectory(directory) {
                let entry = Self.entry(packed, index)
                if let entry, !entry.isComplete, entry.mode.hasBlob, let known = try reader.blob(entry.id),
                    !entry.flags.contains(.modeUnknown) || known.executable != nil
                {
                    counters.add(.statHits)
                    asker.answer(entry, directory, index, size: known.size, executable: known.executable)
                    return .done
                }
                return stat(directory, index, in: packed, asker)
            }
        } catch {
            asker.store.unreadable(error)
        }
        return asker.ask(.directory(directory)) { asker, value in
            guard case .directory(let packed) = value else { return }
            _ = stat(directory, index, in: packed, asker)
        }
    }

    private func stat(_ directory: ObjectID, _ index: Int, in packed: [UInt8], _ asker: Asker) -> Handled {
        guard let entry = Self.entry(packed, index) else {
            asker.answer(CacheError(.invalidRequest, "directory \(directory) has no entry \(index)"))
            return .done
        }
        guard !entry.isComplete, entry.mode.hasBlob else {
            counters.add(.statHits)
            asker.reply(.stat(mode: entry.mode.rawValue, size: entry.size))
            return .done
        }
        counters.add(.statMisses)
        defer { asker.store.askSizes(after: index, of: directory, packed) }
        return asker.ask(.information(entry.id, mode: entry.flags.contains(.modeUnknown))) { asker, value in
            guard case .information(let size, let executable) = value else { return }
            asker.answer(entry, directory, index, size: size, executable: executable)
        }
    }

    private static func entry(_ packed: [UInt8], _ index: Int) -> PackedEntry? {
        guard let listing = try? PackedDirectory(packed), index < listing.count else { return nil }
        return listing[index]
    }

    // MARK: Contents

    private func open(
        _ id: ObjectID, _ size: UInt64, _ asker: Asker, _ reader: borrowing IndexReader
    ) -> Handled {
        guard id.kind != .path else {
            asker.answer(CacheError(.invalidRequest, "\(id) is a directory's key, not a blob"))
            return .done
        }
        asker.store.noteRequest(id, by: asker.connection.id)
        do throws(IndexError) {
            let record = id == .emptyBlobSHA1 ? BlobRecord(size: 0, flags: .present, lastUse: 0) : try reader.blob(id)
            switch record.map({ asker.store.localBlob(id, $0) }) ?? .absent {
            case .here(let value):
                counters.add(.blobHits)
                asker.answer(id, value, expecting: size)
                asker.store.noteUsed(id)
                return .done
            case .failed(let error):
                asker.answer(error)
                return .done
            case .absent:
                break
            }
        } catch {
            asker.store.unreadable(error)
        }
        counters.add(.blobMisses)
        asker.store.noteUsed(id)
        return asker.ask(.blob(id, size: size)) { asker, value in asker.answer(id, value, expecting: size) }
    }

    /// For a data layer: the object has to be in it, and in the inbox, before the answer.
    private func provide(_ id: ObjectID, _ asker: Asker, _ reader: borrowing IndexReader) -> Handled {
        guard id.kind != .path else {
            asker.answer(CacheError(.invalidRequest, "\(id) is a directory's key, not a blob"))
            return .done
        }
        let store = asker.store
        store.noteRequest(id, by: asker.connection.id)
        var record: BlobRecord?
        do throws(IndexError) {
            record = try reader.blob(id)
        } catch {
            store.unreadable(error)
        }
        switch record.map({ store.provideLocal(id, $0) }) ?? .absent {
        case .provided:
            counters.add(.blobHits)
            asker.reply(.provided)
            return .done
        case .failed(let error):
            asker.answer(error)
            return .done
        case .absent:
            break
        }
        counters.add(.blobMisses)
        let size = record?.size ?? store.images.size(of: id)
        if let size, size > WorkerReply.largeObject {
            asker.reply(.large(size: size))
            return .done
        }
        return asker.ask(
            .blob(id, size: size),
            failed: { asker, error in
                // Whoever reads it has as much time as its size allows.
                if error.code == .timedOut, let size, store.takesLonger(size) { return asker.reply(.large(size: size)) }
                asker.answer(error)
            }
        ) { asker, value in
            store.inbox.provide(id, value) { result in
                switch result {
                case .success(let reply): asker.reply(reply)
                case .failure(let error): asker.answer(error)
                }
            }
        }
    }
}
