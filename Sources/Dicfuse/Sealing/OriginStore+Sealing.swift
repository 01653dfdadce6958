import CacheProtocol
import GitObjects
import LinuxSystem

extension OriginStore {
    /// A look for an object that is to be linked into the inbox.
    enum Provision {
        case provided
        /// It has to be fetched.
        case absent
        case failed(CacheError)
    }

    /// Links an object that is here according to `record`.
    func provideLocal(_ id: ObjectID, _ record: BlobRecord) -> Provision {
        // The look decides whether the file is the object, sets a damaged one aside and notes the use.
        switch localBlob(id, record) {
        case .absent: return .absent
        case .failed(let error): return .failed(error)
        case .here: break
        }
        do throws(SystemError) {
            return try inbox.link(id) ? .provided : .absent
        } catch {
            counters.add(.storageFailures)
            log.error("object-not-linked", ["origin": name, "object": id.hex, "cause": "\(error)"])
            return .failed(CacheError(.storage, "blob \(id) of origin \(name) cannot be linked: \(error)"))
        }
    }

    /// Whether the slowest transfer that is borne with takes longer than a request waits.
    func takesLonger(_ size: UInt64) -> Bool {
        size / UInt64(configuration.minimumRate) > UInt64(configuration.requestTimeoutMilliseconds / 1000)
    }
}
