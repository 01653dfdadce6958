import Glibc
import LinuxSystem
import NIOCore
import Supervision
import Testing

@testable import OperatorAPI

/// The API over TCP with TLS: real handshakes, with certificates of our own, by `curl`, `openssl` and `antares`.
@Suite(.timeLimit(.minutes(2))) struct TLSTests {
    private static let token = "0123456789abcdef"

    /// Serves with the good certificate; the token is wanted.
    private static func with(
        limits: ConnectionLimits = ConnectionLimits(),
        _ body: @escaping @Sendable (FakeSupervisor, _ directory: String, _ port: UInt16) async throws -> Void
    ) async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        try await Certificates.make(in: directory)
        try File.replace(directory + "/tokens", with: Array("\(token) operator\n".utf8), mode: 0o600)
        try File.replace(directory + "/wrong", with: Array("0123456789abcdeX\n".utf8), mode: 0o600)
        try await FakeSupervisor.with(
            limits: limits,
            configure: {
                $0.listen = "127.0.0.1:0"
                $0.tokenFile = directory + "/tokens"
                $0.tlsCertificate = directory + "/good.pem"
                $0.tlsKey = directory + "/good.key"
            }
        ) { fake in
            try await body(fake, directory, try #require(fake.server?.tcpPort))
        }
    }

    private static func curl(_ arguments: String..., directory: String) async throws -> Program.Result {
        try await Program.run(
            "/usr/bin/curl",
            ["-sS", "--max-time", "20", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"] + arguments,
            directory: directory)
    }

    @Test func whoTrustsTheCAAndHasATokenIsServed() async throws {
        try await Self.with { fake, directory, port in
            let answer = try await Self.curl(
                "--cacert", "good-ca.pem", "-H", "Authorization: Bearer \(Self.token)",
                "https://localhost:\(port)/health",
                directory: directory)
            #expect(answer.output == "200", "\(answer.errors)")
            let flags = ["--url", "https://localhost:\(port)/", "--ca", "good-ca.pem", "--token-file", "tokens"]
            let made = try await Program.run("antares", flags + ["mount", "over-tls"], directory: directory)
            #expect(made.status == .code(0), "\(made.errors)")
            #expect(fake.current.map(\.job) == ["over-tls"])
            let listed = try await Program.run(
                "antares", ["list"],
                environment: [
                    "ANTARES_URL=https://127.0.0.1:\(port)", "ANTARES_CA_FILE=\(directory)/good-ca.pem",
                    "ANTARES_TOKEN_FILE=\(directory)/tokens",
                ], directory: directory)
            #expect(listed.status == .code(0) && listed.output.contains("over-tls"), "\(listed.errors)")
        }
    }

    @Test func whatIsNotTrustedOrKnownIsRefused() async throws {
        try await Self.with { fake, directory, port in
            let url = "https://localhost:\(port)"
            func antares(_ flags: String...) async throws -> Program.Result {
                try await Program.run("antares", flags + ["mount", "never"], directory: directory)
            }
            let stranger = try await antares("--url", url, "--ca", "other-ca.pem", "--token-file", "tokens")
            #expect(stranger.status == .code(1) && stranger.errors.contains("is not trusted"), "\(stranger.errors)")
            let nobody = try await antares("--url", url, "--token-file", "tokens")
            #expect(nobody.status == .code(1) && nobody.errors.contains("is not trusted"), "\(nobody.errors)")
            let noCA = try await antares("--url", url, "--ca", "no-such-file", "--token-file", "tokens")
            #expect(
                noCA.status == .code(2) && noCA.errors.contains("the CAs cannot be read: no-such-file: No such file"),
                "\(noCA.errors)")
            let unknown = try await antares("--url", url, "--ca", "good-ca.pem", "--token-file", "wrong")
            #expect(
                unknown.status == .code(2) && unknown.errors.contains("the token is not known"), "\(unknown.errors)")
            let silent = try await antares("--url", url, "--ca", "good-ca.pem")
            #expect(
                silent.status == .code(2) && silent.errors.contains("wants a token; name its file with --token-file"),
                "\(silent.errors)")
            let plain = try await antares("--url", "http://localhost:\(port)", "--token-file", "tokens")
            #expect(
                plain.status == .code(1) && plain.errors.contains("write https:// instead of http://"),
                "\(plain.errors)")
            for hint in [noCA, silent, plain] { #expect(hint.errors.split(separator: "\n").count == 1) }
            let bare = try await Self.curl(
                "-H", "Authorization: Bearer \(Self.token)", "http://localhost:\(port)/health", directory: directory)
            #expect(bare.output == "000" && bare.status != .code(0))
            #expect(fake.current.isEmpty)
        }
    }

    @Test func oldVersionsOfTLSAreRefused() async throws {
        try await Self.with { _, directory, port in
            func handshake(_ version: String) async throws -> Program.Result {
                try await Program.run(
                    "/usr/bin/openssl",
                    [
                        "s_client", version, "-cipher", "DEFAULT@SECLEVEL=0", "-CAfile", "good-ca.pem", "-connect",
                        "127.0.0.1:\(port)",
                    ], directory: directory)
            }
            let old = try await handshake("-tls1_1")
            #expect(old.status != .code(0) && old.errors.contains("alert protocol version"), "\(old.errors)")
            let new = try await handshake("-tls1_2")
            #expect(new.status == .code(0) && new.output.contains("Verify return code: 0 (ok)"), "\(new.errors)")
        }
    }

    @Test func whoStallsInTheHandshakeIsDropped() async throws {
        let limits = ConnectionLimits(handshake: .milliseconds(300), idle: .seconds(100), request: .seconds(100))
        try await Self.with(limits: limits) { _, directory, port in
            let silent = try TCPConnection(port: port)
            let half = try TCPConnection(port: port)
            // The begin of a record with a ClientHello of 512 bytes.
            half.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3])
            let garbage = try TCPConnection(port: port)
            garbage.send(Array("hello\r\n\r\n".utf8))
            #expect(silent.ends(within: .seconds(20)))
            #expect(half.ends(within: .seconds(20)))
            #expect(garbage.ends(within: .seconds(20)))
            let answer = try await Self.curl(
                "--cacert", "good-ca.pem", "-H", "Authorization: Bearer \(Self.token)",
                "https://localhost:\(port)/health",
                directory: directory)
            #expect(answer.output == "200", "\(answer.errors)")
        }
    }

    @Test func certificateAndKeyAreRenewedInPlace() async throws {
        try await Self.with { fake, directory, port in
            let server = try #require(fake.server)
            func status(_ ca: String) async throws -> String {
                try await Self.curl(
                    "--cacert", ca, "-H", "Authorization: Bearer \(Self.token)", "https://localhost:\(port)/health",
                    directory: directory
                ).output
            }
            var configuration = SupervisorConfiguration()
            configuration.socket = fake.socket
            #expect(try await status("good-ca.pem") == "200")
            // Only one of the two is new: they do not belong together, and everything stays as it was.
            try File.replace(directory + "/good.pem", with: File.contents(directory + "/other.pem"))
            let error = #expect(throws: OperatorAPIError.self) { try server.reload(configuration) }
            #expect(error?.code == .configuration && error?.message.contains("does not belong to") == true)
            #expect(try await status("good-ca.pem") == "200")
            try File.replace(directory + "/good.key", with: File.contents(directory + "/other.key"), mode: 0o600)
            #expect(try await status("good-ca.pem") == "200")
            try server.reload(configuration)
            #expect(try await status("good-ca.pem") == "000")
            #expect(try await status("other-ca.pem") == "200")
        }
    }

    @Test func whatCannotBeUsedIsSaidBeforeAnythingIsStarted() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        try await Certificates.make(in: directory)
        try File.replace(directory + "/tokens", with: Array("\(Self.token)\n".utf8), mode: 0o600)
        try File.replace(directory + "/open.key", with: File.contents(directory + "/good.key"), mode: 0o644)
        #expect(chmod(directory + "/open.key", 0o644) == 0)
        for (certificate, key, message) in [
            ("none", "good.key", "tls_certificate \(directory)/none: "), ("good.key", "good.key", "no certificate"),
            ("good.pem", "none", "tls_key \(directory)/none: "), ("good.pem", "good.pem", "no private key"),
            ("good.pem", "other.key", "does not belong to"), ("good.pem", "locked.key", "without a passphrase"),
            ("good.pem", "open.key", "chmod 600"),
        ] {
            if key == "good.pem" { #expect(chmod(directory + "/good.pem", 0o600) == 0) }
            let result = try await Program.run(
                "antares-supervisor",
                [
                    "--set", "supervisor.socket=\(directory)/s", "--set", "supervisor.run_dir=\(directory)/run",
                    "--set",
                    "supervisor.listen=0.0.0.0:0", "--set", "supervisor.token_file=\(directory)/tokens", "--set",
                    "supervisor.tls_certificate=\(directory)/\(certificate)", "--set",
                    "supervisor.tls_key=\(directory)/\(key)",
                ], directory: directory)
            #expect(result.status == .code(2), "\(certificate) \(key): \(result.errors)")
            #expect(result.errors.contains(message), "\(certificate) \(key): \(result.errors)")
            #expect(access(directory + "/run", F_OK) == -1)
        }
    }

    @Test func commandsThatLookAtThisMachineSayIt() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        for command in [["doctor"], ["bugreport"], ["run", "--", "true"]] {
            let result = try await Program.run(
                "antares", ["--url", "https://farm.example:1"] + command, directory: directory)
            #expect(result.status == .code(2) && result.errors.contains("needs the supervisor of this machine"))
        }
        for url in ["http://farm.example:1", "ftp://x", "https://", "https://a/b", "https://user@a"] {
            let result = try await Program.run("antares", ["--url", url, "list"], directory: directory)
            #expect(result.status == .code(2), "\(url): \(result.errors)")
        }
        try File.replace(directory + "/open", with: Array("0123456789abcdef\n".utf8))
        #expect(chmod(directory + "/open", 0o644) == 0)
        let shown = try await Program.run(
            "antares", ["--url", "http://localhost:1", "--token-file", "open", "list"], directory: directory)
        #expect(shown.status == .code(2) && shown.errors.contains("chmod 600"))
    }
}
