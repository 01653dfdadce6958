import Glibc
import Testing

@testable import LinuxSystem

@Suite struct ProjectQuotaTests {
    /// Whether the directory for temporary files is on a filesystem that enforces limits of projects; `scripts/verify-quota` has one.
    private static let hasQuota =
        getuid() == 0
        && (try? ProjectQuota(at: getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp").isEnforced()) == true
    private static let project: UInt32 = 0x40FF_0001

    private func assign(_ project: UInt32, to path: String) throws {
        let directory = try File.open(path, O_RDONLY | O_DIRECTORY)
        try ProjectQuota.assign(project, to: directory.raw)
    }

    @Test(.enabled(if: getuid() == 0, "asks for what only root may know")) func whereThereIsNoneItSaysSo() throws {
        #expect(try !ProjectQuota(at: "/proc").isEnforced())
        #expect(try !ProjectQuota(at: "/sys").isEnforced())
        #expect(systemError { _ = try ProjectQuota(at: "/nonexistent").isEnforced() }?.errno == .notFound)
    }

    @Test(.enabled(if: hasQuota, "no project quota here")) func whatIsInADirectoryCounts() throws {
        let directory = try TemporaryDirectory()
        let quota = ProjectQuota(at: directory.path)
        let place = try directory.directory("limited")
        #expect(try ProjectQuota.project(of: place) == 0)
        try assign(Self.project, to: place)
        #expect(try ProjectQuota.project(of: place) == Self.project)
        let inner = try directory.directory("limited/inner")
        #expect(try ProjectQuota.project(of: inner) == Self.project)
        #expect(try quota.state(of: Self.project).inodes == 2)
        #expect(try quota.state(of: Self.project + 1) == ProjectQuota.State())
        let file = try directory.file("limited/inner/file", String(repeating: "x", count: 100_000))
        let written = try File.open(file, O_RDONLY)
        try check(fsync(written.raw), "fsync")
        let state = try quota.state(of: Self.project)
        #expect(state.inodes == 3 && (100_000..<200_000).contains(state.bytes), "\(state)")
    }

    /// Root is not held to limits by ext4, so somebody else writes.
    @Test(.enabled(if: hasQuota, "no project quota here")) func whoGoesBeyondTheLimitIsRefused() throws {
        let directory = try TemporaryDirectory()
        try check(chmod(directory.path, 0o755), "chmod")
        let quota = ProjectQuota(at: directory.path)
        let place = try directory.directory("limited")
        try check(chown(place, 64_777, 64_777), "chown")
        try assign(Self.project + 2, to: place)
        try quota.limit(Self.project + 2, bytes: 2 << 20, inodes: 10)
        let limited = try quota.state(of: Self.project + 2)
        #expect(limited.byteLimit == 2 << 20 && limited.inodeLimit == 10)
        #expect(try quota.state(of: Self.project + 3).byteLimit == 0)

        func attempt(_ command: String) throws -> String {
            let arguments = [
                "--reuid=64777", "--regid=64777", "--clear-groups", "/bin/bash", "-c",
                "exec 2>&1; cd '\(place)'; " + command,
            ]
            let output = try DisposableChild("/usr/bin/setpriv", arguments, until: .after(.seconds(60))).finish()
            return String(decoding: output.bytes, as: UTF8.self)
        }
        func isRefusal(_ text: String) -> Bool {
            text.contains("Disk quota exceeded") || text.contains("No space left on device")
        }
        let big = try attempt("head -c 4M /dev/zero >big; stat -c 'size %s' big")
        #expect(isRefusal(big) && !big.contains("size 4194304"), "\(big)")
        #expect(isRefusal(try attempt("rm big; for n in {1..20}; do : >$n; done")))
        let room = try attempt("stat -f -c '%b %S %c' .").split { !$0.isNumber }.compactMap { UInt64($0) }
        #expect(room.count == 3 && room[0] * room[1] == 2 << 20 && room[2] == 10, "\(room)")

        // Into another project nothing moves.
        let elsewhere = try directory.directory("elsewhere")
        try assign(Self.project + 3, to: elsewhere)
        #expect(rename(place + "/1", elsewhere + "/1") == -1 && Errno.current == .crossDevice)

        try quota.limit(Self.project + 2, bytes: 0, inodes: 0)
        #expect(try attempt("head -c 4M /dev/zero >big; stat -c 'size %s' big") == "size 4194304\n")
    }
}
