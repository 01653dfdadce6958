import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Mounts that end by themselves, and mounts that are not taken in.
    @Suite struct LeaseTests {
        private func waitUntilGone(_ farm: Farm, _ id: String) throws {
            let deadline = Deadline.after(.seconds(30))
            while try farm.api.get("/mounts/\(id)").status != 404 {
                if deadline.hasPassed { throw Trouble("mount \(id) does not end") }
                usleep(20_000)
            }
        }

        @Test func theTimeToLiveIsOverUnlessItIsRenewed() throws {
            try Farm.run(Repository.small) { farm, _ in
                let short = try farm.mount("short", ["ttl": 1])
                let renewed = try farm.mount("renewed", ["ttl": 2])
                #expect(try farm.antares("renew", "--ttl", "10m", "renewed").succeeded)
                let left = try #require(try farm.status(renewed)["lease_left_s"].number)
                #expect(left > 500)
                try waitUntilGone(farm, short.id)
                #expect(try farm.status(renewed)["state"] == "Ready")
                #expect(access(short.path, F_OK) == -1)
                #expect(try farm.api.post("/mounts/\(try farm.mount("none").id)/renew", .object([:])).status == 409)
                // The next supervisor goes on with the lease.
                try farm.killSupervisor()
                try farm.startSupervisor()
                #expect(try #require(try farm.status(renewed)["lease_left_s"].number) > 500)
            }
        }

        @Test(arguments: Form.allCases) func anUnusedMountEndsAndAHeldOneStays(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let held = try farm.mount("held", ["idle_ttl": 1])
                let holder = try Program.start("/bin/sleep", ["600"], directory: held.path)
                let idle = try farm.mount("idle", ["idle_ttl": 1])
                try waitUntilGone(farm, idle.id)
                #expect(try farm.status(held)["state"] == "Ready")
                holder.signal(SIGKILL)
                #expect(holder.waitForEnd(until: .after(.seconds(5))))
                _ = holder.reap()
                try waitUntilGone(farm, held.id)
            }
        }

        @Test func aMountEndsWithItsClient() throws {
            try Farm.run(Repository.small) { farm, _ in
                let runner = try Program.start(
                    Program.built("antares"),
                    ["--socket", farm.api.socket, "run", "--job", "bound", "--", "/bin/sleep", "1000"])
                let deadline = Deadline.after(.seconds(20))
                var mounts: [JSON] = []
                while mounts.first?["state"] != "Ready", !deadline.hasPassed {
                    mounts = try farm.api.get("/mounts").body["mounts"].elements
                }
                let mount = try #require(mounts.first)
                #expect(mount["bind_to_client"] == .boolean(true))
                runner.signal(SIGKILL)
                #expect(runner.waitForEnd(until: .after(.seconds(5))))
                _ = runner.reap()
                try waitUntilGone(farm, try #require(mount["mount_id"].text))
                try Program.shell(
                    "for p in /proc/[0-9]*; do [[ $(tr '\\0' ' ' <$p/cmdline) == '/bin/sleep 1000 ' ]] && kill ${p#/proc/}; done; true"
                )
            }
        }

        @Test func noMoreMountsThanAreAllowed() throws {
            let settings = "max_mounts = 2\nmount_queue = 1\nmount_queue_timeout = \"20s\""
            try Farm.run(Repository.small, Farm.Options(settings: settings)) { farm, _ in
                let first = try farm.mount("a")
                _ = try farm.mount("b")
                #expect(try farm.mount("a").id == first.id, "the same again is no further mount")
                // Of three more, one waits and two are refused.
                let clients = try (0..<3).map {
                    try Program.start(Program.built("antares"), ["--socket", farm.api.socket, "mount", "more\($0)"])
                }
                let deadline = Deadline.after(.seconds(15))
                func running() -> [ChildProcess] { clients.filter { !$0.waitForEnd(until: .now) } }
                while running().count > 1, !deadline.hasPassed {}
                let waiting = try #require(running().first)
                for client in clients where client !== waiting { #expect(client.reap() == .code(3)) }
                let refused = try Program.shell(
                    "curl -sS -i --unix-socket '\(farm.api.socket)' -d '{\"path\":\"/\",\"job_id\":\"c\"}' http://x/mounts"
                )
                #expect(refused.contains("OVERLOADED") && refused.lowercased().contains("retry-after: "), "\(refused)")
                try farm.unmount(first)
                #expect(waiting.waitForEnd(until: .after(.seconds(20))))
                #expect(waiting.reap() == .code(0))
                #expect(try farm.api.get("/mounts").body["mounts"].elements.count == 2)
            }
        }

        @Test func drainingTakesNothingInAndKeepsWhatIsThere() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("a")
                #expect(try farm.antares("drain").succeeded)
                let refused = try farm.api.post("/mounts", ["path": "/", "job_id": "b"])
                #expect(refused.status == 503 && refused.body["code"] == "OVERLOADED", "\(refused)")
                #expect(try farm.antares("mount", "c").status == .code(3))
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                #expect(try farm.antares("drain", "--undo").succeeded)
                _ = try farm.mount("b")
            }
        }

        @Test func littleMemoryRefuses() throws {
            try Farm.run(Repository.small, Farm.Options(settings: "min_free_memory = \"1000TiB\"")) { farm, _ in
                let refused = try farm.api.post("/mounts", ["path": "/", "job_id": "b"])
                #expect(refused.status == 503 && refused.body["error"].text?.contains("memory") == true, "\(refused)")
            }
        }
    }
}
