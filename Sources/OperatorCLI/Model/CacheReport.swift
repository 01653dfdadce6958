/// The body of `GET /cache`: what the cache owner says of itself.
struct CacheReport: Decodable {
    struct Origin: Decodable {
        let name: String
        let objects: UInt64
        let objectBytes: UInt64
        let indexBytes: UInt64
        /// Nil from an owner of before.
        let images: Int?
        let imageBytes: UInt64?
        let quarantined: UInt64
        let quarantinedBytes: UInt64
        let flights: Int
        /// Nil from an owner of before.
        let preloads: [PreloadReport]?
    }

    struct Eviction: Decodable {
        struct Round: Decodable {
            let reason: String
            let objects: UInt64
            let bytes: UInt64
        }

        let limitBytes: UInt64
        let limitInodes: UInt64
        let isRunning: Bool
        let rounds: UInt64
        let last: Round?
        let unmet: String?
        let diskFull: Bool
    }

    struct Sweep: Decodable {
        let kind: UInt8?
        let isRunning: Bool
        let number: UInt64
        let objects: UInt64
        let totalObjects: UInt64
        let bytes: UInt64
        let totalBytes: UInt64
        let damaged: UInt64
        let missing: UInt64
        let adopted: UInt64
        let failed: UInt64
        let milliseconds: UInt64
    }

    struct Disk: Decodable {
        let freeBytes: UInt64
        let freeInodes: UInt64
    }

    let version: String
    let uptimeSeconds: Int
    let previousEndedCleanly: Bool
    let workers: Int
    let counters: [String: UInt64]
    let eviction: Eviction
    let sweep: Sweep
    let disk: Disk?
    let origins: [Origin]

    var bytes: UInt64 { origins.reduce(0) { $0 + $1.objectBytes + $1.indexBytes + ($1.imageBytes ?? 0) } }
    var objects: UInt64 { origins.reduce(0) { $0 + $1.objects } }
}

/// The answer to `POST /cache/verify`.
struct VerificationReport: Decodable {
    let sweep: UInt64
}
