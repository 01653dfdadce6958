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

    @Test func whatTheAPINeedsOfTheMachineIsCheckedAllAtOnce() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let file = directory + "/s.toml"
        let text = """
            [supervisor]
            listen = "127.0.0.1:0"
            token_file = "\(directory)/tokens"
            tls_certificate = "\(directory)/none.pem"
            tls_key = "\(directory)/none.key"
            socket_group = "no-such-group"
            agent_groups = ["nobody-has-this"]
            """
        try File.replace(file, with: Array(text.utf8))
        try File.replace(directory + "/tokens", with: Array("short\n".utf8), mode: 0o600)
        let result = try await supervisor(["--config", file, "--check-config"], directory: directory)
        #expect(result.status == .code(2) && result.output == "")
        #expect(
            result.errors.split(separator: "\n").map(String.init) == [
                "\(file): agent_groups: there is no group `nobody-has-this`",
                "\(file): socket_group: there is no group `no-such-group`",
                "\(file): token_file \(directory)/tokens: line 1: a token has at least 16 bytes",
                "\(file): tls_certificate \(directory)/none.pem: No such file or directory",
                "\(file): tls_key \(directory)/none.key: No such file or directory",
            ])
    }

    @Test func aSocketInUseEndsWithItsOwner() async throws {
        try await FakeSupervisor.with { fake in
            let result = try await supervisor(
                ["--set", "supervisor.socket=\(fake.socket)", "--log-format", "json"], directory: fake.directory)
            #expect(result.status == .code(4))
            // What else is wrong with the machine is told too.
            let lines = try result.errors.split(separator: "\n").map {
                try JSONDecoder().decode([String: String].self, from: Data($0.utf8))
            }
            let owner = "socket: \(fake.socket) is in use by process \(getpid()) ("
            let line = try #require(lines.first { $0["message"]?.hasPrefix(owner) == true }, "\(result.errors)")
            #expect(line["level"] == "critical")
            #expect(line["time"]?.utf8.count == "2026-01-31T12:00:00.000Z".utf8.count)
            let again = try await Program.run("antares", ["--socket", fake.socket, "list"], directory: fake.directory)
            #expect(again.status == .code(0))
        }
    }

    @Test func completionsAreForEachShell() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        for (shell, sign) in [("bash", "complete "), ("zsh", "#compdef antares"), ("fish", "complete -c 'antares'")] {
            let result = try await Program.run("antares", ["completions", shell], directory: directory)
            #expect(result.status == .code(0))
            #expect(result.output.contains(sign), "\(shell)")
            #expect(result.output.contains("umount"))
        }
        #expect(try await Program.run("antares", ["completions", "tcsh"], directory: directory).status == .code(2))
    }

    @Test func jobsAndFixedNamesAreCompleted() async throws {
        try await FakeSupervisor.with { fake in
            func antares(_ arguments: String...) async throws -> String {
                try await Program.run(
                    "antares", arguments, environment: ["ANTARES_SOCKET=\(fake.socket)"], directory: fake.directory
                ).output
            }
            _ = try await antares("mount", "ci 1")
            let script = try await antares("completions", "bash")
            #expect(script.contains("mount_ready") && script.contains("Quiescing") && script.contains("-restarts"))
            #expect(script.contains("---completion umount -- positional@0"))
            #expect(
                try await antares("---completion", "umount", "--", "positional@0", "0", "2", "antares", "umount", "")
                    .contains("ci 1"))
        }
    }

    @Test func theLevelOfTheCommandLineIsAValueOfTheConfiguration() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let shown = try await supervisor(
            ["--set", "origins.main.url=http://127.0.0.1:1", "--log-level", "debug", "--show-config"],
            directory: directory)
        #expect(shown.output.contains("log_level = \"debug\"  # --set supervisor.log_level"), "\(shown.output)")
    }

    @Test func aBugReportIsPutTogetherInTMPDIR() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        func report(_ parent: String) async throws -> Program.Result {
            try await Program.run(
                "antares", ["--socket", directory + "/none", "bugreport", directory + "/report.tar.gz"],
                environment: ["TMPDIR=\(parent)"], directory: directory)
        }
        let failed = try await report(directory + "/missing")
        #expect(failed.status == .code(1) && failed.errors.contains(directory + "/missing"), "\(failed.errors)")
        let made = try await report(directory)
        #expect(made.status == .code(0), "\(made.errors)")
        #expect(access(directory + "/report.tar.gz", F_OK) == 0)
        #expect(try !Directory.names(directory).contains { String(decoding: $0, as: UTF8.self).hasPrefix("antares-") })
        #expect(try FileStatus(of: directory + "/report.tar.gz").mode & 0o777 == 0o600)
    }

    @Test func aBugReportOfABadConfigurationSaysWhatItLacks() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        try File.replace(directory + "/bad.toml", with: Array("[cache]\nlimt = \"1GiB\"\n".utf8))
        let made = try await Program.run(
            "antares",
            [
                "--socket", directory + "/none", "bugreport", directory + "/a:b.tar.gz", "--config", "bad.toml",
                "--json",
            ],
            environment: ["TMPDIR=\(directory)"], directory: directory)
        #expect(made.status == .code(0), "\(made.errors)")
        #expect(made.output.contains("\"file\""))
        let missing = try await Program.run(
            "/bin/sh", ["-c", "tar --force-local -tzf a:b.tar.gz; tar --force-local -xzOf a:b.tar.gz ./missing"],
            directory: directory)
        #expect(missing.output.contains("./processes\n"), "\(missing.output)")
        for name in ["configuration.toml: ", "doctor.json: "] {
            #expect(missing.output.contains("\(name)bad.toml:2: "), "\(missing.output)")
        }
        let failed = try await Program.run(
            "antares", ["--socket", directory + "/none", "bugreport", directory + "/no/such"],
            environment: ["TMPDIR=\(directory)"], directory: directory)
        #expect(failed.status == .code(1) && failed.errors.split(separator: "\n").count == 1, "\(failed.errors)")
    }

    @Test func serveIsTheSupervisor() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let result = try await Program.run(
            "antares", ["serve", "--set", "cache.limit=lots", "--check-config"], directory: directory)
        #expect(result.status == .code(2))
        #expect(result.errors.hasPrefix("--set cache.limit: `lots` is no size"))
    }
}
