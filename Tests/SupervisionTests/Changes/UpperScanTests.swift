import Glibc
import LinuxSystem
import Testing

@testable import Supervision

@Suite(.enabled(if: geteuid() == 0, "overlays are for root")) struct UpperScanTests {
    private func rig(_ script: String) throws -> OverlayRig {
        let rig = try OverlayRig { path in try check(mkdir(path + "/d", 0o755), "mkdir") }
        try rig.run(script)
        return rig
    }

    @Test func endsAtItsLimits() throws {
        let rig = try rig("for i in 1 2 3 4 5 6 7 8 9; do echo x >d/$i; done")
        func scan(_ limits: UpperScan.Limits, _ deadline: Deadline = .never) throws(SystemError) -> Int {
            try UpperScan(of: rig.upper.raw, withMetacopies: false, limits: limits, deadline: deadline).entries.count
        }
        #expect(try scan(UpperScan.Limits(entries: 11)) == 11)
        #expect(throws: SystemError.self) { try scan(UpperScan.Limits(entries: 10)) }
        #expect(try scan(UpperScan.Limits(pathBytes: 2 + 9 * 3)) == 11)
        #expect(throws: SystemError.self) { try scan(UpperScan.Limits(pathBytes: 1 + 9 * 3)) }
        let late = #expect(throws: SystemError.self) { try scan(UpperScan.Limits(), .now) }
        #expect(late?.errno == .timedOut)
    }

    /// Nobody can open such a path at once; a job that changes its directory step by step can make it.
    @Test func aPathWithoutEndIsAnError() throws {
        let name = String(repeating: "n", count: 200)
        let rig = try rig("i=0; while [ $i -lt 24 ]; do mkdir \(name); cd -P \(name); i=$((i + 1)); done")
        let error = #expect(throws: SystemError.self) {
            try UpperScan(of: rig.upper.raw, withMetacopies: false, deadline: .never)
        }
        #expect(error?.errno == .nameTooLong)
    }

    @Test func leavesLinksAndDevicesAlone() throws {
        let rig = try rig("ln -s /etc l; ln -s ../.. d/up; mkfifo p; rm -r d; mkdir d; ln -s / d/root")
        let scan = try UpperScan(of: rig.upper.raw, withMetacopies: true, deadline: .never)
        let found = scan.entries.indices.dropFirst().map { String(decoding: scan.path(of: $0), as: UTF8.self) }
        #expect(found == ["d", "l", "p", "d/root"])
        #expect(scan.entries[1].directory?.isOpaque == true)
        #expect(scan.entries[2].kind == .symlink(size: 4) && scan.entries[3].kind == .other)
    }
}
