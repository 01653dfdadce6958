import Supervision
import SupervisorConfig
import Testing

@Suite struct LoaderTests {
    private func problems(
        _ text: String, environment: [String: String] = [:], flags: [(key: String, value: String)] = []
    ) -> [String] {
        do throws(ConfigurationError) {
            _ = try ConfigurationLoader.load(text: text, name: "s.toml", environment: environment, flags: flags)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test func nothingIsTheDefaults() throws {
        let loaded = try ConfigurationLoader.load(text: "", name: "s.toml")
        #expect(loaded.configuration == SupervisorConfiguration())
        #expect(loaded.sources.isEmpty)
    }

    @Test func readsEveryKey() throws {
        let text = """
            [supervisor]
            socket = "/s/a.sock"
            listen = "127.0.0.1:2726"
            token_file = "/s/tokens"
            operator_groups = ["ops"]
            hardening = false
            socket_group = "ci"
            state_dir = "/s/state"
            run_dir = "/s/run"
            mount_root = "/s/mnt"
            mountpoint_roots = ["/builds", "/srv/ci"]
            upper_root = "/s/upper"
            unmount_timeout = "3s"
            spare_workers = 0
            worker_user = "1001"
            request_timeout = "250ms"
            minimum_rate = 1000
            worker_program = "/opt/worker"
            cache_program = "/opt/cache"
            [cache]
            dir = "/s/cache"
            user = "nobody"
            limit = "20GiB"
            high_watermark = 90
            low_watermark = 50
            seal = false
            head_freshness = 2
            inode_limit = 1000000
            full_disk_memory = "64MiB"
            sweep_rate = "1MiB"
            sweep_interval = "1d"
            [origins.main]
            url = "https://mega.example"
            mirrors = ["https://a.example/x", "http://b.example:81"]
            token_file = "/etc/token"
            ca_file = "/etc/ca.pem"
            client_cert = "/etc/client.pem"
            client_key = "/etc/client.key"
            proxy = "http://proxy.example:3128"
            lfs = "https://lfs.example"
            default = true
            [origins.second-1]
            url = "http://[::1]:8000"
            """
        let c = try ConfigurationLoader.load(text: text, name: "s.toml").configuration
        #expect(c.socket == "/s/a.sock")
        #expect(c.listen == "127.0.0.1:2726")
        #expect(c.tokenFile == "/s/tokens" && c.authentication == .token)
        #expect(c.operatorGroups == ["ops"] && !c.hardening)
        #expect(c.socketGroup == "ci")
        #expect([c.stateDirectory, c.runDirectory, c.mountRoot] == ["/s/state", "/s/run", "/s/mnt"])
        #expect(c.mountpointRoots == ["/builds", "/srv/ci"])
        #expect(c.upperRoot == "/s/upper")
        #expect(c.unmountTimeout == .seconds(3))
        #expect(c.spareWorkers == 0)
        #expect(c.workerUser == "1001")
        #expect(c.requestTimeout == .milliseconds(250))
        #expect(c.minimumRate == 1000)
        #expect([c.workerProgram, c.cacheProgram] == ["/opt/worker", "/opt/cache"])
        #expect([c.cacheDirectory, c.cacheUser] == ["/s/cache", "nobody"])
        #expect(c.cacheLimit == 20 << 30)
        #expect([c.highWatermark, c.lowWatermark] == [90, 50])
        #expect(!c.seal)
        #expect(c.headFreshness == .seconds(2))
        #expect(c.inodeLimit == 1_000_000)
        #expect([c.fullDiskMemory, c.sweepRate] == [64 << 20, 1 << 20])
        #expect(c.sweepInterval == .seconds(86400))
        #expect(c.origins.map(\.name) == ["main", "second-1"])
        let main = try #require(c.origins.first)
        #expect(main.url == "https://mega.example")
        #expect(main.mirrors == ["https://a.example/x", "http://b.example:81"])
        #expect(
            [main.clientCert, main.clientKey, main.proxy] == [
                "/etc/client.pem", "/etc/client.key", "http://proxy.example:3128",
            ])
        #expect([main.tokenFile, main.caFile, main.lfs] == ["/etc/token", "/etc/ca.pem", "https://lfs.example"])
        #expect(c.defaultOrigin == main)
    }

    @Test func unknownKeysHaveALineAndASuggestion() {
        let found = problems(
            """
            # comment
            [supervisor]
            sockett = "/a"

            limit = "1GiB"
            nothing_like_it = 1
            [cach]
            [origins.a]
            url = "http://a"
            mirror = []
            """)
        #expect(
            found == [
                "s.toml:3: supervisor.sockett: unknown key; did you mean `socket`?",
                "s.toml:5: supervisor.limit: unknown key here; `limit` belongs in [cache]",
                found[2],
                "s.toml:7: cach: unknown section; did you mean `cache`?",
                "s.toml:10: origins.a.mirror: unknown key; did you mean `mirrors`?",
            ])
        #expect(found[2].hasPrefix("s.toml:6: supervisor.nothing_like_it: unknown key; known are socket, listen"))
    }

