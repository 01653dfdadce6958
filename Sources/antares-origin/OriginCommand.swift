import ArgumentParser
import CommandUsage
import Glibc
import LinuxSystem
import Logging
import OriginServer

/// What the project's programs end with.
enum ExitCode {
    static let `internal`: Int32 = 1
    static let usage: Int32 = 2
    static let bind: Int32 = 4
}

enum Terminal {
    static func write(_ text: String, to fd: Int32 = 2) {
        Array((text.hasSuffix("\n") ? text : text + "\n").utf8).withUnsafeBytes { bytes in
            _ = try? File.write(fd, bytes)
        }
    }
}

struct OriginCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "antares-origin",
        abstract: "Serves a Git repository, read-only, over the Mega HTTP API.",
        discussion: """
            Says `listening on http://HOST:PORT` on standard error once it serves. SIGTERM and SIGINT end it.
            Exit codes: 0 ended by a signal, 1 internal, 2 usage or repository or git unusable, 4 cannot listen.
            """,
        examples: [
            "antares-origin --repo . --listen 127.0.0.1:8000",
            "antares-origin --repo /srv/git/mono.git --listen 0.0.0.0:8000 --cl MINE=main..fix",
        ])

    @Option(help: "A bare repository, a work tree or a .git directory.")
    var repo: String

    @Option(
        help: ArgumentHelp("Address to listen on; port 0 lets the kernel choose.", valueName: "HOST:PORT"),
        transform: { text in
            guard let address = ListenAddress(text) else {
                throw ValidationError("write it as HOST:PORT, like 127.0.0.1:8000 or [::1]:8000")
            }
            return address
        })
    var listen: ListenAddress

    @Flag(help: "Behave as a published Mega server does: no extensions, ranges or caching.")
    var strictMega = false

    @Option(help: "The git program to use instead of the one in PATH.")
    var git: String?

    @Option(
        name: .customLong("cl"),
        help: ArgumentHelp(
            "A changelist to serve, besides refs/cl/*; may be repeated.", valueName: "NAME=BASE..TIP"),
        transform: { text in
            guard let range = ChangelistRange(text: text) else {
                throw ValidationError("write it as NAME=BASE..TIP, like MINE=main..fix")
            }
            return range
        })
    var changelists: [ChangelistRange] = []

    /// Serves until a signal comes; does not return.
    func serve() -> Never {
        let signals: Signals
        do {
            // Before any thread starts, so that all have them blocked.
            signals = try Signals([SIGTERM, SIGINT])
        } catch {
            fail(ExitCode.internal, "\(error)")
        }
        var limits = OriginConfiguration.Limits()
        limits.connections = max(16, min(limits.connections, raisedFileLimit() - limits.reservedFiles))
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "antares-origin")
        logger.logLevel = .warning

        let origin: Origin
        do {
            origin = try Origin(
                OriginConfiguration(
                    repository: self.repo, host: self.listen.host, port: self.listen.port, strictMega: self.strictMega,
                    git: self.git, limits: limits, changelists: self.changelists),
                logger: logger)
        } catch {
            fail(error.code == .gitFailed ? ExitCode.internal : ExitCode.usage, "\(error)")
        }

        let address = self.listen
        Task.detached {
            do throws(OriginError) {
                try await origin.run { port in
                    Terminal.write("listening on http://\(address.text(port: port))")
                }
            } catch {
                let codes: [OriginError.Code: Int32] = [.bindFailed: ExitCode.bind, .noChangelist: ExitCode.usage]
                fail(codes[error.code] ?? ExitCode.internal, "\(error)")
            }
        }
        waitForSignal(signals)
        // Nothing here has to be saved, and git ends when its input does: an orderly end would only wait for slow clients.
        // At once, past the exit handlers: they would tear down what other threads still use.
        _exit(0)
    }
}

/// Descriptors this process may open, after raising the soft limit (mostly 1024) to the hard one.
private func raisedFileLimit() -> Int {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(resource, &limit) == 0 else { return 1024 }
    limit.rlim_cur = limit.rlim_max
    if setrlimit(resource, &limit) != 0 { getrlimit(resource, &limit) }
    return Int(clamping: limit.rlim_cur)
}

private func waitForSignal(_ signals: borrowing Signals) {
    while true {
        var polled = pollfd(fd: signals.raw, events: Int16(POLLIN), revents: 0)
        _ = poll(&polled, 1, -1)
        if let signal = try? signals.next(), signal > 0 { return }
    }
}

private func fail(_ code: Int32, _ message: String) -> Never {
    Terminal.write("antares-origin: \(message)")
    exit(code)
}

/// `HOST:PORT`; an IPv6 address stands in brackets.
struct ListenAddress {
    let host: String
    let port: Int

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
    }

    func text(port: Int) -> String {
        self.host.contains(":") ? "[\(self.host)]:\(port)" : "\(self.host):\(port)"
    }
}
