/// How much all stores together may take, and where eviction begins and ends.
struct StorageLimits: Hashable, Sendable {
    /// Bytes and inodes of object files and indexes; 0 for no limit.
    var bytes: UInt64 = 0
    var inodes: UInt64 = 0
    /// Percent of a limit above which eviction begins, and at which it ends.
    var high: UInt64 = 95
    var low: UInt64 = 85

    /// What is to be freed.
    struct Need: Hashable, Sendable {
        var bytes: UInt64 = 0
        var inodes: UInt64 = 0

        var isNothing: Bool { bytes == 0 && inodes == 0 }

        /// What covers both.
        func union(_ other: Need) -> Need {
            Need(bytes: max(bytes, other.bytes), inodes: max(inodes, other.inodes))
        }
    }

    private static func part(_ percent: UInt64, of limit: UInt64) -> UInt64 {
        // Divided first: a limit may be any number.
        limit / 100 * percent + limit % 100 * percent / 100
    }

    func isAboveHigh(_ usage: StoreUsage) -> Bool {
        (bytes > 0 && usage.bytes > Self.part(high, of: bytes))
            || (inodes > 0 && usage.objects > Self.part(high, of: inodes))
    }

    func isAbove(_ usage: StoreUsage) -> Bool {
        (bytes > 0 && usage.bytes > bytes) || (inodes > 0 && usage.objects > inodes)
    }

    /// What has to go so that neither is above its low watermark.
    func excess(_ usage: StoreUsage) -> Need {
        func over(_ used: UInt64, _ limit: UInt64) -> UInt64 {
            let target = Self.part(low, of: limit)
            return limit > 0 && used > target ? used - target : 0
        }
        return Need(bytes: over(usage.bytes, bytes), inodes: over(usage.objects, inodes))
    }
}
