import ArgumentParser
import CommandUsage
import LinuxSystem
import SupervisorConfig
import Testing

@testable import OperatorCLI

/// What somebody reads who does not know a command, or got it wrong.
@Suite(.timeLimit(.minutes(2))) struct UsageTests {
    private struct Wrong: Sendable {
        let arguments: [String]
        let line: String

        init(_ arguments: String, _ line: String) {
            self.arguments = arguments.split(separator: " ").map(String.init)
            self.line = line
        }
    }

    private static let wrong = [
        Wrong(
            "list --foromat x",
            "unknown option '--foromat' for 'list'; see 'antares list --help'"),
        Wrong(
            "list --jsn", "unknown option '--jsn' for 'list' (did you mean '--json'?); see 'antares list --help'"),
        Wrong("lst", "unknown command 'lst' (did you mean 'list'?); see 'antares --help'"),
        Wrong("cache statsu", "unknown command 'statsu' (did you mean 'status'?); see 'antares cache --help'"),
        Wrong("--json nonsense", "unknown command 'nonsense'; see 'antares --help'"),
        Wrong("--nonsense list", "unknown option '--nonsense'; see 'antares --help'"),
        Wrong("umount", "missing expected argument '<mount>'; see 'antares umount --help'"),
        Wrong("unmount", "missing expected argument '<mount>'; see 'antares umount --help'"),
        Wrong("status a b", "unexpected argument 'b'; see 'antares status --help'"),
        Wrong("mount --uid", "missing value for '--uid <uid>'; see 'antares mount --help'"),
        Wrong("mount --uid x", "the value 'x' is invalid for '--uid <uid>'; see 'antares mount --help'"),
        Wrong(
            "mount --label x",
            "the value 'x' is invalid for '--label <key=value>': write it as KEY=VALUE, like pipeline=nightly; "
                + "see 'antares mount --help'"),
        Wrong(
            "mount --ttl x",
            "the value 'x' is invalid for '--ttl <ttl>': `x` is no duration; write it like 10m, at least 1s; "
                + "see 'antares mount --help'"),
        Wrong(
            "list --state Foo",
            "`Foo` is no state; there are Provisioning, Mounted, Ready, Quiescing, Unmounting, Unmounted, Failed; "
                + "see 'antares list --help'"),
        Wrong(
            "logs --lines 0", "--lines takes a number from 1 to 2000, not 0; see 'antares logs --help'"),
        Wrong("run", "no command: put it after `--`, as in `antares run -- make`; see 'antares run --help'"),
        Wrong("config import", "missing expected argument '<scorpio>'; see 'antares config import --help'"),
    ]

    @Test(arguments: wrong.indices) func aWrongCommandLineIsOneLine(index: Int) throws {
        let wrong = Self.wrong[index]
        let arguments = GlobalOptions.hoisted(wrong.arguments)
        let error = try #require(throws: (any Error).self) {
            var command = try Antares.parseAsRoot(arguments)
            try command.run()
        }
        #expect(UsageLine.text(error, of: Antares.self, arguments, nearest: NearestName.find) == wrong.line)
    }

    @Test func aLevelThatIsNoneIsToldTheOthers() throws {
        let error = try #require(throws: (any Error).self) { try Antares.parseAsRoot(["logs", "--level", "loud"]) }
        let line = UsageLine.text(error, of: Antares.self, ["logs", "--level", "loud"])
        #expect(!line.contains("\n"))
        for level in ["trace", "debug", "info", "notice", "warning", "error", "critical"] {
            #expect(line.contains(level), "\(line)")
        }
    }

    /// Program, arguments, how it ends, and the line.
    @Test(arguments: [
        ("antares", ["lst"], "antares: unknown command 'lst' (did you mean 'list'?); see 'antares --help'"),
        (
            "antares", ["list", "--zz\u{202E}zzzzzz"],
            "antares: unknown option '--zz?zzzzzz' for 'list'; see 'antares list --help'"
        ),
        (
            "antares-supervisor", ["--set", "x"],
            "antares-supervisor: the value 'x' is invalid for '--set <key=value>': write it as KEY=VALUE, like "
                + "supervisor.spare_workers=8; see 'antares-supervisor --help'"
        ),
        (
            "antares-supervisor", ["--confg", "x"],
            "antares-supervisor: unknown option '--confg' (did you mean '--config'?); see 'antares-supervisor --help'"
        ),
        (
            "antares-origin", ["--repo", ".", "--listen", "x"],
            "antares-origin: the value 'x' is invalid for '--listen <HOST:PORT>': write it as HOST:PORT, like "
                + "127.0.0.1:8000 or [::1]:8000; see 'antares-origin --help'"
        ),
        ("antares-worker", ["x"], "antares-worker: takes no argument but --version; antares-supervisor starts it"),
        ("dicfuse-cache", ["x"], "dicfuse-cache: takes no argument but --version; antares-supervisor starts it"),
    ])
    func everyProgramSaysItInOneLine(program: String, arguments: [String], line: String) async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let result = try await Program.run(program, arguments, directory: directory)
        #expect(result.status == .code(2))
        #expect(result.output == "")
        #expect(result.errors == line + "\n")
    }

    @Test func eachProblemOfAConfigurationIsALine() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let file = directory + "/s.toml"
        try File.replace(file, with: Array("[supervisor]\nsockt = 1\n[cache]\nlimit = \"x\"\n".utf8))
        for command in [["config", "check"], ["config", "show"], ["doctor"]] {
            let result = try await Program.run("antares", command + ["--config", file], directory: directory)
            #expect(result.status == .code(2))
            #expect(
                result.errors == """
                    antares: \(file):2: supervisor.sockt: unknown key; did you mean `socket`?
                    antares: \(file):4: cache.limit: `x` is no size; write it like "20GiB" or "500MB"

                    """)
        }
    }
}
