import Testing

@testable import Dicfuse

@Suite("Configuration")
struct ConfigurationTests {
    private func parse(_ json: String) throws -> CacheConfiguration {
        try CacheConfiguration.parse(Array(json.utf8))
    }

    @Test("Only directory and origins are needed, unknown keys are tolerated")
    func defaults() throws {
        let configuration = try parse(
            #"{"directory":"/c","origins":[{"name":"main","url":"http://h/x/","new":1}],"later":{}}"#)
        #expect(configuration.defaultOrigin == "main")
        #expect(configuration.connections == 32)
        #expect(configuration.requestTimeout == .seconds(10))
        #expect(configuration.origins[0].bases == ["http://h/x"])
        let full = try parse(
            """
            {"directory":"/c","origins":[{"name":"a","url":"http://h","mirrors":["https://m/"],"tokenFile":null,
             "caFile":"/ca"}],"defaultOrigin":"a","threads":3,"connections":4,"requestTimeoutMilliseconds":50,
             "connectTimeoutMilliseconds":60,"minimumRate":70,"headFreshnessMilliseconds":80}
            """)
        #expect(full.origins[0].bases == ["http://h", "https://m"])
        #expect((full.threads, full.connections, full.minimumRate) == (3, 4, 70))
    }

    @Test(
        "A bad value is named",
        arguments: [
            ("{", "JSON"), (#"{"origins":[]}"#, "directory is missing"),
            (#"{"directory":"c","origins":[{"name":"m","url":"http://h"}]}"#, "absolute"),
            (#"{"directory":"/c","origins":[]}"#, "origins is empty"),
            (#"{"directory":"/c","origins":[{"name":"m"}]}"#, "url is missing"),
            (#"{"directory":"/c","origins":[{"name":"../m","url":"http://h"}]}"#, "origin name"),
            (#"{"directory":"/c","origins":[{"name":"m","url":"ftp://h"}]}"#, "ftp://h"),
            (
                #"{"directory":"/c","origins":[{"name":"m","url":"http://h"},{"name":"m","url":"http://h"}]}"#,
                "two origins"
            ),
            (#"{"directory":"/c","origins":[{"name":"m","url":"http://h"}],"threads":0}"#, "threads is 0"),
            (#"{"directory":"/c","origins":[{"name":"m","url":"http://h"}],"threads":"x"}"#, "threads must be"),
            (#"{"directory":"/c","origins":[{"name":"m","url":"http://h"}],"defaultOrigin":"x"}"#, "defaultOrigin"),
        ])
    func badValues(_ json: String, _ expected: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try parse(json) }
        #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
    }

    @Test("Log values stay one field on one line")
    func quoting() {
        #expect(Log.quoted("plain-1.0/x") == "plain-1.0/x")
        #expect(Log.quoted("a b") == "\"a b\"")
        #expect(Log.quoted("a\n\"\\\u{1}") == #""a\n\"\\?""#)
        #expect(Log.quoted("") == "\"\"")
    }
}
