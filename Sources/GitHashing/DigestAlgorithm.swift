import CCrypto

/// The two hash functions Git uses.
public enum DigestAlgorithm: Sendable {
    case sha1
    case sha256

    public var byteCount: Int { self == .sha1 ? 20 : 32 }

    // Fetched once: EVP_sha1() and EVP_sha256() make libcrypto look the implementation up again for every digest.
    // An EVP_MD is immutable and may be used from any thread (EVP_MD_fetch(3)).
    private nonisolated(unsafe) static let fetchedSHA1 = EVP_MD_fetch(nil, "SHA1", nil)
    private nonisolated(unsafe) static let fetchedSHA256 = EVP_MD_fetch(nil, "SHA256", nil)

    var implementation: OpaquePointer {
        guard let found = self == .sha1 ? Self.fetchedSHA1 : Self.fetchedSHA256 else {
            preconditionFailure("libcrypto offers no \(self): its configuration has disabled it")
        }
        return found
    }
}
