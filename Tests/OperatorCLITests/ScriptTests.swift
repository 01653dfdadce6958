import LinuxSystem
import Testing

/// What the scripts say before they touch the machine.
@Suite(.timeLimit(.minutes(2))) struct ScriptTests {
    private static let scripts = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/scripts"

    private func run(_ script: String, _ arguments: [String], directory: String) async throws -> Program.Result {
        try await Program.run("/bin/bash", [Self.scripts + "/" + script] + arguments, directory: directory)
    }

    /// What `install` would do below an empty root, or one with an installation.
    private func install(_ arguments: String..., directory: String) async throws -> Program.Result {
        try await run("install", ["--dry-run", "--root", directory] + arguments, directory: directory)
    }

    @Test(arguments: ["setup", "verify-service", "install"])
    func helpIsHelpAndWhatIsNotKnownIsRefused(script: String) async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let help = try await run(script, ["--help"], directory: directory)
        #expect(help.status == .code(0) && help.output.contains("scripts/\(script)"), "\(help.errors)")
        let unknown = try await run(script, ["--no-such-flag"], directory: directory)
        #expect(unknown.status == .code(1) && unknown.output == "")
        #expect(unknown.errors.contains("--no-such-flag"), "\(unknown.errors)")
    }

    @Test(arguments: ["/opt/a b", "/opt/a&b", "/opt/a|b", "/opt/50%", "/opt/\\1"])
    func aPrefixIsAPlainPath(prefix: String) async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let refused = try await install("--prefix", prefix, directory: directory)
        #expect(refused.status == .code(1) && refused.output == "")
        #expect(refused.errors.contains("--prefix \(prefix): letters, digits and"), "\(refused.errors)")
    }

    @Test(arguments: ["git.example", "http://", "http://a/", "http://me@a", "http://a\"b", "http://a b", "http://a?b"])
    func anOriginIsLookedAtBeforeAFileIsPlaced(origin: String) async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let refused = try await install("--origin", origin, directory: directory)
        #expect(refused.status == .code(1) && refused.output == "")
        #expect(refused.errors.contains("--origin \(origin): write it like"), "\(refused.errors)")
    }

    @Test func anotherPrefixThanBeforeIsRefused() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let units = directory + "/etc/systemd/system"
        try Directory.create(units)
        let start = "ExecStart=/opt/old/libexec/antares/antares-supervisor --config /etc/antares/supervisor.toml\n"
        try File.replace(units + "/antares-supervisor.service", with: Array("[Service]\n\(start)".utf8))
        for prefix in ["/usr/local", "/opt/new"] {
            let refused = try await install("--prefix", prefix, directory: directory)
            #expect(refused.status == .code(1) && refused.output == "")
            #expect(refused.errors.contains("--uninstall --prefix /opt/old"), "\(refused.errors)")
        }
        let upgrade = try await install("--prefix", "/opt/old", directory: directory)
        #expect(upgrade.output.contains("/opt/old/libexec/antares/antares-supervisor\n"), "\(upgrade.errors)")
    }
}
