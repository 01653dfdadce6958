import CacheProtocol
import GitObjects

/// Pins that come to what is at hand.
extension OriginStore {
    /// The snapshot of a pin for which nothing has to be asked or waited for: the revision is a commit's own name, the trees down to the path are here, and
    /// the image is offered. Nil leaves it to a flight, which also finds the reasons of failures.
    func snapshotAtHand(_ key: FlightKey) -> PinnedSnapshot? {
        guard case .pin(let revision, let path) = key, sealer != nil, let commit = ObjectID(hex: revision),
            let record = snapshot(commit), let directory = directoryAtHand(record.root, path)
        else { return nil }
        guard images.isOffered(SealedImages.Key(root: directory, time: record.time)) else { return nil }
        counters.add(.pinsAtHand)
        return PinnedSnapshot(
            origin: name, commit: commit, commitTime: record.time, root: directory, assurance: .treesVerified,
            isSealed: true)
    }

    private func directoryAtHand(_ root: ObjectID, _ path: [UInt8]) -> ObjectID? {
        var directory = root
        for component in PathKey.components(path) {
            guard let packed = packedDirectory(directory), let listing = try? PackedDirectory(packed),
                let index = listing.index(of: component), listing[index].mode == .directory
            else { return nil }
            directory = listing[index].id
        }
        // Keys of a path say less of what is behind them.
        return directory.kind == .path || packedDirectory(directory) == nil ? nil : directory
    }
}
