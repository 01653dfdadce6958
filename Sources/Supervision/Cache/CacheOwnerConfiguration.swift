import Foundation
import LinuxSystem

/// What the cache owner is told at its start, as JSON in a sealed memfd.
struct CacheOwnerConfiguration: Encodable {
    struct Origin: Encodable {
        let name: String
        let url: String
        let mirrors: [String]
        let tokenFile: String?
        let caFile: String?
        let clientCertFile: String?
        let clientKeyFile: String?
        let proxy: String?
        let lfs: String?
    }

    let directory: String
    let origins: [Origin]
    let defaultOrigin: String?
    let connectTimeoutMilliseconds = 3000
    let requestTimeoutMilliseconds: UInt64
    let minimumRate: UInt64
    let headFreshnessMilliseconds: UInt64
    let limit: UInt64
    let highWatermark: Int
    let lowWatermark: Int
    let seal: Bool
    let preloadRate: UInt64
    let inodeLimit: Int
    let fullDiskMemory: UInt64
    let sweepRate: UInt64
    let sweepIntervalSeconds: UInt64
    let slowFetchMilliseconds: UInt64

    init(_ configuration: SupervisorConfiguration) {
        directory = configuration.cacheDirectory
        origins = configuration.origins.map {
            Origin(
                name: $0.name, url: $0.url, mirrors: $0.mirrors, tokenFile: $0.tokenFile, caFile: $0.caFile,
                clientCertFile: $0.clientCert, clientKeyFile: $0.clientKey, proxy: $0.proxy, lfs: $0.lfs)
        }
        defaultOrigin = configuration.defaultOrigin?.name
        requestTimeoutMilliseconds = configuration.requestTimeout.nanoseconds / 1_000_000
        minimumRate = configuration.minimumRate
        headFreshnessMilliseconds = configuration.headFreshness.nanoseconds / 1_000_000
        limit = configuration.cacheLimit
        highWatermark = configuration.highWatermark
        lowWatermark = configuration.lowWatermark
        seal = configuration.seal
        preloadRate = configuration.preloadRate
        inodeLimit = configuration.inodeLimit
        fullDiskMemory = configuration.fullDiskMemory
        sweepRate = configuration.sweepRate
        slowFetchMilliseconds = configuration.slowOperation.nanoseconds / 1_000_000
        sweepIntervalSeconds = configuration.sweepInterval.nanoseconds / 1_000_000_000
    }

    /// Sorted keys, so that the same configuration has the same bytes.
    func json() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        // Strings, numbers and arrays of them always encode.
        return (try? encoder.encode(self)).map(Array.init) ?? []
    }
}
