import Supervision
import Testing

@testable import OperatorAPI

/// What no body may have.
@Suite struct JSONStrictnessTests {
    private func problem(_ text: String) -> String? {
        JSONStrictness.problem(of: Array(text.utf8))
    }

    @Test(arguments: [
        "", "{", "]", "\"", "\"\\", "{}", "[]", "null", #"{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}],"A":5}"#,
        #"["a","a",{"a":"a"},"a"]"#, #"{"a":",}","b":"{\"a\":1,\"a\":2,}"}"#, #"{"a":"b","b":"a"}"#,
        "{\"a\" :\t[1 ,2]\r\n}",
    ])
    func letsPassWhatTheDecoderDecidesAbout(text: String) {
        #expect(problem(text) == nil)
    }

    @Test(arguments: [
        #"{"a":1,"a":1}"#, #"[{"a":1 , "a":2}]"#, #"{"\u0061":1,"a":2}"#, #"{"b":{"a":1},"c":[],"b":2}"#,
        #"{"\"":1,"\u0022":2}"#, "{\"\u{e9}\":1,\"e\u{301}\":2}",
    ])
    func namesAreThereOnce(text: String) {
        #expect(problem(text)?.hasSuffix("is there twice") == true)
    }

    @Test(arguments: ["[1,]", "[1 ,\n]", #"{"a":1,}"#, #"{"a":[{"b":","},]}"#, "[,]"])
    func nothingIsBehindNoComma(text: String) {
        #expect(problem(text)?.contains("a comma before") == true)
    }

    @Test func depthIsBounded() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(problem(nested(JSONStrictness.maximumDepth)) == nil)
        #expect(problem(nested(JSONStrictness.maximumDepth + 1))?.contains("inside of each other") == true)
        #expect(problem(String(repeating: "{\"a\":", count: 60_000)) != nil)
    }

    @Test func onlyUTF8IsRead() {
        let wide = #"{"path":"/"}"#.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        #expect(JSONStrictness.problem(of: wide) == "the body is not JSON in UTF-8")
    }

    @Test func everyBodyIsLookedAt() async throws {
        let conversation = Conversation(service: FakeService())
        let made = try await conversation.send("POST", "/mounts", #"{"path":"/","job_id":"j","ttl":60}"#)
        let id = try #require(made.field("mount_id") as? String)
        for (method, path, field) in [
            ("POST", "/mounts", #""path":"/""#), ("POST", "/mounts/\(id)/renew", #""ttl":5"#),
            ("POST", "/mounts/\(id)/cl", #""cl":"A""#), ("DELETE", "/mounts/\(id)/cl", #""carry":true"#),
            ("DELETE", "/mounts/\(id)", #""force":true"#), ("POST", "/cache/gc", #""target_bytes":5"#),
            ("POST", "/cache/prefetch", #""path":"/""#),
        ] {
            for body in ["{\(field),\(field)}", "{\(field),}"] {
                let answer = try await conversation.send(method, path, body)
                #expect(answer.status == 400 && answer.field("code") as? String == "BAD_PAYLOAD", "\(path) \(body)")
            }
        }
    }
}
