public import LinuxSystem

/// Finds who uses some mounts, in /proc alone: no path inside a mount is ever looked up, so a mount that hangs stops nothing.
///
/// Runs in a process of its own that its starter may kill: reading maps waits for the memory lock of the process looked at. What can be had
/// without a lock comes first and is written at once, so a process that hangs hides only what maps would have told.
public struct HolderScan {
    /// A mount to look for.
    public struct Target: Hashable, Sendable {
        public let device: DeviceNumber
        /// The mount's id in mountinfo, to tell it from further mounts of the same superblock.
        public let tableID: Int

        public init(device: DeviceNumber, tableID: Int) {
            self.device = device
            self.tableID = tableID
        }

        /// `MAJOR:MINOR/ID`, as it stands on the command line.
        public var argument: String { "\(device)/\(tableID)" }

        public init?(argument: String) {
            let parts = argument.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let device = DeviceNumber(parts[0]), let id = Int(parts[1]) else { return nil }
            self.init(device: device, tableID: id)
        }
    }

    /// Holders of one process that are told; the rest adds nothing.
    static let usesPerProcess = 8

    private let targets: [DeviceNumber: Int]
    private let mainIDs: Set<Int>
    private let emit: (Int, Holder) -> Void
    /// Mounts of the targets in every mount namespace: their id → target and the place they are mounted at.
    private var mounts: [Int: (target: Int, place: String)] = [:]
    private var processes: [Process] = []

    private struct Process {
        let identity: ProcessIdentity
        let uid: UInt32
        let command: String
    }

    /// `emit` gets the index of the target, and a holder.
    public init(_ targets: [Target], emit: @escaping (Int, Holder) -> Void) {
        self.targets = Dictionary(targets.enumerated().map { ($1.device, $0) }) { first, _ in first }
        mainIDs = Set(targets.map(\.tableID))
        // A mount that was detached is in no table, and may be in use all the same.
        mounts = Dictionary(targets.enumerated().map { ($1.tableID, ($0, "")) }) { first, _ in first }
        self.emit = emit
    }

    public mutating func run() {
        listProcesses()
        readMountTables()
        for process in processes { findOpen(process) }
        for process in processes { findMapped(process) }
    }

    private mutating func listProcesses() {
        for name in (try? Directory.names("/proc")) ?? [] {
            guard let pid = Int32(String(decoding: name, as: UTF8.self)), let identity = ProcessIdentity(of: pid),
                let uid = (try? FileStatus(of: "/proc/\(pid)"))?.uid
            else { continue }
            let command = ((try? File.text("/proc/\(pid)/comm")) ?? "").prefix { $0 != "\n" }
            processes.append(Process(identity: identity, uid: uid, command: String(command)))
        }
    }

    /// Each mount namespace is read once, through the first process found in it.
    private mutating func readMountTables() {
        let own = try? File.linkTarget("/proc/self/ns/mnt")
        var seen: Set<String> = []
        for process in processes {
            let pid = process.identity.pid
            guard let namespace = try? File.linkTarget("/proc/\(pid)/ns/mnt"), seen.insert(namespace).inserted,
                let table = try? MountTable.of(pid: pid)
            else { continue }
            note(table, isOwn: namespace == own, process)
        }
    }

    private mutating func note(
        _ table: [MountTable.Entry], isOwn: Bool, _ process: Process
    ) {
        let propagating = Set(table.filter { !$0.propagation.isEmpty }.map(\.mountID))
        for entry in table {
            guard let device = DeviceNumber(entry.device), let target = targets[device] else { continue }
            mounts[entry.mountID] = (target, entry.mountPoint)
            if isOwn {
                if !mainIDs.contains(entry.mountID) { emit(target, nobody(.bindMount, entry.mountPoint)) }
            } else if !propagating.contains(entry.parentID) {
                // Where the parent hears of our unmount, the copy goes with the mount.
                emit(target, holder(process, .namespace, entry.mountPoint))
            }
        }
        guard isOwn else { return }
        for entry in table {
            if let mount = mounts[entry.parentID], mounts[entry.mountID] == nil {
                emit(mount.target, nobody(.submount, entry.mountPoint))
            }
        }
    }

    private func findOpen(_ process: Process) {
        let base = "/proc/\(process.identity.pid)"
        for (name, use) in [("cwd", Holder.Use.workingDirectory), ("root", .root), ("exe", .executable)] {
            guard let id = try? MountIdentity.tableID(at: "\(base)/\(name)"), let mount = mounts[id] else { continue }
            emit(mount.target, holder(process, use, inside("\(base)/\(name)", mount.place)))
        }
        var found = 0
        for name in (try? Directory.names(base + "/fdinfo")) ?? [] {
            let name = String(decoding: name, as: UTF8.self)
            guard found < Self.usesPerProcess, let number = Int32(name),
                let text = try? File.text("\(base)/fdinfo/\(name)"),
                let id = Self.mountID(fdinfo: text), let mount = mounts[id]
            else { continue }
            found += 1
            emit(mount.target, holder(process, .descriptor(number), inside("\(base)/fd/\(name)", mount.place)))
        }
    }

    private func findMapped(_ process: Process) {
        guard let text = try? File.text("/proc/\(process.identity.pid)/maps", limit: 1 << 26) else { return }
        var found: Set<String> = []
        for line in text.split(separator: "\n") {
            guard found.count < Self.usesPerProcess, let map = Self.parse(map: line), let target = targets[map.device]
            else { continue }
            if found.insert(map.path).inserted {
                let place = mounts.values.first { $0.target == target && map.path.hasPrefix($0.place + "/") }?.place
                emit(target, holder(process, .mapping, Self.inside(map.path, place ?? "")))
            }
        }
    }

    private func holder(
        _ process: Process, _ use: Holder.Use, _ path: String
    ) -> Holder {
        Holder(
            pid: process.identity.pid, startTime: process.identity.startTime, uid: process.uid,
            command: process.command,
            use: use, path: path)
    }

    private func nobody(_ use: Holder.Use, _ path: String) -> Holder {
        Holder(pid: 0, startTime: 0, uid: 0, command: "", use: use, path: path)
    }

    private func inside(_ link: String, _ place: String) -> String {
        Self.inside((try? File.linkTarget(link)) ?? "", place)
    }

    // MARK: Formats of /proc

    /// The part of a path below the place its mount is at; the whole of it where the namespaces differ.
    static func inside(_ path: String, _ place: String) -> String {
        if path == place { return "/" }
        return !place.isEmpty && path.hasPrefix(place + "/") ? String(path.dropFirst(place.utf8.count)) : path
    }

    static func mountID(fdinfo: String) -> Int? {
        for line in fdinfo.split(separator: "\n") where line.hasPrefix("mnt_id:") {
            return Int(line.dropFirst("mnt_id:".count).drop { $0 == "\t" || $0 == " " })
        }
        return nil
    }

    /// Device and path of a mapping; nil for one without a file.
    static func parse(map line: Substring) -> (device: DeviceNumber, path: String)? {
        let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard fields.count == 6, let device = DeviceNumber(fields[3], radix: 16), fields[4] != "0" else { return nil }
        return (device, MountTable.unescape(fields[5].drop { $0 == " " }))
    }
}
