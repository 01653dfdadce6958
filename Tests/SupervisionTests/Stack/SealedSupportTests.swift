import Glibc
import LinuxSystem
import Testing

@testable import Supervision

@Suite(.serialized, .enabled(if: getuid() == 0)) struct SealedSupportTests {
    @Test func thisMachineMountsSealedSnapshots() throws {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        #expect(throws: Never.self) { try SealedSupport.probe(directory: base) }
        #expect(try !Directory.names(base).contains { $0.starts(with: Array("sealed-probe".utf8)) })
    }

    @Test func theDoctorSaysWhatIsLostWithoutThem() throws {
        var configuration = SupervisorConfiguration()
        configuration.cacheDirectory = "/dev/shm/antares/not/there/yet"
        let check = try #require(KernelChecks.sealed(configuration))
        #expect(check.outcome == .warning && check.what.contains("lazy") && !check.fix.isEmpty)
        configuration.cacheDirectory = "/var/tmp"
        #expect(KernelChecks.sealed(configuration)?.outcome == .ok)
        configuration.seal = false
        #expect(KernelChecks.sealed(configuration) == nil)
    }

    @Test func aFilesystemWithoutAPageCacheOfItsOwnIsRefused() throws {
        // /dev/shm is a tmpfs: ENOTBLK.
        #expect(throws: SystemError.self) { try SealedSupport.probe(directory: "/dev/shm") }
    }
}

@Suite struct RecentlyUsedTests {
    @Test func forgetsWhatWasUsedLongestAgo() {
        var values = RecentlyUsed<Int, String>(limit: 2)
        #expect(values.keep("a", for: 1) == "a")
        #expect(values.keep("b", for: 2) == "b")
        #expect(values.use(1) == "a")
        #expect(values.keep("c", for: 3) == "c")
        #expect(values.use(2) == nil)
        #expect(values.use(1) == "a")
        #expect(values.count == 2)
    }

    @Test func keepsTheFirst() {
        var values = RecentlyUsed<Int, String>(limit: 2)
        _ = values.keep("a", for: 1)
        #expect(values.keep("b", for: 1) == "a")
    }
}
