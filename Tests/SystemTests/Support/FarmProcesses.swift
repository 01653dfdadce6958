import Glibc
import LinuxSystem

/// The processes of a farm, found by where their standard error goes: workers and the cache owner are not children of the test.
struct FarmProcesses {
    let directory: String

    func all() throws -> [Int32] {
        try Directory.names("/proc").compactMap { Int32(String(decoding: $0, as: UTF8.self)) }.filter { pid in
            guard let errors = Self.link("/proc/\(pid)/fd/2") else { return false }
            return errors.hasPrefix(directory + "/") && errors.hasSuffix(".log")
        }
    }

    func named(_ program: String) throws -> [Int32] {
        // The kernel keeps 15 bytes of the name.
        try all().filter { (try? File.text("/proc/\($0)/comm"))?.dropLast() == program.prefix(15) }
    }

    /// The workers that hold a connection; spares do not.
    func serving() throws -> [Int32] {
        try named("antares-worker").filter { pid in
            let names = (try? Directory.names("/proc/\(pid)/fd")) ?? []
            return names.contains { Self.link("/proc/\(pid)/fd/\(String(decoding: $0, as: UTF8.self))") == "/dev/fuse" }
        }
    }

    /// The FUSE connections of mounts. The number of one that has ended is used again, its inode is not. What supervisors alone hold are spares, or a
    /// mount that has neither worker nor cache owner at this moment.
    func connections() throws -> Set<Connection> {
        let supervisors = Set(try named("antares-supervisor"))
        return Set(try holders().filter { !$0.value.isSubset(of: supervisors) }.keys)
    }

    /// The processes that hold each connection. A child that is about to become a worker has, before that, what its parent has; it is not one of these.
    func holders() throws -> [Connection: Set<Int32>] {
        var found: [Connection: Set<Int32>] = [:]
        for pid in try ["antares-supervisor", "dicfuse-cache", "antares-worker"].flatMap({ try named($0) }) {
            for fd in (try? Directory.names("/proc/\(pid)/fdinfo")) ?? [] {
                let text = (try? File.text("/proc/\(pid)/fdinfo/\(String(decoding: fd, as: UTF8.self))")) ?? ""
                for line in text.split(separator: "\n") where line.hasPrefix("fuse_connection:") {
                    let digits = line.drop { !$0.isNumber }
                    if let number = UInt64(digits), let connection = Connection(number) {
                        found[connection, default: []].insert(pid)
                    }
                }
            }
        }
        return found
    }

    struct Connection: Hashable {
        let number: UInt64
        let identity: FileStatus.Identity

        init?(_ number: UInt64) {
            guard let status = try? FileStatus(of: "/sys/fs/fuse/connections/\(number)") else { return nil }
            self.number = number
            identity = status.identity
        }

        var exists: Bool { Connection(number) == self }
    }

    /// Frees everybody who waits in a mount, then ends all processes, also those that one of them starts meanwhile.
    func end() {
        for connection in ((try? holders()) ?? [:]).keys { try? FuseConnection(number: connection.number).abort() }
        for _ in 0..<100 {
            let left = ((try? all()) ?? []).compactMap { try? ChildProcess(adopting: $0) }
            if left.isEmpty { return }
            for process in left { process.signal(SIGKILL) }
            for process in left { _ = process.waitForEnd(until: .after(.seconds(1))) }
        }
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return count < 0 ? nil : String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Ends a farm whose test does not come to its end. A thread that waits in a filesystem cannot be told to stop, but its mount can.
final class Watchdog: Sendable {
    private let done: EventCounter
    private let thread: SystemThread
    private let bit = Guarded(false)

    init(_ processes: FarmProcesses, limit: Duration) throws {
        let done = try EventCounter()
        let bit = bit
        self.done = done
        thread = try SystemThread.start(name: "watchdog") {
            var entry = pollfd(fd: done.raw, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, Deadline.after(limit).pollTimeout) == 0 {
                bit.with { $0 = true }
                processes.end()
            }
        }
    }

    /// Whether it had to act.
    func stop() -> Bool {
        done.add()
        thread.join()
        return bit.with { $0 }
    }
}
