import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// The log of the service and of all that it starts.
    @Suite struct LogTests {
        @Test("Whoever writes it, a line of the log is one JSON object, and has the level that its part is given")
        func everyLineIsJSON() throws {
            let options = Farm.Options(requestTimeout: "300ms", logFormat: "json", settings: "log_levels = []")
            try Farm.run(Repository.small, options) { farm, _ in
                func lines() throws -> [JSON] {
                    try farm.log().split(separator: "\n").map { try JSON(Array($0.utf8)) }
                }
                let mount = try farm.mount("m")
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                #expect(try !Program.run("/bin/cat", [mount.path + "/lib/one"]).succeeded)
                origin.signal(SIGCONT)
                try farm.unmount(mount)
                let deadline = Deadline.after(.seconds(20))
                while try !lines().contains(where: { $0["part"] == "worker" }), !deadline.hasPassed {
                    _ = poll(nil, 0, 20)
                }
                let all = try lines()
                for line in all {
                    for name in ["time", "level", "part", "message"] { #expect(line[name].text?.isEmpty == false) }
                }
                #expect(all.contains { $0["part"] == "supervisor" && $0["message"] == "ready" })
                #expect(
                    all.contains { $0["part"] == "audit" && $0["method"] == "DELETE" && $0["target"].text == mount.id })
                #expect(all.contains { $0["part"] == "cache" && $0["level"] == "info" && $0["message"] == "ready" })
                #expect(
                    all.contains { $0["part"] == "worker" && $0["level"] == "warning" && $0["mount"].text == mount.id })

                // What a part says at a level that it is no longer given is not written.
                func of(_ part: JSON) throws -> Int { try lines().count { $0["part"] == part } }
                try Program.shell(
                    "sed -i 's/^log_levels.*/log_levels = [\"cache=error\", \"audit=error\"]/' supervisor.toml",
                    in: farm.directory)
                farm.supervisor?.signal(SIGHUP)
                let reloaded = Deadline.after(.seconds(30))
                while try !lines().contains(where: { $0["message"] == "the configuration was read again" }),
                    !reloaded.hasPassed
                { _ = poll(nil, 0, 20) }
                let before = try (cache: of("cache"), audit: of("audit"))
                func owner() throws -> Int32? {
                    try farm.api.get("/status").body["processes"].elements.first { $0["kind"] == "cache" }
                        .flatMap { $0["pid"].number }.map { Int32($0) }
                }
                let first = try #require(try owner())
                try ChildProcess(adopting: first).signal(SIGKILL)
                let restarted = Deadline.after(.seconds(30))
                while try owner() ?? first == first, !restarted.hasPassed { _ = poll(nil, 0, 20) }
                // Its next owner says that it is ready, but not at this level.
                let other = try farm.mount("other")
                try farm.unmount(other)
                #expect(try of("cache") == before.cache && of("audit") == before.audit)
            }
        }

        @Test("While there is no supervisor, those that live on write to standard error themselves")
        func linesWithoutASupervisor() throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "300ms", onStop: "keep")) { farm, _ in
                let mount = try farm.mount("m")
                try farm.killSupervisor()
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                #expect(try !Program.run("/bin/cat", [mount.path + "/lib/one"]).succeeded)
                origin.signal(SIGCONT)
                let deadline = Deadline.after(.seconds(20))
                func isSaid() throws -> Bool {
                    try farm.log().split(separator: "\n").contains {
                        $0.hasPrefix("antares-worker[") && $0.contains(mount.id)
                    }
                }
                while try !isSaid(), !deadline.hasPassed { _ = poll(nil, 0, 20) }
                #expect(try isSaid())
                try farm.startSupervisor()
                try farm.unmount(mount)
            }
        }
    }
}
