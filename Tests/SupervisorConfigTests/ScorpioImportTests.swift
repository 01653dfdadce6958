import Supervision
import SupervisorConfig
import Testing

@Suite struct ScorpioImportTests {
    @Test func whatHasACounterpartIsTaken() throws {
        let text = try ScorpioImport.configuration(
            text: """
                base_url = "http://flat:8000"
                log_level = "warning"
                store_path = "/data/store"
                load_dir_depth = 5
                [server]
                base_url = "http://mega:8000"
                [antares]
                upper_root = "/data/upper"
                """, name: "scorpio.toml")
        let loaded = try ConfigurationLoader.load(text: text, name: "imported")
        let configuration = loaded.configuration
        // A section wins over a flat key, as there.
        #expect(configuration.origins.map(\.url) == ["http://mega:8000"])
        #expect(configuration.cacheDirectory == "/data/store")
        #expect(configuration.upperRoot == "/data/upper")
        #expect(configuration.logLevel == .warning)
        #expect(text.contains("# has no counterpart: load_dir_depth"))
        #expect(!text.contains("has no counterpart: base_url"))
    }

    @Test func whatIsWrongIsSaid() {
        for (text, problem) in [
            ("base_url = ", "is not TOML"), ("base_url = \"ftp://x\"", "origins.main.url"),
            ("base_url = \"http://x\"\nstore_path = \"relative\"", "must be an absolute path"),
        ] {
            let error = #expect(throws: ConfigurationError.self) {
                try ScorpioImport.configuration(text: text, name: "scorpio.toml")
            }
            #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
        }
    }
}
