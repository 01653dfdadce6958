import Glibc
import LinuxSystem
import Testing

@testable import Supervision

@Suite struct CheckTests {
    @Test func listenersAreFoundByPortAndAddress() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000
               1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000
               2: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000
            """
        #expect(AddressChecks.listeners(on: 8080, host: "127.0.0.1", in: table) == [4711])
        #expect(AddressChecks.listeners(on: 8080, host: "localhost", in: table) == [4711])
        #expect(AddressChecks.listeners(on: 8080, host: "127.0.0.2", in: table) == [], "another address")
        #expect(AddressChecks.listeners(on: 8081, host: "127.0.0.2", in: table) == [4712], "every address")
    }

    @Test func originsHaveAddresses() {
        func text(_ url: String) -> String? { OriginChecks.address(of: url).map { "\($0.host) \($0.port)" } }
        #expect(text("http://h:8000/x") == "h 8000")
        #expect(text("https://h") == "h 443")
        #expect(text("http://u:p@h/") == "h 80")
        #expect(text("http://[::1]:81") == "::1 81")
        #expect(text("ftp://h") == nil)
    }

    @Test func missingCapabilitiesAreNamed() {
        #expect(PrivilegeChecks.capabilities(status: "CapEff:\t000001ffffffffff\n").outcome == .ok)
        let check = PrivilegeChecks.capabilities(status: "CapEff:\t000001ffffdfffff\n")
        #expect(check.outcome == .failure && check.what.contains("CAP_SYS_ADMIN") && !check.fix.isEmpty)
    }

    @Test func processorsThatHaltAtOnceAreAWarning() {
        let check = KernelChecks.idle(governor: "haltpoll", polling: "0")
        #expect(check?.outcome == .warning && check?.fix.contains("guest_halt_poll_ns") == true)
        #expect(KernelChecks.idle(governor: "haltpoll", polling: "200000")?.outcome == .ok)
        #expect(KernelChecks.idle(governor: "haltpoll", polling: nil) == nil)
        #expect(KernelChecks.idle(governor: "haltpoll", polling: "?") == nil)
        #expect(KernelChecks.idle(governor: "menu", polling: "0") == nil, "the parameter is there and means nothing")
        #expect(KernelChecks.idle(governor: nil, polling: nil) == nil)
    }

    @Test func littleRoomIsAWarning() {
        let low = DirectoryChecks.judge(.init(bytes: 1 << 20, inodes: 1 << 20), "x", "/x")
        #expect(low.outcome == .warning)
        #expect(DirectoryChecks.judge(.init(bytes: 1 << 40, inodes: 5), "x", "/x").outcome == .warning)
        #expect(DirectoryChecks.judge(.init(bytes: 1 << 40, inodes: nil), "x", "/x").outcome == .ok)
    }

    @Test func everythingWrongIsToldAtOnce() throws {
        var configuration = SupervisorConfiguration()
        configuration.workerProgram = "/nonexistent/worker"
        configuration.cacheProgram = "/nonexistent/cache"
        configuration.workerUser = "antares-no-such-user"
        configuration.cacheUser = "0"
        configuration.upperRoot = "/proc"
        let failures = Preflight.checks(configuration).filter { $0.outcome == .failure }
        for name in ["antares-worker", "dicfuse-cache", "worker_user", "[cache] user"] {
            #expect(failures.contains { $0.name == name && !$0.fix.isEmpty }, "\(name) in \(failures)")
        }
        #expect(Preflight.checks(configuration).contains { $0.name == "origin" && $0.outcome == .warning })
    }

    @Test(.enabled(if: geteuid() == 0, "looks at what only root may know"))
    func directoriesHaveLimitsOnlyWhereTheFilesystemHoldsThem() {
        var configuration = SupervisorConfiguration()
        configuration.upperRoot = "/proc/none"
        #expect(!DirectoryChecks.all(configuration).contains { $0.name == "upper quota" })
        configuration.upperStorage.bytes = 1 << 30
        let check = DirectoryChecks.all(configuration).first { $0.name == "upper quota" }
        #expect(check?.outcome == .failure && check?.fix.contains("prjquota") == true, "\(String(describing: check))")
        configuration.upperStorage = UpperStorage(kind: .tmpfs, bytes: 1 << 30)
        #expect(!DirectoryChecks.all(configuration).contains { $0.name == "upper quota" })
    }

    @Test func aTakenLockNamesItsHolder() throws {
        let directory = "/tmp/antares-check-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Directory.create(directory)
        defer {
            unlink(directory + "/lock")
            rmdir(directory)
        }
        let lock = try LockFile(directory + "/lock", name: "another")
        var configuration = SupervisorConfiguration()
        configuration.runDirectory = directory
        configuration.socket = directory + "/none.sock"
        let taken = AddressChecks.all(configuration, runningPID: nil)
        #expect(taken.contains { $0.name == "lock" && $0.outcome == .failure && $0.what.contains("pid \(getpid()) ") })
        #expect(AddressChecks.all(configuration, runningPID: getpid()).allSatisfy { $0.outcome == .ok })
        _ = lock
    }
}
