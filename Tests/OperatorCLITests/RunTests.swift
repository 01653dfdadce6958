import Glibc
import LinuxSystem
import Supervision
import Testing

/// The real `antares` against the real API.
@Suite(.timeLimit(.minutes(3))) struct RunTests {
    private func antares(
        _ fake: FakeSupervisor, _ arguments: [String], environment: [String] = []
    ) async throws -> Program.Result {
        try await Program.run(
            "antares", arguments, environment: ["ANTARES_SOCKET=\(fake.socket)"] + environment,
            directory: fake.directory)
    }

    private func antares(_ fake: FakeSupervisor, shell: String, _ options: [String] = []) async throws -> Program.Result
    {
        try await antares(fake, ["run"] + options + ["--", "sh", "-c", shell])
    }

    @Test func theCommandRunsInTheMount() async throws {
        try await FakeSupervisor.with { fake in
            let shell =
                "echo $ANTARES_COMMIT $ANTARES_ORIGIN $ANTARES_JOB $KEPT; pwd; echo $ANTARES_MOUNTPOINT; echo $PWD"
            let result = try await antares(
                fake, ["run", "--job", "j 1", "--origin", "o", "--", "sh", "-c", shell], environment: ["KEPT=kept"])
            let id = try #require(fake.removed.first)
            #expect(result.status == .code(0))
            let mountpoint = "\(fake.directory)/\(id)"
            #expect(
                result.output == """
                    00112233445566778899aabbccddeeff00112233 o j 1 kept
                    \(mountpoint)
                    \(mountpoint)
                    \(mountpoint)

                    """)
            #expect(result.errors == "")
            #expect(fake.current.isEmpty)
        }
    }

    @Test(arguments: [
        ("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143),
    ])
    func theCommandsCodeIsPassedOn(shell: String, code: Int32) async throws {
        try await FakeSupervisor.with { fake in
            let result = try await antares(fake, shell: shell)
            #expect(result.status == .code(code))
            #expect(fake.current.isEmpty && fake.removed.count == 1)
        }
    }

    @Test func commandsThatCannotRun() async throws {
        try await FakeSupervisor.with { fake in
            let missing = try await antares(fake, ["run", "--", "no-such-command"])
            #expect(missing.status == .code(127))
            #expect(missing.errors == "antares: no-such-command is not found\n")
            let directory = try await antares(fake, ["run", "--", "/tmp"])
            #expect(directory.status == .code(126))
            let text = fake.directory + "/text"
            try File.replace(text, with: Array("no program\n".utf8), mode: 0o755)
            let noProgram = try await antares(fake, ["run", "--", text])
            #expect(noProgram.status == .code(126))
            #expect(fake.current.isEmpty && fake.removed.count == 3)
        }
    }

    @Test("What the caller closed is not taken by a file of our own", arguments: ["<&-", "2>&- 3>&-", "<&- 2>&-"])
    func closedDescriptorsStayOutOfTheWay(redirections: String) async throws {
        try await FakeSupervisor.with { fake in
            let shell = "\"$A\" run -- sh -c 'cat <&0 2>/dev/null || echo closed; echo done' \(redirections)"
            let result = try await Program.run(
                "/bin/sh", ["-c", shell],
                environment: ["ANTARES_SOCKET=\(fake.socket)", "A=\(Program.directory)/antares"],
                directory: fake.directory)
            #expect(result.status == .code(0), "\(result.errors)")
            #expect(result.output == (redirections.hasPrefix("<") ? "closed\ndone\n" : "done\n"))
            let silent = try await Program.run(
                "/bin/sh", ["-c", "\"$A\" list >&-"],
                environment: ["ANTARES_SOCKET=\(fake.socket)", "A=\(Program.directory)/antares"],
                directory: fake.directory)
            #expect(silent.status == .code(1) && silent.errors.contains("standard output"), "\(silent.errors)")
        }
    }

    @Test(arguments: [SIGTERM, SIGINT, SIGHUP, SIGQUIT]) func signalsArePassedOn(number: Int32) async throws {
        try await FakeSupervisor.with { fake in
            let shell = "trap 'echo got; exit 42' \(number); echo up; while :; do sleep 0.02; done"
            let program = try Program(
                "antares", ["run", "--", "sh", "-c", shell], environment: ["ANTARES_SOCKET=\(fake.socket)"],
                directory: fake.directory)
            #expect(try await program.line() == "up")
            program.signal(number)
            let result = try await program.result()
            #expect(result.status == .code(42))
            #expect(result.output == "got\n")
            #expect(fake.current.isEmpty && fake.removed.count == 1)
        }
    }

    @Test func aCommandThatDiesOfTheSignal() async throws {
        try await FakeSupervisor.with { fake in
            let program = try Program(
                "antares", ["run", "--", "sh", "-c", "echo up; exec sleep 1000"],
                environment: ["ANTARES_SOCKET=\(fake.socket)"], directory: fake.directory)
            #expect(try await program.line() == "up")
            program.signal(SIGTERM)
            let result = try await program.result()
            #expect(result.status == .code(143))
            #expect(fake.current.isEmpty)
        }
    }

    @Test func signalsThatTheCallerIgnoresStayIgnored() async throws {
        try await FakeSupervisor.with { fake in
            let shell = "trap '' HUP; exec antares run -- sh -c 'kill -HUP $$; echo survived'"
            let path = "PATH=\(Program.directory):/usr/bin:/bin"
            let result = try await Program.run(
                "/bin/sh", ["-c", shell], environment: ["ANTARES_SOCKET=\(fake.socket)", path],
                directory: fake.directory)
            #expect(result.output == "survived\n")
        }
    }

    @Test func outputsAreCopied() async throws {
        try await FakeSupervisor.with { fake in
            let options = ["--output", "out/app", "--output", "log:logs/"]
            let shell = "mkdir out; echo binary > out/app; echo line > log; exit "
            let good = try await antares(fake, shell: shell + "0", options)
            #expect(good.status == .code(0))
            #expect(try File.text(fake.directory + "/out/app") == "binary\n")
            #expect(try File.text(fake.directory + "/logs/log") == "line\n")
            unlink(fake.directory + "/logs/log")
            let failed = try await antares(fake, shell: shell + "9", options)
            #expect(failed.status == .code(9))
            #expect(try File.text(fake.directory + "/logs/log") == "line\n")
            let missing = try await antares(fake, shell: "echo line > log", options)
            #expect(missing.status == .code(3))
            #expect(missing.errors == "antares: output out/app is missing: the command did not make it\n")
            #expect(fake.current.isEmpty && fake.removed.count == 3)
        }
    }

    @Test func aMountThatStaysIsTold() async throws {
        try await FakeSupervisor.with { fake in
            fake.fail(remove: SupervisorError(.mountFailed, "it is busy"))
            let good = try await antares(fake, shell: "exit 0")
            #expect(good.status == .code(3))
            #expect(good.errors.contains("it is busy; the mount "))
            let bad = try await antares(fake, shell: "exit 5")
            #expect(bad.status == .code(5))
        }
    }

    @Test func aJobThatHasAMountIsNotEnded() async throws {
        try await FakeSupervisor.with { fake in
            #expect(try await antares(fake, ["mount", "mine"]).status == .code(0))
            let result = try await antares(fake, ["run", "--job", "mine", "--", "true"])
            #expect(result.status == .code(3))
            #expect(result.errors.contains("job mine has a mount already"))
            #expect(fake.current.count == 1 && fake.removed.isEmpty)
        }
    }

    @Test func theOtherCommands() async throws {
        try await FakeSupervisor.with { fake in
            let mounted = try await antares(
                fake, ["mount", "a/b c", "--at", fake.directory + "/here", "--label", "k=v"])
            #expect(mounted.output == fake.directory + "/here\n")
            #expect(fake.current.first?.request.labels == ["k": "v"])
            let id = try #require(fake.current.first?.id)
            let list = try await antares(fake, ["list"])
            #expect(list.output.split(separator: "\n").count == 2)
            #expect(list.output.contains("a/b c  Ready  001122334455  /"))
            let status = try await antares(fake, ["status", "a/b c"])
            #expect(status.output.contains("restarts     3, last: signal 9\n"))
            let byID = try await antares(fake, ["--json", "status", "\(id)"])
            #expect(byID.output.hasPrefix("{\"mount_id\":\"\(id)\",") && byID.output.hasSuffix("}\n"))
            let all = try await antares(fake, ["status"])
            #expect(all.output.hasPrefix("supervisor  healthy, version 0.1.0, up 1h 1m\nmounts      1\n"))
            #expect(all.output.contains("4242    3         80.0 KiB  0"))
            let json = try await antares(fake, ["status", "--json"])
            #expect(
                json.output.hasPrefix(#"{"health":{"status":"healthy","#) && json.output.contains(#"},"mounts":[{"#))
            #expect(try await antares(fake, ["reset", "a/b c"]).status == .code(0))
            #expect(
                try await antares(fake, ["--json", "reset", "\(id)"]).output.contains(#""last_restart_cause":"reset""#))
            #expect(try await antares(fake, ["reset", "nobody"]).status == .code(5))
            #expect(try await antares(fake, ["umount", "a/b c"]).status == .code(0))
            #expect(fake.removed == [id])
            let gone = try await antares(fake, ["umount", "\(id)"])
            #expect(gone.status == .code(5))
            #expect(gone.errors == "antares: there is no such mount\n")
            #expect(try await antares(fake, ["list"]).output == "no mounts\n")
        }
    }

    @Test(arguments: [
        (SupervisorError.Code.originUnreachable, Int32(6)), (.revisionNotFound, 5), (.mountFailed, 3),
        (.invalidRequest, 2),
        (.shuttingDown, 1),
    ])
    func errorsHaveTheirExitCode(code: SupervisorError.Code, exit: Int32) async throws {
        try await FakeSupervisor.with { fake in
            fake.fail(create: SupervisorError(code, "what happened"))
            for arguments in [["mount"], ["run", "--", "true"]] {
                let result = try await antares(fake, arguments)
                #expect(result.status == .code(exit))
                #expect(result.errors == "antares: what happened\n")
            }
        }
    }

    @Test func withoutASupervisor() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let result = try await Program.run("antares", ["--socket", directory + "/none", "list"], directory: directory)
        #expect(result.status == .code(1))
        #expect(
            result.errors.hasPrefix("antares: no supervisor at \(directory)/none (No such file or directory); start it")
        )
        let usage = try await Program.run("antares", ["run", "make"], directory: directory)
        #expect(usage.status == .code(2))
        let help = try await Program.run("antares", ["--help"], directory: directory)
        #expect(help.status == .code(0) && help.output.contains("SUBCOMMANDS"))
    }

    @Test func aServerThatNeverAnswersIsGivenUp() async throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let path = directory + "/mute"
        let listener = try muteSocket(path)
        let result = try await Program.run(
            "antares", ["--socket", path, "--timeout", "1", "list"], directory: directory)
        #expect(result.status == .code(1))
        #expect(result.errors.contains("did not answer within 1 s"))
        close(listener)
    }
}
