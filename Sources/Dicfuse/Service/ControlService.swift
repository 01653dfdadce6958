import CacheProtocol
import LinuxSystem
import WireFormat

/// Answers the supervisor.
struct ControlService: Sendable {
    let stores: [String: OriginStore]
    let defaultOrigin: String
    let counters: Counters
    let escrow: Escrow
    let log: Log
    /// What the server does for it.
    let attach: @Sendable (_ socket: consuming OwnedFD, _ mount: String, OriginStore) throws(SystemError) -> Void
    let status: @Sendable () -> String
    let housekeeping: Housekeeping
    /// Sets from how many milliseconds on a request to an origin is told of.
    let tellSlow: @Sendable (UInt64) -> Void
    let pulses: @Sendable () -> [ThreadPulse]
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
        guard fds.count == request.descriptorCount else {
            return .violation("\(fds.count) descriptors with operation \(header.operation)")
        }
        counters.add(.messages)
        switch request {
        case .pin(let origin, let revision, let path):
            // A path's spelling must not make two flights of one.
            let key = FlightKey.pin(revision: revision, path: Self.plain(path))
            return pin(header, origin, key, connection) { .pinned($1) }
        case .pinChangelist(let origin, let revision, let path, let changelist, let root, let base):
            let question = ChangelistQuestion(
                name: changelist, revision: revision, base: base, path: Self.plain(path), root: root.map(Self.plain))
            return pin(header, origin, .changelist(question), connection) { .pinnedChangelist($1) }
        case .attach(let mount, let origin):
            return attach(header, mount, origin, fds, connection)
        case .status:
            connection.reply(header, .status(json: status()))
        case .shutDown:
            connection.reply(header, .shuttingDown)
            shutDown()
        case .greet(let oldest, let newest):
            greet(header, oldest, newest, connection)
        case .deposit, .release, .reclaim, .holdings:
            return keep(header, request, fds, connection)
        case .ping:
            connection.reply(header, .pulse(pulses()))
        case .sealed(let origin, let root, let commitTime):
            sealed(header, origin, SealedImages.Key(root: root, time: commitTime), connection)
        case .collect(let target):
            housekeeping.evictor.collect(target: target)
            connection.reply(header, .collecting)
        case .tell(let milliseconds):
            tellSlow(milliseconds)
            connection.reply(header, .telling)
        case .verify:
            connection.reply(header, .verifying(sweep: housekeeping.sweeper.request(.verify)))
        case .prefetch(let origin, let revision, let path, let depth, let contents):
            let key = FlightKey.pin(revision: revision, path: Self.plain(path))
            return pin(header, origin, key, connection) { store, snapshot throws(CacheError) in
                let number = try store.preloader.begin(
                    snapshot, revision: OriginStore.refName(revision), path: String(decoding: path, as: UTF8.self),
                    depth: depth.map { Int($0) }, contents: contents)
                return .prefetching(number: number, snapshot)
            }
        case .lookUp(let origin, let places):
            lookUp(header, origin, places, connection)
        case .list(let origin, let directory):
            return ask(header, origin, .directory(directory), connection) { _, value throws(CacheError) in
                guard case .directory(let packed) = value else { throw CacheError(.internalFailure, "no directory") }
                return try Self.listing(packed)
            }
        }
        return .done
    }

    private func greet(_ header: MessageHeader, _ oldest: UInt16, _ newest: UInt16, _ connection: Connection) {
        let own = ControlProtocolVersion.oldest...ControlProtocolVersion.newest
        guard oldest <= newest, let version = ControlProtocolVersion.agreed(own, oldest...newest) else {
            let text = "this cache owner speaks control protocol \(own), the supervisor \(oldest) to \(newest)"
            return connection.reply(header, CacheError(.invalidRequest, text), counters)
        }
        connection.reply(header, .greeted(version: version))
    }

    private func keep(
        _ header: MessageHeader, _ request: ControlRequest, _ fds: ReceivedFDs, _ connection: Connection
    ) -> Handled {
        do throws(CacheError) {
            switch request {
            case .deposit(let mount, let image):
                guard let device = fds.take(0), let session = fds.take(1) else {
                    return .violation("no descriptors to keep")
                }
                let holding = Escrow.Holding(device: SharedFD(device), session: SharedFD(session))
                try escrow.deposit(holding, for: mount)
                if let image {
                    try store(image.origin).images.noteMounted(
                        SealedImages.Key(root: image.root, time: image.commitTime), by: mount)
                }
                connection.reply(header, .deposited)
            case .release(let mount):
                escrow.release(mount)
                for store in stores.values { store.images.noteUnmounted(mount) }
                connection.reply(header, .released)
            case .reclaim(let mount):
                let holding = try escrow.holding(mount)
                connection.reply(header, .reclaimed, files: [holding.device, holding.session])
            default:
                connection.reply(header, .holdings(escrow.mounts))
            }
        } catch {
            connection.reply(header, error, counters)
        }
        return .done
    }

    private func sealed(_ header: MessageHeader, _ origin: String, _ key: SealedImages.Key, _ connection: Connection) {
        do throws(CacheError) {
            let store = try store(origin)
            guard let image = store.images.open(key) else { return connection.reply(header, .sealed(present: false)) }
            connection.reply(
                header, .sealed(present: true), files: [image, store.objects.layer, store.objects.inbox])
        } catch {
            connection.reply(header, error, counters)
        }
    }

    private func store(_ origin: String) throws(CacheError) -> OriginStore {
        guard let store = stores[origin.isEmpty ? defaultOrigin : origin] else {
            let known = stores.keys.sorted().joined(separator: ", ")
            throw CacheError(.unknownOrigin, "no origin is named \"\(origin)\"; there are: \(known)")
        }
        return store
    }

    private static func plain(_ path: [UInt8]) -> [UInt8] {
        Array(PathKey.components(path).joined(separator: [0x2F]))
    }

    private func pin(
        _ header: MessageHeader, _ origin: String, _ key: FlightKey, _ connection: Connection,
        _ answer: @escaping @Sendable (OriginStore, PinnedSnapshot) throws(CacheError) -> ControlReply
    ) -> Handled {
        if let store = try? store(origin), let snapshot = store.snapshotAtHand(key),
            let reply = try? answer(store, snapshot)
        {
            connection.reply(header, reply)
            return .done
        }
        return ask(header, origin, key, connection) { store, value throws(CacheError) in
            guard case .pinned(let snapshot) = value else { throw CacheError(.internalFailure, "not a snapshot") }
            return (try answer(store, snapshot), [])
        }
    }

    private func ask(
        _ header: MessageHeader, _ origin: String, _ key: FlightKey, _ connection: Connection,
        _ answer: @escaping @Sendable (OriginStore, FlightValue) throws(CacheError) -> (ControlReply, [SharedFD])
    ) -> Handled {
        do throws(CacheError) {
            let store = try store(origin)
            let asked = store.ask(
                key, WaiterID(owner: connection.id, request: header.id), deadline: header.deadline
            ) { [counters] result in
                do throws(CacheError) {
                    let (reply, files) = try answer(store, try result.get())
                    connection.reply(header, reply, files: files)
                } catch {
                    connection.reply(header, error, counters)
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

    // MARK: Trees

    private func lookUp(_ header: MessageHeader, _ origin: String, _ places: [TreePlace], _ connection: Connection) {
        do throws(CacheError) {
            let store = try store(origin)
            guard places.count <= TreePlace.pageLimit else {
                throw CacheError(
                    .invalidRequest, "\(places.count) places; at most \(TreePlace.pageLimit) are looked up at once")
            }
            guard let fetcher = store.fetcher else { throw CacheError(.internalFailure, "the origin is not ready") }
            fetcher.lookUp(places, deadline: header.deadline) { [counters] result in
                switch result {
                case .success(let entries): connection.reply(header, .found(entries))
                case .failure(let error): connection.reply(header, error, counters)
                }
            }
        } catch {
            connection.reply(header, error, counters)
        }
    }

    private static func listing(_ packed: [UInt8]) throws(CacheError) -> (ControlReply, [SharedFD]) {
        guard packed.count > WorkerReply.inlineDirectoryLimit else { return (.listing(packed), []) }
        let made = packed.withUnsafeBytes { bytes in
            Result { () throws(SystemError) in SharedFD(try SharedMemory.sealedFile(name: "directory", bytes)) }
        }
        switch made {
        case .success(let file): return (.listingFile(size: UInt64(packed.count)), [file])
        case .failure(let error):
            throw CacheError(.storage, "a directory of \(packed.count) bytes cannot be passed on: \(error)")
        }
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
