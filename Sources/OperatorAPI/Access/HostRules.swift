/// By which names the API may be called over TCP.
///
/// A page in a browser can make a name of its own resolve to 127.0.0.1 (DNS rebinding); then the browser sends that name as Host, and the
/// page's address as Origin. So both are looked at.
struct HostRules: Hashable, Sendable {
    private let names: Set<String>

    init(listen: String, allowed: [String]) {
        names = Set(["localhost", "127.0.0.1", "::1", Self.name(of: listen)] + allowed.map { $0.lowercased() })
    }

    /// - Parameters:
    ///   - host: the Host header, with a port or without; nil if there was none.
    ///   - origin: the Origin header, which only browsers send.
    func allow(host: String?, origin: String?) -> Bool {
        guard let host, names.contains(Self.name(of: host)) else { return false }
        guard let origin else { return true }
        guard let authority = Self.authority(ofOrigin: origin) else { return false }
        return names.contains(Self.name(of: authority))
    }

    /// `HTTP` origins only; `null` is that of a page without one.
    private static func authority(ofOrigin origin: String) -> String? {
        for scheme in ["http://", "https://"] where origin.lowercased().hasPrefix(scheme) {
            return String(origin.dropFirst(scheme.count))
        }
        return nil
    }

    /// The host of `HOST` or `HOST:PORT`, without the brackets of an IPv6 address.
    private static func name(of authority: String) -> String {
        let text = authority.lowercased()
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            return String(text[text.index(after: text.startIndex)..<end])
        }
        guard let colon = text.lastIndex(of: ":"), text[text.index(after: colon)...].allSatisfy(\.isNumber) else {
            return text
        }
        return String(text[..<colon])
    }
}
