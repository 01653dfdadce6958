import Glibc
import LinuxSystem

/// What the lasting processes of a farm hold: to be the same before and after.
struct ChaosCensus: Hashable, CustomStringConvertible {
    /// Number of descriptors by what they are, of supervisor and owner.
    let descriptors: [String: Int]
    let workers: Int
    let zombies: Int
    let mounts: [String]
    let connections: Int

    init(_ farm: Farm) throws {
        var descriptors: [String: Int] = [:]
        var zombies = 0
        let unixSockets = try Self.unixSockets()
        for program in ["antares-supervisor", "dicfuse-cache"] {
            for pid in try farm.processes.named(program) {
                for name in (try? Directory.names("/proc/\(pid)/fd")) ?? [] {
                    let link = "/proc/\(pid)/fd/\(String(decoding: name, as: UTF8.self))"
                    guard let target = try? File.linkTarget(link) else { continue }
                    let kind: String
                    if target.hasPrefix("socket:") {
                        // Connections to the origin come and go.
                        guard unixSockets.contains(target.filter(\.isNumber)) else { continue }
                        kind = "unix socket"
                    } else {
                        kind = Self.withoutRandomNames(target)
                    }
                    descriptors["\(program) \(kind)", default: 0] += 1
                }
                zombies += try Self.zombies(of: pid)
            }
        }
        self.descriptors = descriptors
        self.zombies = zombies
        workers = try farm.processes.named("antares-worker").count
        mounts = try farm.mounts().sorted()
        connections = try farm.processes.connections().count
    }

    private static func unixSockets() throws -> Set<String> {
        let lines = try File.text("/proc/net/unix", limit: 16 << 20).split(separator: "\n").dropFirst()
        return Set(lines.compactMap { $0.split(separator: " ").dropFirst(6).first.map(String.init) })
    }

    /// The directory in which the API's socket was made has a random name that begins with a dot.
    private static func withoutRandomNames(_ target: String) -> String {
        let parts = target.split(separator: "/", omittingEmptySubsequences: false)
        return parts.map { $0.hasPrefix(".") && !$0.hasPrefix(".trash") ? ".…" : String($0) }.joined(separator: "/")
    }

    /// Whether something is being deleted, which ends by itself.
    var isDeleting: Bool {
        descriptors.keys.contains { $0.contains("/.trash") }
    }

    /// Children that have ended and were not waited for.
    private static func zombies(of parent: Int32) throws -> Int {
        try Directory.names("/proc").compactMap { Int32(String(decoding: $0, as: UTF8.self)) }.filter { pid in
            guard let text = try? File.text("/proc/\(pid)/stat"), let name = text.lastIndex(of: ")") else {
                return false
            }
            let fields = text[name...].split(separator: " ")
            return fields.count > 2 && fields[1] == "Z" && fields[2] == "\(parent)"
        }.count
    }

    var description: String {
        let held = descriptors.sorted { $0.key < $1.key }.map { "  \($0.value) × \($0.key)" }.joined(separator: "\n")
        return "\(workers) workers, \(zombies) zombies, \(connections) connections, mounts \(mounts)\n\(held)"
    }

    /// What there is more of than `before`, or another number of where that is no question of more or less; empty if nothing. Event loops
    /// make some descriptors when they first need them.
    func differences(from before: ChaosCensus) -> String {
        var lines: [String] = []
        for key in Set(descriptors.keys).union(before.descriptors.keys).sorted() {
            let (old, new) = (before.descriptors[key] ?? 0, descriptors[key] ?? 0)
            if new > old { lines.append("\(key): \(old) before, \(new) after") }
        }
        if workers != before.workers { lines.append("workers: \(before.workers) before, \(workers) after") }
        if zombies != before.zombies { lines.append("zombies: \(before.zombies) before, \(zombies) after") }
        if mounts != before.mounts { lines.append("mounts: \(before.mounts) before, \(mounts) after") }
        if connections != before.connections {
            lines.append("connections: \(before.connections) before, \(connections) after")
        }
        return lines.joined(separator: "\n")
    }
}
