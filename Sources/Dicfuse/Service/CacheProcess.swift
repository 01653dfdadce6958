import CacheProtocol
import Glibc
import LinuxSystem

/// The program `dicfuse-cache`.
///
/// Descriptors it is started with: 2 log lines, 3 a listening SOCK_SEQPACKET socket for the supervisor, 4 the configuration
/// (`CacheConfiguration`, JSON), 5 a FIFO for log lines, which may be missing. It prints `ready` once requests are accepted and ends on SIGTERM, SIGINT or a `shutDown`
/// request with everything stored.
///
/// Exit codes: 0 ended as asked, 1 internal failure, 2 usage or configuration, 4 the store is held by another owner or cannot
/// be used by this user.
public enum CacheProcess {
    private static let listenerFD: Int32 = 3
    private static let configurationFD: Int32 = 4
    private static let linesFD: Int32 = 5

    /// - Parameter arguments: without the program's name.
    public static func run(_ arguments: [String]) -> Int32 {
        if arguments == ["--version"] {
            print(
                "dicfuse-cache \(CacheServer.version) control "
                    + "\(ControlProtocolVersion.oldest)-\(ControlProtocolVersion.newest), "
                    + "workers \(CacheProtocolVersion.oldest)-\(CacheProtocolVersion.newest)")
            return 0
        }
        guard arguments.isEmpty else {
            let usage = Array("dicfuse-cache: takes no argument but --version; antares-supervisor starts it\n".utf8)
            usage.withUnsafeBytes { try? File.write(STDERR_FILENO, $0) }
            return 2
        }
        let log = Log(lines: LineSink(inherited: linesFD))
        raiseFileLimit()
        do throws(SystemError) {
            try Hardening.apply(.cacheOwner)
        } catch {
            log.error("hardening", ["cause": error.description])
            return 1
        }
        // First, so that every thread started later has them blocked.
        guard let signals = try? SignalSource(Signals([SIGTERM, SIGINT])) else {
            log.error("signals", ["cause": "the signals cannot be taken over"])
            return 1
        }
        do {
            let configuration = try readConfiguration()
            let listener = try takeListener()
            return try serve(configuration, listener, signals, log)
        } catch let error as ConfigurationError {
            log.error("configuration", ["cause": error.description])
            return 2
        } catch let error as StoreDirectory.Failure {
            log.error("store", ["cause": error.description])
            return 4
        } catch {
            log.error("start", ["cause": "\(error)"])
            return 1
        }
    }

    private static func serve(
        _ configuration: CacheConfiguration, _ listener: SharedFD, _ signals: SignalSource, _ log: Log
    ) throws -> Int32 {
        let directory = try StoreDirectory.open(configuration.directory)
        if !directory.endedCleanly {
            log.info("unclean-end", ["directory": directory.path, "check": "sizes-on-open"])
        }
        let server = try CacheServer(
            configuration, endedCleanly: directory.endedCleanly, listener: listener, signals: signals, log: log)
        try server.run { log.ready() }
        try directory.markClean()
        log.info("ended")
        return 0
    }

    /// Each answer that waits to be received may hold an object file open.
    private static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static func readConfiguration() throws(ConfigurationError) -> CacheConfiguration {
        let json: [UInt8]
        do throws(SystemError) {
            let file = OwnedFD(taking: configurationFD)
            // Whoever wrote a memfd left its offset at the end.
            try check(lseek(file.raw, 0, SEEK_SET), "lseek")
            json = try File.contents(of: file.raw, "fd 4")
        } catch {
            throw ConfigurationError("the configuration cannot be read from fd 4: \(error)")
        }
        return try CacheConfiguration.parse(json)
    }

    private static func takeListener() throws(ConfigurationError) -> SharedFD {
        var listening: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(listenerFD, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0, listening != 0 else {
            throw ConfigurationError("fd 3 is not a listening socket")
        }
        let listener = OwnedFD(taking: listenerFD)
        do throws(SystemError) {
            // Two threads may be told of one connection; the second must not wait for another one.
            try listener.setNonBlocking(true)
        } catch {
            throw ConfigurationError("fd 3: \(error)")
        }
        return SharedFD(listener)
    }
}
