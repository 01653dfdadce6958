import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    @Suite struct UnmountTests {
        @Test(arguments: Form.allCases) func aBusyMountEndsAllTheSame(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let script = "exec 9<bin/hello 8>>written; echo ready >&8; read -r line <'\(farm.directory)/gate'"
                try Program.shell("mkfifo '\(farm.directory)/gate'")
                let holder = try Program.start("/bin/bash", ["-c", script], directory: mount.path)
                try Program.shell(
                    "for i in $(seq 200); do [[ -s '\(mount.path)/written' ]] && exit; sleep 0.05; done; exit 1")
                // The bound is 5 s; the client's limit leaves room for a loaded machine.
                let answer = try farm.api.request("DELETE", "/mounts/\(mount.id)", limit: .seconds(10))
                #expect(answer.status == 200 && answer.body["state"] == "Unmounted", "\(answer)")
                #expect(access(mount.path, F_OK) == -1)
                #expect(holder.reap() == nil, "nobody killed the job")
                holder.signal(SIGKILL)
                #expect(holder.waitForEnd(until: .after(.seconds(10))))
                _ = holder.reap()
                try Program.shell("rm '\(farm.directory)/gate'")
            }
        }

        @Test(arguments: Form.allCases) func aMountWithAReaderThatWaitsEndsAllTheSame(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "60s", form: form)) { farm, _ in
                let mount = try farm.mount("m")
                _ = try Directory.names(mount.path + "/many")
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let reader = try Program.start("/bin/cat", [mount.path + "/many/file5"])
                let deadline = Deadline.after(.seconds(20))
                while try farm.status(mount)["worker"]["waiting"].number ?? 0 == 0, !deadline.hasPassed {}
                let answer = try farm.api.request("DELETE", "/mounts/\(mount.id)", limit: .seconds(10))
                #expect(answer.status == 200, "\(answer)")
                #expect(reader.waitForEnd(until: .after(.seconds(10))), "the reader is freed")
                #expect(reader.reap() == .code(1))
                origin.signal(SIGCONT)
            }
        }

        @Test(arguments: Form.allCases) func stoppingTheSupervisorEndsEverything(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, repository in
                for number in 0..<5 {
                    let mount = try farm.mount("m\(number)")
                    try Program.shell(
                        "cat src/name; echo x >src/name; rm -r lib; mkdir -p a/b/c; ls -R >/dev/null", in: mount.path)
                }
                #expect(try farm.processes.named("antares-worker").count >= 5)
                try farm.stopSupervisor()
                #expect(try farm.mounts() == [])
                #expect(try farm.processes.all() == [try #require(farm.originPID)])
                // The cache stays, and what it holds is used again.
                let before = try farm.fetched()
                try farm.startSupervisor()
                if form == .sealed { try farm.seal(repository) }
                let mount = try farm.mount("m0")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                try Program.shell("ls -R >/dev/null", in: mount.path)
                #expect(try farm.fetched() == before)
            }
        }

        @Test func aSecondSupervisorIsRefused() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                let second = try Program.run(
                    Program.built("antares-supervisor"), ["--config", farm.directory + "/supervisor.toml"])
                #expect(!second.succeeded)
                #expect(second.errors.contains("process \(try #require(farm.supervisorPID))"), "\(second.errors)")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                #expect(try farm.api.get("/health").body["mount_count"] == 1)
            }
        }
    }
}
