import Glibc
import LinuxSystem
import NIOCore
import NIOSSL
import Supervision

/// The certificate and the key that the API over TCP shows. They can be read again while it is served: that is how they are renewed.
final class TLSIdentity: Sendable {
    /// Bytes of each of the two files.
    static let maximumFile = 1 << 20

    private let certificate: String
    private let key: String
    private let state: Guarded<NIOSSLContext>

    /// What new connections are shown.
    var context: NIOSSLContext {
        state.with { $0 }
    }

    /// Throws `.configuration` if a file cannot be used, or the key is another certificate's.
    init(certificate: String, key: String) throws(OperatorAPIError) {
        self.certificate = certificate
        self.key = key
        state = Guarded(try Self.load(certificate, key))
    }

    /// Nil if the configuration has none.
    convenience init?(_ configuration: SupervisorConfiguration) throws(OperatorAPIError) {
        guard let certificate = configuration.tlsCertificate, let key = configuration.tlsKey else { return nil }
        try self.init(certificate: certificate, key: key)
    }

    /// Reads both files again, for connections from now on. Throws as `init`; then everything stays as it was.
    func reload() throws(OperatorAPIError) {
        let new = try Self.load(certificate, key)
        state.with { $0 = new }
    }

    private static func load(_ certificate: String, _ key: String) throws(OperatorAPIError) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        let privateKey: NIOSSLPrivateKey
        switch (readChain(certificate), readKey(key)) {
        case (.success(let certificates), .success(let secret)): (chain, privateKey) = (certificates, secret)
        case (.failure(let error), .success), (.success, .failure(let error)): throw error
        case (.failure(let one), .failure(let other)):
            throw OperatorAPIError(.configuration, "\(one.message)\n\(other.message)")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        // For a client that does not answer the end of its connection.
        configuration.shutdownTimeout = .seconds(1)
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw unusable("tls_key", key, "does not belong to the certificate in \(certificate)")
        }
    }

    private static func readChain(_ path: String) -> Result<[NIOSSLCertificate], OperatorAPIError> {
        Result { () throws(OperatorAPIError) in
            let text = try contents("tls_certificate", path, isSecret: false)
            guard let chain = try? NIOSSLCertificate.fromPEMBytes(text) else {
                throw unusable("tls_certificate", path, "is no certificate in PEM")
            }
            if chain.isEmpty { throw unusable("tls_certificate", path, "there is no certificate in it") }
            return chain
        }
    }

    private static func readKey(_ path: String) -> Result<NIOSSLPrivateKey, OperatorAPIError> {
        Result { () throws(OperatorAPIError) in
            let text = try contents("tls_key", path, isSecret: true)
            do {
                // Without a callback the library would ask for a passphrase on the terminal.
                return try NIOSSLPrivateKey(bytes: text, format: .pem) {
                    (setter: NIOSSLPassphraseSetter<[UInt8]>) in
                    setter([])
                }
            } catch {
                throw unusable("tls_key", path, "is no private key in PEM without a passphrase")
            }
        }
    }

    private static func contents(_ name: String, _ path: String, isSecret: Bool) throws(OperatorAPIError) -> [UInt8] {
        let bytes: [UInt8]
        let mode: UInt32
        do throws(SystemError) {
            let file = try File.regular(path, limit: maximumFile)
            (bytes, mode) = (file.bytes, file.status.mode)
        } catch {
            throw unusable(name, path, error.detail.isEmpty ? "\(error.errno)" : error.detail)
        }
        if isSecret, mode & 0o077 != 0 {
            throw unusable(name, path, "others than its owner may use it; chmod 600 \(path)")
        }
        return bytes
    }

    private static func unusable(_ name: String, _ path: String, _ reason: String) -> OperatorAPIError {
        OperatorAPIError(.configuration, "\(name) \(path): \(reason)")
    }
}
