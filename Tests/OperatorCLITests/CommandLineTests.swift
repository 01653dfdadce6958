import ArgumentParser
import Testing

@testable import OperatorCLI

@Suite struct CommandLineTests {
    @Test func globalOptionsMayComeFirst() {
        func hoisted(_ text: String) -> String {
            GlobalOptions.hoisted(text.split(separator: " ").map(String.init)).joined(separator: " ")
        }
        #expect(hoisted("--json --socket /s list") == "list --json --socket /s")
        #expect(
            hoisted("--socket=/s --timeout 5 run --path / -- x --json")
                == "run --socket=/s --timeout 5 --path / -- x --json")
        #expect(hoisted("list --json") == "list --json")
        #expect(hoisted("--url https://a --ca c --token-file t list") == "list --url https://a --ca c --token-file t")
        #expect(hoisted("--socket /s cache verify") == "cache verify --socket /s")
        #expect(hoisted("--json cache prefetch v1 --wait") == "cache prefetch --json v1 --wait")
        #expect(hoisted("--json cache --help") == "cache --json --help")
        #expect(hoisted("--help") == "--help")
        #expect(hoisted("--json") == "--json")
        #expect(hoisted("--socket") == "--socket")
        #expect(hoisted("") == "")
    }

    @Test func mountTakesEverything() throws {
        let parsed = try Antares.parseAsRoot([
            "mount", "j1", "--path", "/a", "--rev", "v1", "--at", "/builds/1", "--uid", "1000", "--gid", "100",
            "--label",
            "k=v", "--label", "e=a=b", "--origin", "second", "--socket", "/s", "--timeout", "7",
        ])
        let command = try #require(parsed as? MountCommand)
        var expected = MountRequest(path: "/a", job: "j1", revision: "v1", mountpoint: "/builds/1", origin: "second")
        expected.labels = ["k": "v", "e": "a=b"]
        #expect(command.options.request(job: command.job) == expected)
        #expect([command.uid, command.gid] == [1000, 100])
        #expect(command.global.address == .socket("/s"))
        #expect(command.global.timeout == 7)
    }

    @Test(arguments: [
        ["mount", "--label", "novalue"], ["mount", "--uid", "-1"], ["umount"], ["status", "a", "b"], ["nonsense"],
        ["run"], ["run", "make"], ["run", "--json", "--", "x"], ["list", "--timeout", "0"], ["list", "--bogus"],
    ])
    func refuses(arguments: [String]) {
        #expect(throws: (any Error).self) { try Antares.parseAsRoot(arguments) }
    }

    @Test func theCommandOfRunIsItsOwn() throws {
        let parsed = try Antares.parseAsRoot(["run", "--rev", "v1", "--", "make", "--json", "-j8", "--", "x"])
        let command = try #require(parsed as? RunCommand)
        #expect(command.command == ["make", "--json", "-j8", "--", "x"])
        #expect(command.options.rev == "v1")
    }

    @Test(arguments: [
        ("build/app", "build/app", "build/app"), ("./build/app/", "build/app", "build/app"),
        ("a:b", "a", "b"), ("a/b:out/", "a/b", "out/b"), ("a:/abs/x", "a", "/abs/x"), ("a:b:c", "a:b", "c"),
        (".:all", ".", "all"),
    ])
    func outputs(text: String, source: String, destination: String) throws {
        let spec = try OutputSpec(text)
        #expect(spec.source == source)
        #expect(spec.destination == destination)
    }

    @Test(arguments: ["", "/etc/passwd", "../x", "a/../../x", "a:", ":b"]) func badOutputs(text: String) {
        let error = #expect(throws: CLIError.self) { try OutputSpec(text) }
        #expect(error?.exit == .usage)
    }

    @Test func targets() throws {
        #expect(try OutputSpec("a/b").target(in: "/cwd") == ("/cwd/a", "b"))
        #expect(try OutputSpec("a:/x/y").target(in: "/cwd") == ("/x", "y"))
    }

    @Test func exitCodes() {
        let expected: [String: Int32] = [
            "INVALID_REQUEST": 2, "BAD_PAYLOAD": 2, "NOT_FOUND": 5, "PATH_NOT_FOUND": 5, "REVISION_NOT_FOUND": 5,
            "CONFLICT": 3, "ORIGIN_UNREACHABLE": 6, "ORIGIN_CORRUPT": 3, "TIMEOUT": 3, "FUSE_ERROR": 3,
            "INTERNAL_ERROR": 1, "SHUTDOWN": 1, "SOMETHING_NEW": 1,
        ]
        for (code, exit) in expected { #expect(CLIExit(apiCode: code).rawValue == exit) }
    }

    @Test func jobsArePercentEncoded() {
        #expect(SupervisorClient.path(job: "a b/é%..") == "/mounts/by-job/a%20b%2F%C3%A9%25%2E%2E")
        #expect(SupervisorClient.path(job: "plain-Job_1") == "/mounts/by-job/plain-Job_1")
        #expect(SupervisorClient.looksLikeID("824d59b0-1ac2-4415-8248-11688872b341"))
        #expect(!SupervisorClient.looksLikeID("824d59b0-1ac2-4415-8248-11688872b34g"))
        #expect(!SupervisorClient.looksLikeID("job-1"))
    }

    @Test func textForPeople() {
        var table = Table(["A", "LONGER"])
        table.rows = [["wide cell", "x"], ["\u{1B}[31m", "é"]]
        #expect(table.lines == ["A          LONGER", "wide cell  x", "?[31m      é"])
        #expect(Printable.size(1023) == "1023 B")
        #expect(Printable.size(81920) == "80.0 KiB")
        #expect(Printable.size(1 << 50) == "1024.0 TiB")
        #expect(Printable.duration(seconds: 0) == "0s")
        #expect(Printable.duration(seconds: 3700) == "1h 1m")
        #expect(Printable.duration(seconds: 90061) == "1d 1h")
        #expect(Presentation.list([]) == ["no mounts"])
    }
}
