import CacheProtocol
import Glibc
public import LinuxSystem
import WireFormat
public import WorkerProtocol

/// A worker process: a spare until the supervisor gives it a mount, then that mount's server until the mount is gone.
///
/// One thread, the control thread, runs `run`: it accepts supervisors, receives what the cache owner answers, and watches deadlines.
public final class Worker {
    /// The descriptor at which the supervisor left the listening control socket.
    public static let controlSocket: Int32 = 3
    /// The one at which it left a FIFO for lines of the log.
    public static let lineDescriptor: Int32 = 4
    /// The versions of the protocols that it speaks.
    public static let version =
        "\(WorkerVersions.own), cache \(CacheProtocolVersion.oldest)-\(CacheProtocolVersion.newest)"

    private enum Token {
        static let listener: UInt64 = 1
        static let wake: UInt64 = 2
        static let cache: UInt64 = 3
        static let control: UInt64 = 4
    }

    private let listener: OwnedFD
    private let readers: Readers
    private let versions: WorkerVersions
    private let faults: Faults
    private let lines: LineSink
    private let epoll: Epoll
    private let wake: EventCounter
    private let end = Guarded<FuseConnector.End?>(nil)
    private var control: ControlConnection?
    private var mount: ServedMount?
    /// The socket that is registered with epoll, and for which events.
    private var watched: (socket: MessageSocket, events: Epoll.Events)?
    /// For messages of the cache owner; not an array, which would touch all of it in every spare.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: MessageSocket.maximumMessage, alignment: 16)

    /// `readers` is the number of threads that read requests of the kernel. `versions` are what it says it speaks. `faults` are for tests; `lines` gets
    /// what is logged.
    public init(
        listener: consuming OwnedFD, readers: Int = 2, versions: WorkerVersions = .own, faults: Faults = Faults(),
        lines: LineSink = LineSink()
    ) throws(SystemError) {
        self.listener = listener
        self.versions = versions
        self.readers = try Readers(count: readers)
        self.faults = faults
        self.lines = lines
        epoll = try Epoll()
        wake = try EventCounter()
        try self.listener.setNonBlocking(true)
        try epoll.add(self.listener.raw, .readable, token: Token.listener)
        try epoll.add(wake.raw, .readable, token: Token.wake)
    }

    deinit {
        buffer.deallocate()
    }

    /// Serves until the mount is gone or the supervisor says so; the exit code.
    public func run() throws(SystemError) -> Int32 {
        while true {
            let deadline = mount?.session.expire() ?? .never
            try watchCache()
            for event in try epoll.wait(until: deadline) {
                if let code = try handle(event) { return code }
            }
            if let end = end.with({ $0 }) { return finish(end) }
        }
    }

    private func handle(_ event: Epoll.Event) throws(SystemError) -> Int32? {
        switch event.token {
        case Token.listener:
            try accept()
        case Token.wake:
            wake.clear()
        case Token.cache:
            if event.events.contains(.writable) { mount?.session.cache.flush() }
            receiveFromOwner()
        case Token.control:
            return serveControl()
        default:
            break
        }
        return nil
    }

    private func finish(_ end: FuseConnector.End) -> Int32 {
        switch end {
        case .unmounted:
            return 0
        case .failed(let error):
            mount?.log.say("reading requests failed: \(error)")
            return 1
        }
    }

    // MARK: Supervisor

    /// The newest connection is served: its supervisor has replaced the older one's.
    private func accept() throws(SystemError) {
        let file: OwnedFD
        do {
            file = try MessageSocket.accept(listener.raw)
        } catch {
            return
        }
        guard let connection = try? ControlConnection(file) else { return }
        dropControl()
        try epoll.add(connection.raw, .readable, token: Token.control)
        control = connection
    }

    private func dropControl() {
        if let control { epoll.remove(control.raw) }
        control = nil
    }

