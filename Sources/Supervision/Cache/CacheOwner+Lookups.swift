import CacheProtocol
import GitObjects
import LinuxSystem

/// What is in the trees that mounts show. An owner that ends meanwhile costs time only: the next one is asked again.
extension CacheOwner {
    /// What is at each place; nil where there is nothing. What is not in the store is fetched.
    func lookUp(
        origin: String, _ places: [TreePlace], deadline: Deadline
    ) async throws(SupervisorError) -> [PackedEntry?] {
        try await requireVersion(ControlProtocolVersion.lookups, for: "cannot look into trees", deadline: deadline)
        // A longer path is at no place, and its message would be too long.
        let known = places.indices.filter { places[$0].path.count <= TreePlace.maximumPath }
        let asked = known.map { places[$0] }
        var found = [PackedEntry?](repeating: nil, count: places.count)
        for page in TreePlace.pages(asked) {
            let request = ControlRequest.lookUp(origin: origin, places: Array(asked[page]))
            guard case .found(let entries) = try await askPatiently(request, deadline: deadline),
                entries.count == page.count
            else { throw Self.unexpected }
            for (index, entry) in zip(page, entries) { found[known[index]] = entry }
        }
        return found
    }

    /// What is at each path below the directory `root`; nil where there is nothing.
    func lookUp(
        origin: String, root: ObjectID, paths: [[UInt8]], deadline: Deadline
    ) async throws(SupervisorError) -> [PackedEntry?] {
        try await lookUp(origin: origin, paths.map { TreePlace(directory: root, path: $0) }, deadline: deadline)
    }

    /// What is in a directory.
    func directory(
        _ id: ObjectID, origin: String, deadline: Deadline
    ) async throws(SupervisorError) -> PackedDirectory {
        let request = ControlRequest.list(origin: origin, directory: id)
        while true {
            try await requireVersion(ControlProtocolVersion.lookups, for: "cannot list trees", deadline: deadline)
            guard let channel else { continue }
            do throws(ControlChannel.Failure) {
                var reply = try await channel.exchange(request.operation.rawValue, request.encode(), deadline: deadline)
                return try Self.listing(&reply)
            } catch {
                guard case .closed = error, !deadline.hasPassed else { throw Self.explain(error, request) }
            }
        }
    }

    private static func listing(
        _ reply: inout ControlChannel.Reply
    ) throws(ControlChannel.Failure) -> PackedDirectory {
        do {
            var payload = reply.payload
            switch try ControlReply(operation: .list, from: &payload) {
            case .listing(let packed):
                return try PackedDirectory(packed)
            case .listingFile(let size):
                guard let file = reply.fds.take(0), let size = Int(exactly: size) else { break }
                return try PackedDirectory(received: file, size: size)
            default:
                break
            }
        } catch {
            throw .closed("malformed reply: \(error)")
        }
        throw .closed("a listing without its contents")
    }

    /// Asked each time: the owner may have been replaced by one of another build.
    func requireVersion(_ wanted: UInt16, for lack: String, deadline: Deadline) async throws(SupervisorError) {
        guard case .greeted(let version) = try await askPatiently(Self.greeting, deadline: deadline), version >= wanted
        else {
            throw SupervisorError(
                .internalError,
                "the cache owner that runs is of an older build and \(lack): restart the supervisor, which replaces it")
        }
    }

    static var unexpected: SupervisorError {
        SupervisorError(.internalError, "the cache owner answered something else")
    }
}
