import Glibc

/// A host as requests name it in Host and Origin, without the port.
enum HostName {
    /// What is wrong with one; nil if nothing is.
    static func problem(of text: String) -> String? {
        if isName(text) || isAddress(text) { return nil }
        return
            "`\(text)` is no host: write a bare name or address, such as \"farm.example\" or \"2001:db8::1\", without scheme, "
            + "port, brackets or wildcard"
    }

    /// Names in other alphabets travel as ASCII, too (`xn--…`).
    private static func isName(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return labels.allSatisfy { label in
            !label.isEmpty && label.utf8.allSatisfy { Unicode.Scalar($0).isNameCharacter }
        }
    }

    private static func isAddress(_ text: String) -> Bool {
        var address = in6_addr()
        return !text.utf8.contains(0) && inet_pton(AF_INET6, text, &address) == 1
    }
}

extension Unicode.Scalar {
    fileprivate var isNameCharacter: Bool {
        switch self {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
        default: false
        }
    }
}
