extension MountActor {
    /// How many are looked at before others get their turn on the supervision thread.
    private static let turn = 16

    /// What is found of each of some mounts, in their order.
    ///
    /// All run on one thread: to await one after the other would cost two changes of thread for each, which is more than most looks.
    static func census<Value: Sendable>(
        _ mounts: [MountActor], _ look: @Sendable (isolated MountActor) -> Value
    ) async -> [Value] {
        var found: [Value] = []
        found.reserveCapacity(mounts.count)
        for start in stride(from: 0, to: mounts.count, by: turn) {
            let some = mounts[start..<min(start + turn, mounts.count)]
            found += await mounts[start].looks(at: some, look)
        }
        return found
    }

    private func looks<Value: Sendable>(
        at mounts: ArraySlice<MountActor>, _ look: @Sendable (isolated MountActor) -> Value
    ) -> [Value] {
        mounts.map { mount in mount.assumeIsolated { look($0) } }
    }
}
