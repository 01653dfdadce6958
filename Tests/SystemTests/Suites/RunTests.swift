import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    @Suite struct RunTests {
        @Test func theCommandsCodeIsTheCode() throws {
            try Farm.run(Repository.small) { farm, repository in
                #expect(try farm.antares("run", "--", "true").status == .code(0))
                #expect(try farm.antares("run", "--", "sh", "-c", "exit 42").status == .code(42))
                #expect(try farm.antares("run", "--", "sh", "-c", "kill -TERM $$").status == .code(128 + SIGTERM))
                #expect(try farm.antares("run", "--", "no-such-program").status == .code(127))
                #expect(try farm.antares("run", "--", "./README.md").status == .code(126))
                #expect(try farm.antares("run", "--rev", "nowhere", "--", "true").status == .code(5))
                let shown = try farm.antares(
                    "run", "--job", "j", "--", "sh", "-c", "pwd; echo $ANTARES_COMMIT $ANTARES_JOB; cat src/name; ls -A"
                )
                let lines = shown.output.split(separator: "\n")
                #expect(lines.first?.hasPrefix(farm.mountRoot + "/") == true)
                #expect(lines.dropFirst().first.map(String.init) == "\(try repository.head()) j")
                #expect(lines.contains("the tree") && lines.contains("README.md"))
                #expect(try farm.api.get("/mounts").body["mounts"].elements == [])
                #expect(try farm.mounts().count == 1)
            }
        }

        @Test func outputsAreCopiedAlsoAfterAFailure() throws {
            try Farm.run(Repository.small) { farm, _ in
                let here = farm.directory + "/here"
                try Directory.create(here)
                let script =
                    "mkdir -p out/deep && echo made >out/deep/file && cp bin/hello out/tool && ln -s tool out/link; exit 3"
                let finished = try farm.antares(
                    "run", "--output", "out", "--output", "src/name:copied/", "--", "sh", "-c", script, directory: here)
                #expect(finished.status == .code(3), "\(finished.errors)")
                #expect(try File.text(here + "/out/deep/file") == "made\n")
                #expect(try FileStatus(of: here + "/out/tool").mode & 0o111 != 0)
                #expect(try File.text(here + "/copied/name") == "the tree\n")
                let missing = try farm.antares("run", "--output", "nothing", "--", "true", directory: here)
                #expect(missing.status == .code(3) && missing.errors.contains("nothing"))
            }
        }

        @Test func signalsArePassedOn() throws {
            try Farm.run(Repository.small) { farm, _ in
                let log = farm.directory + "/signal-log"
                let script =
                    "trap 'echo got TERM >\(log); exit 9' TERM; echo ready >\(log); while :; do sleep 0.05; done"
                let client = try Program.start(
                    Program.built("antares"), ["run", "--", "sh", "-c", script],
                    environment: ["ANTARES_SOCKET=\(farm.api.socket)"])
                try Program.shell("for i in $(seq 400); do grep -qs ready \(log) && exit; sleep 0.05; done; exit 1")
                client.signal(SIGTERM)
                #expect(client.waitForEnd(until: .after(.seconds(20))))
                #expect(client.reap() == .code(9))
                #expect(try File.text(log) == "got TERM\n")
                #expect(try farm.api.get("/mounts").body["mounts"].elements == [])
            }
        }

        @Test func theOtherCommandsSpeakToPeopleAndPrograms() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mounted = try farm.antares("mount", "people")
                let path = mounted.output.filter { $0 != "\n" }
                #expect(mounted.succeeded)
                #expect(try farm.mounts().contains(path))
                #expect(try farm.antares("list").output.contains("people"))
                let status = try JSON(Array(try farm.antares("--json", "status", "people").output.utf8))
                #expect(status["state"] == "Ready" && status["mountpoint"] == .string(path))
                #expect(try farm.antares("status").output.contains("people"))
                let all = try JSON(Array(try farm.antares("status", "--json").output.utf8))
                #expect(all["mounts"].elements.count == 1 && all["health"]["mount_count"] == 1)
                #expect(try farm.antares("umount", "people").succeeded)
                #expect(try farm.antares("nonsense").status == .code(2))
                #expect(try farm.antares("--socket", farm.directory + "/none", "list").status == .code(1))
            }
        }
    }
}
