import Glibc
import LinuxSystem
import Testing

@testable import Supervision

@Suite struct RequestRulesTests {
    static func configuration() -> SupervisorConfiguration {
        var configuration = SupervisorConfiguration()
        configuration.mountRoot = "/run/a/mnt"
        configuration.mountpointRoots = ["/builds", "/builds/special"]
        configuration.origins = [OriginConfiguration(name: "main", url: "http://127.0.0.1:1")]
        return configuration
    }

    @Test(arguments: [("/", "/"), ("", nil), ("a//b/", "/a/b"), ("/a/../b", nil), ("/a/./b", nil), ("///", "/")])
    func pathsHaveOneForm(given: String, expected: String?) {
        let result = try? RequestRules.normalised(MountRequest(path: given))
        #expect(result?.path == expected)
    }

    @Test func blankNamesAreNone() throws {
        let result = try RequestRules.normalised(MountRequest(path: "/", jobID: "   ", buildID: " b1 "))
        #expect(result.jobID == nil)
        #expect(result.jobKey == "b1")
    }

    @Test(arguments: ["-x", "a..b", "a b", "HEAD~1", "HEAD^", "x@{1}", "a:b", "a\u{7}"])
    func revisionsThatGitWouldInterpretAreRefused(revision: String) {
        #expect(throws: SupervisorError.self) {
            try RequestRules.normalised(MountRequest(path: "/", revision: revision))
        }
    }

    @Test func theMountpointIsTheIDUnlessAskedFor() throws {
        let id = MountID.random()
        let mountpoint = try RequestRules.mountpoint(of: MountRequest(path: "/"), id, Self.configuration())
        #expect(mountpoint.path == "/run/a/mnt/\(id)")
    }

    @Test(arguments: [
        ("/builds/x", "/builds"), ("/builds/special/x/y", "/builds/special"), ("/run/a/mnt/x", "/run/a/mnt"),
        ("/builds", nil), ("/builds/", nil), ("/builds/../etc", nil), ("/etc/x", nil), ("builds/x", nil),
        ("/builds//x", nil), ("/buildsx/y", nil),
    ])
    func mountpointsLieBelowARoot(wanted: String, root: String?) {
        let request = MountRequest(path: "/", mountpoint: wanted)
        let mountpoint = try? RequestRules.mountpoint(of: request, .random(), Self.configuration())
        #expect(mountpoint?.root == root)
        if root != nil { #expect(mountpoint?.path == wanted) }
    }

    @Test func anOriginMustBeConfigured() {
        let configuration = Self.configuration()
        #expect((try? RequestRules.origin(of: MountRequest(path: "/"), configuration)) == "main")
        #expect(throws: SupervisorError.self) {
            try RequestRules.origin(of: MountRequest(path: "/", origin: "other"), configuration)
        }
    }

    @Test func changelistsHaveNamesAndPlaces() throws {
        func normalised(_ changelist: ChangelistRequest, _ revision: String? = nil) throws -> ChangelistRequest? {
            try RequestRules.normalised(MountRequest(path: "/", revision: revision, changelist: changelist)).changelist
        }
        #expect(try normalised(ChangelistRequest(name: "ABC12345")) == ChangelistRequest(name: "ABC12345"))
        #expect(try normalised(ChangelistRequest(name: "A", path: "a//b/"))?.path == "/a/b")
        #expect(try normalised(ChangelistRequest(name: "A"), "v1") == ChangelistRequest(name: "A"))
        for (changelist, revision) in [
            (ChangelistRequest(name: ""), nil), (ChangelistRequest(name: ".."), nil),
            (ChangelistRequest(name: "a\nb"), nil),
            (ChangelistRequest(name: String(repeating: "x", count: 256)), nil),
            (ChangelistRequest(name: "A", path: "/a/../b"), nil), (ChangelistRequest(name: "A", path: ""), nil),
            (ChangelistRequest(name: "A", base: .own), "v1"),
        ] {
            let error = #expect(throws: SupervisorError.self) { try normalised(changelist, revision) }
            #expect(error?.code == .invalidRequest)
        }
    }

    @Test func severalOriginsWithoutADefaultMustBeNamed() {
        var configuration = Self.configuration()
        configuration.origins.append(OriginConfiguration(name: "second", url: "http://127.0.0.1:2"))
        #expect(throws: SupervisorError.self) {
            try RequestRules.origin(of: MountRequest(path: "/"), configuration)
        }
    }
}

@Suite struct MountIDTests {
    @Test func randomIDsAreUUIDsOfVersion4() throws {
        for _ in 0..<100 {
            let text = MountID.random().rawValue
            #expect(MountID(rawValue: text)?.rawValue == text)
            #expect(Array(text)[14] == "4")
            #expect("89ab".contains(Array(text)[19]))
        }
    }

    @Test(arguments: ["", "x", "../../etc/passwd", "0123456789abcdef0123456789abcdef0123"])
    func otherTextIsNone(text: String) {
        #expect(MountID(rawValue: text) == nil)
    }
}

@Suite struct PreflightTests {
    @Test(.enabled(if: getuid() == 0, "mounting needs root"))
    func thisKernelStacksOverlaysOnDetachedMounts() throws {
        let before = try MountTable.current().filter { $0.type == "overlay" }
        try KernelChecks.probeOverlay()
        #expect(try MountTable.current().filter { $0.type == "overlay" } == before)
    }

    @Test(arguments: [
        ("6.12.0", true), ("6.18.44-x", true), ("7.0", true), ("6.11.9", false), ("5.15", false), ("?", false),
    ])
    func kernelsFrom6_12AreAccepted(release: String, accepted: Bool) {
        #expect((KernelChecks.kernelProblem(release: release) == nil) == accepted)
    }
}
