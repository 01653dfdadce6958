import LinuxSystem
import Testing

@testable import Probes

@Suite struct HolderFormatTests {
    static let holder = Holder(
        pid: 12, startTime: 345, uid: 1000, command: "a\tb%\n", use: .descriptor(7), path: "/x y\n\u{e4}")

    @Test func aLineReadsBackAsTheSameHolder() throws {
        let uses: [Holder.Use] = [
            .workingDirectory, .root, .executable, .descriptor(0), .mapping, .namespace, .bindMount, .submount,
        ]
        for use in uses {
            let holder = Holder(pid: 1, startTime: 2, uid: 3, command: "c", use: use, path: "/p")
            let decoded = try #require(HolderLine.decode(HolderLine.encode(holder, target: 4)))
            #expect(decoded.target == 4 && decoded.holder == holder)
        }
        #expect(HolderLine.decode(HolderLine.encode(Self.holder, target: 0))?.holder == Self.holder)
    }

    @Test func whatWasCutOffIsKnownToBeIncomplete() {
        let line = HolderLine.encode(Self.holder, target: 0) + "\n"
        let whole = ProbeMode.parse(Array((line + "end\n").utf8), targets: 1)
        #expect(whole.holders == [[Self.holder]] && whole.isComplete)
        let cut = ProbeMode.parse(Array((line + line.dropLast(5)).utf8), targets: 1)
        #expect(cut.holders == [[Self.holder]] && !cut.isComplete)
        let stranger = ProbeMode.parse(
            Array((HolderLine.encode(Self.holder, target: 9) + "\nnonsense\n").utf8), targets: 1)
        #expect(stranger.holders == [[]] && !stranger.isComplete)
    }

    @Test func readsMaps() throws {
        let map = try #require(
            HolderScan.parse(map: "7f00-7f01 r-xp 00000000 00:2a 42          /m/bin/a b (deleted)"))
        #expect(map.device == DeviceNumber(major: 0, minor: 42) && map.path == "/m/bin/a b (deleted)")
        #expect(HolderScan.parse(map: "7f00-7f01 rw-p 00000000 00:00 0") == nil)
        #expect(HolderScan.parse(map: "7f00-7f01 rw-p 00000000 00:00 0 [heap]") == nil)
    }

    @Test func readsFdinfo() {
        #expect(HolderScan.mountID(fdinfo: "pos:\t0\nflags:\t02\nmnt_id:\t311\nino:\t1\n") == 311)
        #expect(HolderScan.mountID(fdinfo: "pos:\t0\n") == nil)
    }

    @Test func pathsAreToldFromTheMountsRoot() {
        #expect(HolderScan.inside("/m/a/b", "/m/a") == "/b")
        #expect(HolderScan.inside("/m/a", "/m/a") == "/")
        #expect(HolderScan.inside("/m/ab", "/m/a") == "/m/ab")
    }

    @Test func targetsReadBack() {
        let target = HolderScan.Target(device: DeviceNumber(major: 0, minor: 55), tableID: 91)
        #expect(HolderScan.Target(argument: target.argument) == target)
        for text in ["", "1:2", "1/2", "a:b/c", "1:2/3/4"] { #expect(HolderScan.Target(argument: text) == nil) }
    }
}
