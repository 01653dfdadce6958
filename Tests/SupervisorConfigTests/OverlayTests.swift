import Supervision
import SupervisorConfig
import Testing

@Suite struct OverlayTests {
    private let file = "[supervisor]\nsocket = \"/file.sock\"\nspare_workers = 1\n[cache]\nlimit = \"1GiB\"\n"

    @Test func flagsWinOverVariablesAndThoseOverTheFile() throws {
        let loaded = try ConfigurationLoader.load(
            text: file, name: "s.toml",
            environment: [
                "ANTARES_SUPERVISOR_SOCKET": "/variable.sock", "ANTARES_CACHE_LIMIT": "2GiB", "ANTARES_CACHE_USER": "",
                "ANTARES_SUPERVISOR_MOUNTPOINT_ROOTS": "/a,/b", "ANTARES_SUPERVISOR_SPARE_WORKERS": "7",
                "ANTARES_SUPERVISOR_UNMOUNT_TIMEOUT": "1500ms", "PATH": "/bin", "ANTARES_SOCKET": "/cli.sock",
            ],
            flags: [("supervisor.socket", "/flag.sock"), ("origins.x.url", "http://x")])
        let c = loaded.configuration
        #expect(c.socket == "/flag.sock")
        #expect(c.cacheLimit == 2 << 30)
        #expect(c.cacheUser == SupervisorConfiguration().cacheUser)
        #expect(c.mountpointRoots == ["/a", "/b"])
        #expect(c.spareWorkers == 7)
        #expect(c.unmountTimeout == .milliseconds(1500))
        #expect(c.origins.map(\.url) == ["http://x"])
        #expect(loaded.source(of: "supervisor.socket") == .flag("--set supervisor.socket"))
        #expect(loaded.source(of: "cache.limit") == .environment("ANTARES_CACHE_LIMIT"))
        #expect(loaded.source(of: "cache.user") == .byDefault)
    }

    @Test func theOriginOfTheEnvironment() throws {
        let url = ["ANTARES_ORIGIN_URL": "http://e"]
        let made = try ConfigurationLoader.load(text: "", name: "s", environment: url).configuration
        #expect(made.origins.map(\.name) == ["default"])
        #expect(made.defaultOrigin?.url == "http://e")
        let overlaid = try ConfigurationLoader.load(
            text: "[origins.a]\nurl=\"http://a\"\n[origins.b]\nurl=\"http://b\"\ndefault=true\n", name: "s",
            environment: url
        ).configuration
        #expect(overlaid.origins.map(\.url) == ["http://a", "http://e"])
    }

    @Test func slipsAreReportedWithTheirName() {
        let error = #expect(throws: ConfigurationError.self) {
            try ConfigurationLoader.load(
                text: "", name: "s",
                environment: [
                    "ANTARES_SUPERVISOR_SOKET": "/a", "ANTARES_CACHE_LIMIT": "lots", "ANTARES_CACHE_QQQQQQQQQQQQ": "1",
                ],
                flags: [("supervisor.spare", "1"), ("what", "1"), ("cache.high_watermark", "x")])
        }
        let lines = error?.problems.map(\.description) ?? []
        #expect(
            lines.contains("$ANTARES_SUPERVISOR_SOKET: unknown variable; did you mean `ANTARES_SUPERVISOR_SOCKET`?"))
        #expect(lines.contains("$ANTARES_CACHE_QQQQQQQQQQQQ: unknown variable; `antares config show` lists the keys"))
        #expect(lines.contains { $0.hasPrefix("$ANTARES_CACHE_LIMIT: cache.limit: `lots` is no size") })
        #expect(lines.contains { $0.hasPrefix("--set supervisor.spare: unknown key") })
        #expect(lines.contains { $0.hasPrefix("--set what: unknown key `what`") })
        #expect(lines.contains("--set cache.high_watermark: takes an integer, not text"))
        #expect(lines.count == 6)
    }

    @Test func whatIsShownLoadsToTheSame() throws {
        let loaded = try ConfigurationLoader.load(
            text: file + "[origins.o]\nurl = \"http://o\"\nmirrors = [\"http://m\"]\n", name: "s.toml",
            environment: ["ANTARES_CACHE_DIR": "/quote\"and\\slash"])
        let again = try ConfigurationLoader.load(text: loaded.description, name: "shown")
        #expect(again.configuration == loaded.configuration)
        #expect(loaded.description.contains("socket = \"/file.sock\"  # s.toml:2"))
        #expect(loaded.description.contains("limit = \"1GiB\"  # s.toml:5"))
    }
}
