import Glibc
import LinuxSystem

/// Where a supervisor is asked.
enum SupervisorAddress: Hashable, CustomStringConvertible {
    /// The unix socket of one on this machine.
    case socket(String)
    /// `https://HOST:PORT` of one anywhere, or `http://` of one on this machine.
    case network(url: String, caFile: String?, tokenFile: String?)

    var description: String {
        switch self {
        case .socket(let path): path
        case .network(let url, _, _): url
        }
    }

    /// What is wrong with a URL; nil if nothing is.
    static func problem(ofURL url: String) -> String? {
        guard let scheme = ["https://", "http://"].first(where: url.lowercased().hasPrefix) else {
            return "`\(url)` must begin with https:// or http://"
        }
        let authority = url.dropFirst(scheme.count)
        if authority.isEmpty || authority.contains(where: { "/?#@".contains($0) })
            || authority.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7F })
        {
            return "`\(url)` is not \(scheme)HOST:PORT"
        }
        let host =
            authority.hasPrefix("[") ? authority.prefix { $0 != "]" }.dropFirst() : authority.prefix { $0 != ":" }
        let isHere = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        if scheme == "http://", !isHere {
            return "a token must not travel in the clear: use https:// for \(host)"
        }
        return nil
    }

    /// Throws if the CAs that were named cannot be read: of that libcurl only says that the certificate is not trusted.
    func checkCAs() throws(CLIError) {
        guard case .network(let url, let file?, _) = self, !Self.isPlain(url) else { return }
        if access(file, R_OK) == 0 { return }
        throw CLIError(
            .usage, "the CAs cannot be read: \(file): \(Errno.current); name a PEM file with --ca or ANTARES_CA_FILE")
    }

    /// Whether a URL is one without TLS.
    static func isPlain(_ url: String) -> Bool {
        url.lowercased().hasPrefix("http://")
    }

    /// The token to show; nil if none is needed.
    func token() throws(CLIError) -> String? {
        guard case .network(_, _, let file?) = self else { return nil }
        let text: String
        let mode: UInt32
        do throws(SystemError) {
            let read = try File.regular(file, limit: 4096)
            (text, mode) = (String(decoding: read.bytes, as: UTF8.self), read.status.mode)
        } catch {
            throw CLIError(
                .usage, "the token cannot be read: \(file): \(error.detail.isEmpty ? "\(error.errno)" : error.detail)")
        }
        if mode & 0o077 != 0 {
            throw CLIError(.usage, "\(file): others than its owner may use it; chmod 600 \(file)")
        }
        // Of a line of the supervisor's own file, the token is the first word.
        let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("#") }
        guard let word = lines.first?.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" }).first else {
            throw CLIError(.usage, "there is no token in \(file)")
        }
        return String(word)
    }
}
