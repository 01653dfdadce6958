import Glibc
import LinuxSystem
import Supervision
import Testing

@testable import OperatorCLI

@Suite(.timeLimit(.minutes(2))) struct EventsTests {
    @Test func aLineHasColumns() throws {
        let json = """
            {"kind":"takeover","id":1795728783820006,"time_epoch_ms":1795367881250,"mount_id":"824d59b0-1ac2-4415-8248-11688872b341",\
            "job_id":"ci-17","duration_ms":3.21,"cause":"signal 9","details":{"pid":"12"}}
            """
        let line = Presentation.event(try EventReport(json: Array(json.utf8)))
        #expect(
            line
                == "2026-11-22T17:18:01.250Z  1795728783820006  takeover             824d59b0  ci-17             3.2 ms    signal 9 (pid=12)"
        )
        let bare = Presentation.event(try EventReport(json: Array(#"{"kind":"cache_started","id":1}"#.utf8)))
        #expect(bare == "-  1  cache_started        -         -                 -")
        let gap = Presentation.event(try EventReport(json: Array(#"{"kind":"gap"}"#.utf8)))
        #expect(gap.contains("events are missing here") && !gap.contains("1970"))
    }

    @Test(arguments: [
        (0, "0 µs"), (0.0124, "12 µs"), (0.9994, "999 µs"), (0.9996, "1.0 ms"), (9.94, "9.9 ms"), (41.2, "41 ms"),
        (999.4, "999 ms"), (999.6, "1.0 s"), (12_345, "12 s"), (59_949, "60 s"), (61_000, "1m 1s"),
        (3_600_000, "1h 0m"),
    ]) func durationsHaveAFittingUnit(milliseconds: Double, text: String) {
        #expect(Printable.duration(milliseconds: milliseconds) == text)
    }

    @Test func thoseOfOneMountAreShown() async throws {
        try await FakeSupervisor.with { fake in
            let id = MountID.random()
            fake.events.record(.mountReady, mount: id, job: "mine")
            fake.events.record(.takeover, mount: id, job: "mine")
            fake.events.record(.mountReady, mount: .random(), job: "other")
            func kinds(_ arguments: String...) async throws -> [String] {
                let result = try await Program.run(
                    "antares", ["--socket", fake.socket, "events", "--after", "0"] + arguments,
                    directory: fake.directory)
                #expect(result.status == .code(0), "\(result.errors)")
                return result.output.split(separator: "\n").map { line in
                    String(line.split(separator: " ", omittingEmptySubsequences: true)[2])
                }
            }
            #expect(try await kinds() == ["mount_ready", "takeover", "mount_ready"])
            #expect(try await kinds("mine") == ["mount_ready", "takeover"])
            #expect(try await kinds(id.rawValue) == ["mount_ready", "takeover"])
            #expect(try await kinds(String(id.rawValue.prefix(8))) == ["mount_ready", "takeover"])
            #expect(try await kinds("--kind", "takeover") == ["takeover"])
            #expect(try await kinds(String(id.rawValue.prefix(4)).uppercased()) == ["mount_ready", "takeover"])
            #expect(try await kinds("mine", "--kind", "mount_failed") == [], "known, and nothing of the kind")
            let unknown = try await Program.run(
                "antares", ["--socket", fake.socket, "events", "nosuch"], directory: fake.directory)
            #expect(unknown.status == .code(5), "\(unknown.errors)")
            let wrong = try await Program.run("antares", ["events", "--kind", "mount_redy"], directory: fake.directory)
            #expect(wrong.status == .code(2) && wrong.errors.contains("mount_ready"), "\(wrong.errors)")
        }
    }

    @Test func aSupervisorThatIsStoppedIsNotFollowedForEver() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let socket = directory + "/mute"
        let listener = try muteSocket(socket)
        defer { close(listener) }
        let result = try await Program.run(
            "antares", ["--socket", socket, "--timeout", "1", "events", "--follow"], directory: directory)
        #expect(result.status == .code(1) && result.errors.contains("did not answer within 1 s"), "\(result.errors)")
    }

    @Test("Output that goes nowhere is a failure, and an empty name is said to be one") func nothingIsLostSilently()
        async throws
    {
        try await FakeSupervisor.with { fake in
            func shell(_ command: String) async throws -> Program.Result {
                try await Program.run(
                    "/bin/sh", ["-c", command],
                    environment: ["ANTARES_SOCKET=\(fake.socket)", "A=\(Program.directory)/antares"],
                    directory: fake.directory)
            }
            for command in ["list", "list --json", "status", "config show", "list --watch"] {
                let full = try await shell("\"$A\" \(command) >/dev/full")
                #expect(full.status == .code(1), "\(command): \(full.errors)")
                #expect(full.errors.contains("standard output") && full.errors.split(separator: "\n").count == 1)
            }
            #expect(try await shell("\"$A\" umount nosuch >/dev/full").status == .code(5))
            let version = try await shell("\"$A\" --version")
            #expect(version.status == .code(0) && version.output == "antares \(ServiceVersion.current)\n")
            let commands = [
                "mount ''", "umount ''", "status ''", "diff ''", "mount j --rev ''", "run --job '' -- true",
                "diff j --tar ''", "list --socket ''", "config check --config ''", "config init ''", "bugreport ''",
                "list --columns ''", "events ''", "logs ''", "renew ''", "reset ''",
            ]
            for command in commands {
                let empty = try await shell("\"$A\" \(command)")
                #expect(empty.status == .code(2) && empty.errors.split(separator: "\n").count == 1)
                #expect(
                    empty.errors.contains("empty") || empty.errors.contains("no column"), "\(command): \(empty.errors)")
            }
        }
    }
}
