import Supervision
import SupervisorConfig
import Testing

@Suite struct ReloadTests {
    private func load(_ text: String) throws -> LoadedConfiguration {
        try ConfigurationLoader.load(text: text, name: "s.toml")
    }

    @Test func whatCanBeChangedIsChangedAndTheRestIsNamed() throws {
        let old = try load("[supervisor]\nmax_mounts = 5\n[origins.a]\nurl = \"http://a\"\n")
        let new = try load(
            """
            [supervisor]
            max_mounts = 9
            on_stop = "keep"
            worker_user = "other"
            [cache]
            limit = "1GiB"
            [origins.a]
            url = "http://b"
            """)
        let reload = ConfigurationReload(from: old, to: new)
        #expect(reload.applied == ["supervisor.on_stop", "supervisor.max_mounts"])
        #expect(reload.postponed == ["supervisor.worker_user", "cache.limit", "origins.a"])
        #expect(reload.result.configuration.maximumMounts == 9)
        #expect(reload.result.configuration.onStop == .keep)
        #expect(reload.result.source(of: "supervisor.max_mounts") == .file("s.toml", line: 2))
        // What needs a restart is still what the processes have.
        #expect(reload.result.configuration.workerUser == "antares-worker")
        #expect(reload.result.configuration.cacheLimit == old.configuration.cacheLimit)
        #expect(reload.result.configuration.origins == old.configuration.origins)
        // Read once more, only what waits is told again.
        let again = ConfigurationReload(from: reload.result, to: new)
        #expect(again.applied == [] && again.postponed == reload.postponed)
    }

    @Test func partsOfTheLogHaveLevels() throws {
        let loaded = try load("[supervisor]\nlog_level = \"warning\"\nlog_levels = [\"audit=info\", \"api=debug\"]\n")
        #expect(loaded.configuration.logLevel == .warning)
        #expect(loaded.configuration.logLevels == [.audit: .info, .api: .debug])
        #expect(loaded.description.contains("log_levels = [\"api=debug\", \"audit=info\"]  # s.toml:3\n"))
        // All that is wrong in it at once.
        let error = #expect(throws: ConfigurationError.self) {
            try load("[supervisor]\nlog_levels = [\"worker=loud\", \"cache=info\", \"wrkr=info\"]\n")
        }
        #expect(error?.description.contains("`worker=loud`, `wrkr=info` are not PART=LEVEL") == true)
        #expect(try load(loaded.file).configuration == loaded.configuration)
        for wrong in ["api", "api=loud", "kernel=debug", "api=debug=info"] {
            let error = #expect(throws: ConfigurationError.self) {
                try load("[supervisor]\nlog_levels = [\"\(wrong)\"]\n")
            }
            #expect(error?.description.contains("is not PART=LEVEL") == true)
        }
        let reload = ConfigurationReload(from: try load(""), to: loaded)
        #expect(reload.applied == ["supervisor.log_level", "supervisor.log_levels"])
    }

    @Test func theSameAgainChangesNothing() throws {
        let loaded = try load("[supervisor]\nmax_mounts = 5\n")
        let reload = ConfigurationReload(from: loaded, to: loaded)
        #expect(reload.applied == [] && reload.postponed == [] && reload.result == loaded)
    }
}
