/// What is to become of the views that an earlier supervisor recorded, without any I/O. The mount table decides: a view has the place of its mount
/// from the moment it is attached.
enum ViewPlan {
    enum Fate: Hashable, Sendable {
        /// The only view of its mount, or the one that clients know: as its record says.
        case asRecorded
        /// Its record says that it was being made, but it has the place already.
        case succeeded
        /// It was being made and did not come to the place.
        case takenBack
        /// Another has its place; `isAttached` if it still lies over that.
        case retired(isAttached: Bool)
    }

    /// The fates of all records, and for a view that succeeded the record with what it inherits.
    static func fates(
        of records: [MountRecord], isAttached: (UInt64) -> Bool
    ) -> [(record: MountRecord, fate: Fate)] {
        let byID = Dictionary(records.map { ($0.id, $0) }) { first, _ in first }
        func hasPlace(_ record: MountRecord) -> Bool { record.mountIdentity.map(isAttached) ?? false }
        var succeeded = Set(records.compactMap { hasPlace($0) ? $0.replaces : nil })
        // Of several views of a mount the one that has the place is the mount, whatever the records of the others say.
        let holders = Set(records.filter { hasPlace($0) && !succeeded.contains($0.id) }.map(\.mount))
        for record in records where !hasPlace(record) && record.phase != .making && holders.contains(record.mount) {
            succeeded.insert(record.id)
        }
        return records.map { record in
            if record.phase == .retired || succeeded.contains(record.id) {
                var left = record
                (left.madeComponents, left.isMountpointLocked, left.client, left.leaseExpiresAt) = ([], nil, nil, nil)
                return (left, .retired(isAttached: hasPlace(record)))
            }
            guard let replaced = record.replaces, record.phase == .making else { return (record, .asRecorded) }
            guard hasPlace(record) else { return (record, .takenBack) }
            return (byID[replaced].map { record.inheriting(from: $0) } ?? record, .succeeded)
        }
    }
}

extension MountRecord {
    /// What a view takes over with the place, where the supervisor that exchanged them did not come to write it down.
    fileprivate func inheriting(from old: MountRecord) -> MountRecord {
        var record = self
        record.phase = old.phase == .unmounting ? .unmounting : .ready
        (record.madeComponents, record.isMountpointLocked) = (old.madeComponents, old.isMountpointLocked)
        (record.client, record.leaseExpiresAt) = (old.client, old.leaseExpiresAt)
        (record.createdAt, record.readyAfter) = (old.createdAt, old.readyAfter)
        return record
    }
}
