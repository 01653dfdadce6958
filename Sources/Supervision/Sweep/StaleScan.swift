import Glibc
import LinuxSystem
import WireFormat
import WorkerProtocol

/// Looks for what may be stale and takes it away. Only what is ours by a mark that no stranger's thing has: an overlay by its upper below our upper root, a
/// worker by the record beside its socket, directories by being named with an id in our own directories.
struct StaleScan: Sendable {
    let workerSockets: String
    let mountRoot: MountRoot
    /// Where clients may choose mountpoints, besides.
    let mountpointRoots: [String]
    let uppers: UpperStore
    let records: RecordStore
    let directories: MadeDirectories

    /// Everything of ours with the seconds since it was made (nil where nobody knows), whoever owns it.
    func everything() throws(SystemError) -> [StaleThing: Int?] {
        var found: [StaleThing: Int?] = [:]
        for socket in try ProcessRecord.sockets(in: workerSockets) {
            if let process = ProcessRecord.livingProcess(socket: socket) {
                found[.worker(process.identity, socket: socket)] = Self.age(of: "/proc/\(process.pid)")
            } else {
                found[.socket(socket)] = Self.age(of: socket)
            }
        }
        for entry in try MountTable.current() {
            guard let id = uppers.owner(of: entry) else { continue }
            found[.mount(id, path: entry.mountPoint, tableID: entry.mountID)] = Self.age(of: uppers.directory(id).path)
        }
        for id in Self.ids(in: (try? Directory.names(uppers.root)) ?? []) {
            found[.upper(id)] = Self.age(of: uppers.directory(id).path)
        }
        for id in Self.ids(in: try mountRoot.names()) {
            // Not stat(2) of the directory itself: something that hangs may be mounted on it.
            found[.mountpoint(id)] = .some(nil)
        }
        for id in try records.ids() { found[.record(id)] = Self.age(of: records.path(id.rawValue)) }
        return found
    }

    /// Takes one thing away. A mount that a stranger's covers, and a directory that one is mounted on, stay: EBUSY.
    func remove(_ thing: StaleThing) throws(SystemError) {
        switch thing {
        case .worker(let identity, let socket):
            if let process = ProcessRecord.livingProcess(socket: socket), process.identity == identity {
                process.signal(SIGKILL)
                _ = process.waitForEnd(until: .after(.milliseconds(500)))
            }
            ProcessRecord.remove(socket: socket)
        case .socket(let path):
            UnrecordedWorker.stop(path)
            ProcessRecord.remove(socket: path)
        case .mount(_, let path, let tableID):
            try Self.detach(path, tableID)
            try unlock(path)
        case .upper(let id):
            try uppers.discard(uppers.directory(id))
        case .mountpoint(let id):
            try Mountpoint(root: mountRoot.path, name: id.rawValue)
                .remove(Mountpoint.Made(components: [id.rawValue]), directories)
        case .record(let id):
            records.remove(id)
        }
    }

    /// A mountpoint below the roots for clients whose record is lost: what was made for the mount is closed to everybody, mode 0.
    private func unlock(_ path: String) throws(SystemError) {
        guard let mountpoint = Mountpoint(path: path, roots: mountpointRoots),
            let status = try? FileStatus(of: path), status.mode & S_IFMT == S_IFDIR
        else { return }
        let made = status.mode & 0o7777 == 0 ? [mountpoint.name] : []
        try mountpoint.remove(Mountpoint.Made(components: made, isLocked: true), directories)
    }

    private static func detach(_ path: String, _ tableID: Int) throws(SystemError) {
        let identity = try Mounts.top(path)
        guard try identity.facts()?.tableID == tableID else {
            // An unmount spreads to the peers of the mount: it may have taken this one, too.
            if try !MountTable.current().contains(where: { $0.mountID == tableID }) { return }
            throw SystemError(.busy, "umount2", path, detail: "another mount covers it")
        }
        try MountPlace(of: identity, expectedAt: path).detach()
    }

    private static func ids(in names: [[UInt8]]) -> [MountID] {
        names.compactMap { MountID(rawValue: String(decoding: $0, as: UTF8.self)) }
    }

    private static func age(of path: String) -> Int? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return max(0, Int(WallClock.milliseconds / 1000) - Int(status.st_ctim.tv_sec))
    }
}

/// A worker without a record: told to stop through its socket.
enum UnrecordedWorker {
    static func stop(_ socket: String) {
        guard let connection = try? MessageSocket(MessageSocket.connect(socket)) else { return }
        let header = MessageHeader(operation: WorkerOperation.stop.rawValue, id: 1)
        try? connection.send(header.message(WorkerControlRequest.stop.encode()))
    }
}
