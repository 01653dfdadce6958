import CacheProtocol
import GitObjects
import LinuxSystem

/// What the supervisor asks about trees. Read from the index where they are in it, else fetched as for a mount.
extension OriginFetcher {
    /// Directories that are held at one time for a lookup.
    private static let breadth = 64

    /// Calls `answer` once, on the fetch thread.
    nonisolated func lookUp(
        _ places: [TreePlace], deadline: Deadline,
        _ answer: @escaping @Sendable (Result<[PackedEntry?], CacheError>) -> Void
    ) {
        Self.$urgency.withValue(nil) {
            _ = Task(executorPreference: thread) {
                do throws(CacheError) {
                    answer(.success(try await self.entries(at: places, deadline)))
                } catch {
                    answer(.failure(error))
                }
            }
        }
    }

    /// One level of all places after the other, so that what has to be fetched travels together.
    private func entries(at places: [TreePlace], _ deadline: Deadline) async throws(CacheError) -> [PackedEntry?] {
        await store.salvager.settled()
        let ways = places.map { PathKey.components($0.path) }
        var found: [PackedEntry?] = places.map { PackedEntry(mode: .directory, id: $0.directory, size: 0) }
        var depth = 0
        while true {
            var open: [ObjectID: [Int]] = [:]
            for (index, way) in ways.enumerated() where depth < way.count {
                guard let entry = found[index] else { continue }
                // Nothing is below a file; and a submodule shows an empty directory.
                if entry.mode == .directory { open[entry.id, default: []].append(index) } else { found[index] = nil }
            }
            guard !open.isEmpty else { break }
            let directories = open.keys.sorted()
            for start in stride(from: 0, to: directories.count, by: Self.breadth) {
                let some = Array(directories[start..<min(start + Self.breadth, directories.count)])
                let listings = try await listings(of: some, deadline: deadline)
                for (id, listing) in listings {
                    for index in open[id] ?? [] {
                        found[index] = listing.index(of: ways[index][depth]).map { listing[$0] }
                    }
                }
                guard !deadline.hasPassed else {
                    throw CacheError(.timedOut, "the trees could not be looked through before the request's deadline")
                }
                await Task.yield()
            }
            depth += 1
        }
        return found.map { $0.map(completed) }
    }

    /// With size and mode that its listing left open, if they were found since.
    private func completed(_ entry: PackedEntry) -> PackedEntry {
        guard !entry.isComplete, entry.mode.hasBlob, let known = store.information(of: entry.id) else { return entry }
        var entry = entry
        if entry.flags.contains(.sizeUnknown) {
            entry.size = known.size
            entry.flags.remove(.sizeUnknown)
        }
        if entry.flags.contains(.modeUnknown), let executable = known.executable {
            entry.mode = executable ? .executable : .regular
            entry.flags.remove(.modeUnknown)
        }
        return entry
    }
}