    @Test func wrongTypesAreExplained() {
        let found = problems(
            """
            [supervisor]
            socket = 5
            spare_workers = "four"
            unmount_timeout = 1.5
            request_timeout = "10 parsecs"
            mountpoint_roots = ["/a", 1]
            minimum_rate = -1
            [cache]
            limit = "20 gigs"
            [origins.a]
            url = true
            default = "yes"
            """)
        #expect(
            found == [
                "s.toml:2: supervisor.socket: takes a string, not an integer",
                "s.toml:3: supervisor.spare_workers: takes an integer, not a string",
                "s.toml:4: supervisor.unmount_timeout: takes a duration like \"10s\" or \"250ms\","
                    + " not a floating-point number",
                "s.toml:5: supervisor.request_timeout: `10 parsecs` is no duration; write it like \"10s\" or \"250ms\"",
                "s.toml:6: supervisor.mountpoint_roots: takes an array of strings, but it has an integer in it",
                "s.toml:7: supervisor.minimum_rate: takes a size like \"20GiB\" or \"500MB\", not an integer",
                "s.toml:9: cache.limit: `20 gigs` is no size; write it like \"20GiB\" or \"500MB\"",
                "s.toml:11: origins.a.url: takes a string, not a boolean",
                "s.toml:12: origins.a.default: takes true or false, not a string",
            ])
    }

    @Test func brokenSyntaxHasALine() {
        let found = problems("[supervisor]\nsocket = \"/a\"\nlisten = \n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("s.toml:3: ") == true)
        #expect(problems("origins = 5").first == "s.toml:1: origins: must be sections: [origins.NAME]")
        #expect(problems("cache = 5").first == "s.toml:1: cache: must be a section: [cache]")
        #expect(problems("[origins]\nmain = 5").first == "s.toml:2: origins.main: must be a section: [origins.main]")
    }

    @Test func aFileThatIsMissingSaysSo() {
        let error = #expect(throws: ConfigurationError.self) {
            try ConfigurationLoader.load(path: "/nonexistent/supervisor.toml")
        }
        #expect(error?.description.contains("/nonexistent/supervisor.toml: cannot be read: No such file") == true)
    }

    @Test func linesAreFoundThroughStringsArraysAndComments() {
        let found = problems(
            "[supervisor]\r\nmountpoint_roots = [ # ]\r\n  \"/a#]\",\r\n  '[bogus]',\r\n]\r\n"
                + "worker_user = \"\"\"\r\nbogus1 = 2\r\n[x]\"\"\"\r\nbogus2 = 3\r\n")
        #expect(found.contains { $0.hasPrefix("s.toml:9: supervisor.bogus2: unknown key") })
        #expect(!found.contains { $0.contains("bogus1") })
        #expect(
            problems("supervisor.\"sock et\" = 1").first?.hasPrefix("s.toml:1: supervisor.sock et: unknown") == true)
    }
}
