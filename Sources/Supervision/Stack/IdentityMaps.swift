import LinuxSystem

/// The identity maps of the owners that mounts were made for lately. Making one costs a process, keeping it a descriptor.
final class IdentityMaps: Sendable {
    final class Entry: Sendable {
        let map: IdentityMap

        init(_ map: consuming IdentityMap) {
            self.map = map
        }
    }

    private let maps: Guarded<RecentlyUsed<Accounts.User, Entry>>

    init(limit: Int = 64) {
        maps = Guarded(RecentlyUsed(limit: limit))
    }

    /// The map of an owner, if there is one already.
    func known(_ owner: Accounts.User) -> Entry? {
        maps.with { $0.use(owner) }
    }

    /// Blocks while a map is made.
    func entry(for owner: Accounts.User) throws(SystemError) -> Entry {
        if let known = known(owner) { return known }
        // Two that ask at once make two; the first is kept.
        let made = Entry(try IdentityMap(owner: owner))
        return maps.with { $0.keep(made, for: owner) }
    }
}
