import HTTPTypes
import NIOCore
import Supervision
import Testing

@testable import OperatorAPI

@Suite struct RouteTests {
    @Test(arguments: ["", "/antares"]) func routes(prefix: String) {
        #expect(Route(path: prefix + "/health") == .health)
        #expect(Route(path: prefix + "/mounts") == .mounts)
        #expect(Route(path: prefix + "/mounts/?x=1") == .mounts)
        #expect(Route(path: prefix + "/mounts/abc") == .mount("abc"))
        #expect(Route(path: prefix + "/mounts/abc/ready") == .ready("abc"))
        #expect(Route(path: prefix + "/mounts/abc/cl") == .changelist("abc"))
        #expect(Route(path: prefix + "/mounts/by-job/j") == .job("j"))
        #expect(Route(path: prefix + "/mounts/abc/reset") == .reset("abc"))
        #expect(Route(path: prefix + "/workers") == .workers)
        #expect(Route(path: prefix + "/openapi.json") == .openAPI)
        #expect(Route(path: prefix + "/mounts/m/diff?limit=1") == .diff("m"))
        #expect(Route(path: prefix + "/api/fs/select/17?x=1") == .legacy("/api/fs/select/17"))
        #expect(Route(path: prefix + "/mounts/by-job/ready") == .job("ready"))
    }

    @Test func jobsMayHaveAnyName() {
        #expect(Route(path: "/mounts/by-job/a%2Fb%3Fc%23d%25e%20f") == .job("a/b?c#d%e f"))
        #expect(Route(path: "/mounts/by-job/%2E%2E") == .job(".."))
        #expect(Route(path: "/mounts/by-job/%c3%A9%00%F0%9F%92%A9") == .job("é\u{0}💩"))
        #expect(Route(path: "/mounts/by-job/antares") == .job("antares"))
    }

    @Test(arguments: [
        "", "/", "health", "/nothing", "/antares", "/mounts/by-job/a/b", "/mounts/a/other", "/mounts/by-job/%",
        "/mounts/by-job/%4", "/mounts/by-job/%GG", "/mounts/by-job/%FF", "/antares/antares/health", "//mounts",
    ])
    func otherPathsAreNone(path: String) {
        #expect(Route(path: path) == nil)
    }

    @Test func everyCodeHasItsStatus() {
        let expected: [SupervisorError.Code: Int] = [
            .invalidRequest: 400, .badPayload: 400, .notFound: 404, .pathNotFound: 404, .revisionNotFound: 404,
            .changelistNotFound: 404, .conflict: 409, .changelistConflict: 409,
            .originUnreachable: 502, .originCorrupt: 502, .timedOut: 504, .mountFailed: 500,
            .internalError: 500, .overloaded: 503, .shuttingDown: 503, .forbidden: 403, .unauthorized: 401,
            .gone: 410,
        ]
        for code in SupervisorError.Code.allCases { #expect(code.status.code == expected[code]) }
    }

    @Test func limitsFollowTheExchange() {
        let limits = ConnectionLimits(idle: .seconds(1), request: .seconds(2), response: .seconds(3))
        var times = ConnectionTimes(limits: limits)
        #expect(times.handle(.opened) == .start(.seconds(1)))
        #expect(times.handle(.requestHead) == .start(.seconds(2)))
        #expect(times.handle(.requestEnd) == .stop)
        #expect(times.handle(.responseHead) == .start(.seconds(3)))
        #expect(times.handle(.responseEnd) == .start(.seconds(1)))
    }

    @Test func anEarlyAnswerDoesNotFreeASlowBody() {
        let limits = ConnectionLimits(idle: .seconds(1), request: .seconds(2), response: .seconds(3))
        var times = ConnectionTimes(limits: limits)
        _ = times.handle(.requestHead)
        #expect(times.handle(.responseHead) == .start(.seconds(3)))
        #expect(times.handle(.responseEnd) == .start(.seconds(2)))
        #expect(times.handle(.requestEnd) == .start(.seconds(1)))
    }

    @Test func aPipelinedRequestIsNotCutOffWhileItWaits() {
        let limits = ConnectionLimits(idle: .seconds(1), request: .seconds(2), response: .seconds(3))
        var times = ConnectionTimes(limits: limits)
        _ = times.handle(.requestHead)
        _ = times.handle(.requestEnd)
        _ = times.handle(.requestHead)
        #expect(times.handle(.requestEnd) == .stop)
        #expect(times.handle(.responseHead) == .start(.seconds(3)))
        #expect(times.handle(.responseEnd) == .stop)
        _ = times.handle(.responseHead)
        #expect(times.handle(.responseEnd) == .start(.seconds(1)))
    }
}
