import FoundationEssentials
import Glibc
import LinuxSystem
import Testing

/// What antares-supervisor does before it touches the machine.
@Suite(.timeLimit(.minutes(2))) struct SupervisorProgramTests {
    private func supervisor(
        _ arguments: [String], environment: [String] = [], directory: String
    ) async throws -> Program.Result {
        try await Program.run("antares-supervisor", arguments, environment: environment, directory: directory)
    }

    @Test func aBadConfigurationEndsWithAllItsProblems() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let file = directory + "/s.toml"
        try File.replace(file, with: Array("[supervisor]\nsockt = 1\n[cache]\nlimit = \"x\"\n".utf8))
        let result = try await supervisor(
            ["--config", file, "--set", "cache.user="], environment: ["ANTARES_CACHE_DIRR=/x"], directory: directory)
        #expect(result.status == .code(2))
        #expect(result.output == "")
        let lines = result.errors.split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines.first == "\(file):2: supervisor.sockt: unknown key; did you mean `socket`?")
        let missing = try await supervisor(["--config", directory + "/none"], directory: directory)
        #expect(missing.status == .code(2))
        let usage = try await supervisor(["--no-such-flag"], directory: directory)
        #expect(usage.status == .code(2))
    }

    @Test func theConfigurationCanBeCheckedAndShown() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let good = try await supervisor(["--check-config"], directory: directory)
        #expect(good.status == .code(0) && good.output == "the configuration: ok\n")
        let shown = try await supervisor(
            ["--show-config"], environment: ["ANTARES_CACHE_LIMIT=1GiB"], directory: directory)
        #expect(shown.status == .code(0))
        #expect(shown.output.contains("limit = \"1GiB\"  # $ANTARES_CACHE_LIMIT\n"))
        #expect(shown.output.contains("spare_workers = 4  # default\n"))
    }

    @Test func aSocketInUseEndsWithItsOwner() async throws {
        try await FakeSupervisor.with { fake in
            let result = try await supervisor(
                ["--set", "supervisor.socket=\(fake.socket)", "--log-format", "json"], directory: fake.directory)
            #expect(result.status == .code(4))
            let line = try JSONDecoder().decode([String: String].self, from: Data(result.errors.utf8))
            #expect(line["level"] == "critical")
            #expect(line["message"]?.hasPrefix("\(fake.socket) is in use by process \(getpid()) (") == true)
            #expect(line["time"]?.utf8.count == "2026-01-31T12:00:00.000Z".utf8.count)
            let again = try await Program.run("antares", ["--socket", fake.socket, "list"], directory: fake.directory)
            #expect(again.status == .code(0))
        }
    }

    @Test func serveIsTheSupervisor() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let result = try await Program.run(
            "antares", ["serve", "--set", "cache.limit=lots", "--check-config"], directory: directory)
        #expect(result.status == .code(2))
        #expect(result.errors.hasPrefix("--set cache.limit: cache.limit: `lots` is no size"))
    }
}
