import Glibc
import LinuxSystem

/// Whether somebody listens where the origins are said to be. Never more than a warning: what is cached can be served without them.
enum OriginChecks {
    static func all(_ configuration: SupervisorConfiguration, timeout: Duration) -> [Check] {
        let deadline = Deadline.after(timeout)
        if configuration.origins.isEmpty {
            return [
                Check("origin", .warning, "none is configured, so nothing can be mounted", fix: "add [origins.NAME]")
            ]
        }
        return configuration.origins.map { origin in
            let name = "origin \(origin.name)"
            guard let (host, port) = address(of: origin.url) else {
                return Check(name, .warning, "\(origin.url) has no host", fix: "correct its url")
            }
            guard let problem = problem(host, port, until: deadline) else {
                return .ok(name, "\(origin.url) is reachable")
            }
            return Check(
                name, .warning, "\(origin.url) cannot be reached: \(problem)",
                fix: "start it, or correct its url and the network")
        }
    }

    static func address(of url: String) -> (host: String, port: String)? {
        let (scheme, standard) = url.hasPrefix("https://") ? ("https://", "443") : ("http://", "80")
        guard url.hasPrefix(scheme) else { return nil }
        let authority = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
        let named = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        if named.hasPrefix("["), let end = named.firstIndex(of: "]") {
            let rest = named[named.index(after: end)...].drop { $0 == ":" }
            return (String(named[..<end].dropFirst()), rest.isEmpty ? standard : String(rest))
        }
        let parts = named.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, !host.isEmpty, parts.count <= 2 else { return nil }
        return (String(host), parts.count == 2 ? String(parts[1]) : standard)
    }

    /// Resolving a name has no deadline of its own, so a thread does it that is left behind if it takes too long.
    private static func problem(_ host: String, _ port: String, until deadline: Deadline) -> String? {
        let result = Guarded<String?>(nil)
        let thread = try? SystemThread.start(name: "origin-check") {
            let problem = connect(host, port, until: deadline)
            result.with { $0 = problem ?? "" }
        }
        thread?.detach()
        while !deadline.hasPassed {
            if let problem = result.with({ $0 }) { return problem.isEmpty ? nil : problem }
            usleep(2000)
        }
        return "no answer in time"
    }

    private static func connect(_ host: String, _ port: String, until deadline: Deadline) -> String? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let failure = getaddrinfo(host, port, &hints, &list)
        guard failure == 0, let list else { return String(cString: gai_strerror(failure)) }
        defer { freeaddrinfo(list) }
        var last = Errno.notFound
        var next: UnsafeMutablePointer<addrinfo>? = list
        while let address = next {
            next = address.pointee.ai_next
            let number = socket(address.pointee.ai_family, address.pointee.ai_socktype | O_NONBLOCK | O_CLOEXEC, 0)
            guard number >= 0 else { continue }
            let fd = OwnedFD(taking: number)
            if Glibc.connect(fd.raw, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 { return nil }
            last = Errno.current
            guard last.rawValue == EINPROGRESS else { continue }
            var entry = pollfd(fd: fd.raw, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, deadline.pollTimeout) > 0 else { return Errno.timedOut.description }
            var error: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(fd.raw, SOL_SOCKET, SO_ERROR, &error, &size)
            if error == 0 { return nil }
            last = Errno(rawValue: error)
        }
        return last.description
    }
}