    private func serveControl() -> Int32? {
        guard let control else { return nil }
        switch control.receive() {
        case .nothing:
            return nil
        case .closed:
            dropControl()
            return nil
        case .request(let header, let request, let fds):
            do throws(WorkerError) {
                guard fds.count == request.descriptorCount else {
                    throw WorkerError(.message, "\(fds.count) descriptors instead of \(request.descriptorCount)")
                }
                let reply = try perform(request, fds)
                if !control.reply(to: header, reply) { dropControl() }
                return reply == .stopping ? 0 : nil
            } catch {
                if !control.fail(header, error) { dropControl() }
                // Half a takeover cannot be taken back: the supervisor uses another spare.
                return request.operation == .assume && mount == nil ? 1 : nil
            }
        }
    }

    private func perform(_ request: WorkerControlRequest, _ fds: ReceivedFDs) throws(WorkerError) -> WorkerControlReply
    {
        switch request {
        case .assume(let version, let name):
            guard versions.control.contains(version) else {
                throw WorkerError(.version, "this worker speaks \(versions), not protocol \(version)")
            }
            guard mount == nil else { throw WorkerError(.state, "this worker has a mount") }
            try assume(name, fds)
            return .serving
        case .reconnectCache:
            guard let mount, let file = fds.take(0) else { throw WorkerError(.state, "this worker has no mount") }
            do {
                try mount.reconnect(file)
            } catch {
                throw WorkerError(error)
            }
            return .reconnected
        case .status:
            return .status(mount?.session.status() ?? WorkerStatus())
        case .stop:
            return .stopping
        case .greet:
            return .greeted(versions)
        }
    }

    private func assume(_ name: String, _ fds: ReceivedFDs) throws(WorkerError) {
        guard let fuse = fds.take(0), let memory = fds.take(1), let cache = fds.take(2) else {
            throw WorkerError(.message, "a descriptor is missing")
        }
        do {
            mount = try ServedMount(
                name, fuse: fuse, memory: memory, cache: cache, readers: readers, wake: wake, faults: faults,
                lines: lines
            ) { [end, wake] reason in
                end.with { $0 = $0 ?? reason }
                wake.add()
            }
        } catch {
            throw WorkerError(error)
        }
    }

    // MARK: Cache owner

    /// Registers the current socket; for writing only while something waits to be written.
    private func watchCache() throws(SystemError) {
        guard let cache = mount?.session.cache else { return }
        let socket = cache.socket
        let events: Epoll.Events = cache.hasBacklog ? [.readable, .writable] : .readable
        if let watched, watched.socket !== socket {
            epoll.remove(watched.socket.raw)
            self.watched = nil
        }
        guard let socket else { return }
        if watched == nil {
            try epoll.add(socket.raw, events, token: Token.cache)
        } else if watched?.events != events {
            try epoll.change(socket.raw, events, token: Token.cache)
        }
        watched = (socket, events)
    }

    private func receiveFromOwner() {
        guard let mount, let socket = mount.session.cache.socket else { return }
        while true {
            let received: (count: Int, fds: ReceivedFDs)?
            do throws(SystemError) {
                received = try socket.receive(into: buffer)
            } catch {
                if error.errno == .wouldBlock { return }
                return lose(mount, error.description)
            }
            guard let (count, fds) = received else { return lose(mount, "the cache owner closed its socket") }
            do throws(WireError) {
                switch try OwnerMessage(Array(buffer[..<count]), fds) {
                case .greeted(let version): mount.session.cache.noteVersion(version, of: socket)
                case .ahead(let supply): mount.session.receive(ahead: supply)
                case .answer(let id, let result): mount.session.receive(id, result)
                case .refused(let error): return lose(mount, "the cache owner refuses: \(error)")
                }
            } catch {
                return lose(mount, "the cache owner breaks the protocol: \(error)")
            }
        }
    }

    /// What waits goes on waiting: the supervisor brings a new socket, or the deadlines pass.
    private func lose(_ mount: ServedMount, _ reason: String) {
        mount.log.say(reason)
        if let watched { epoll.remove(watched.socket.raw) }
        watched = nil
        mount.session.cache.drop()
    }
}
