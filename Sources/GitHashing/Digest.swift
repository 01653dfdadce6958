import CCrypto

/// A digest in the making (EVP_DigestInit(3)). Belongs to one thread at a time.
public struct Digest: ~Copyable {
    private let context: OpaquePointer
    public let algorithm: DigestAlgorithm

    public init(_ algorithm: DigestAlgorithm) {
        // libcrypto fails here only without memory, and then nothing of this process can go on.
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, algorithm.implementation, nil) == 1 else {
            preconditionFailure("libcrypto cannot start a digest")
        }
        self.context = context
        self.algorithm = algorithm
    }

    deinit {
        EVP_MD_CTX_free(self.context)
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        let done = EVP_DigestUpdate(self.context, bytes.baseAddress, bytes.count)
        precondition(done == 1, "libcrypto refused to go on with a digest")
    }

    public mutating func update(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { self.update($0) }
    }

    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { self.update($0) }
    }

    /// The 20 or 32 bytes of the digest.
    public consuming func finish() -> [UInt8] {
        let context = self.context
        return [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, count in
            var length: UInt32 = 0
            let done = EVP_DigestFinal_ex(context, buffer.baseAddress, &length)
            precondition(done == 1, "libcrypto refused to finish a digest")
            count = Int(length)
        }
    }
}

/// SHA-1 of plain bytes, for keys and checksums; object ids come from `ObjectHasher`.
public enum SHA1 {
    public static func digest(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { Self.digest($0) }
    }

    public static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var digest = Digest(.sha1)
        digest.update(bytes)
        return digest.finish()
    }
}

/// SHA-256 of plain bytes, for keys and checksums; object ids come from `ObjectHasher`.
public enum SHA256 {
    public static func digest(_ bytes: [UInt8]) -> [UInt8] {
        bytes.withUnsafeBytes { Self.digest($0) }
    }

    public static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var digest = Digest(.sha256)
        digest.update(bytes)
        return digest.finish()
    }
}
