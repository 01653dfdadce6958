import Foundation
import Logging
import Supervision
import Testing

@testable import OperatorAPI

@Suite struct DifferenceTests {
    private func mount(_ conversation: Conversation) async throws -> String {
        let made = try await conversation.send("POST", "/mounts", #"{"path":"/","job_id":"j"}"#)
        return try #require(made.field("mount_id") as? String)
    }

    @Test func everyKindIsTold() async throws {
        let conversation = Conversation(service: FakeService())
        let id = try await mount(conversation)
        let answer = try await conversation.send("GET", "/mounts/\(id)/diff")
        #expect(answer.status == 200 && answer.field("mount_id") as? String == id)
        #expect(answer.field("total") as? Int == 5 && answer.field("truncated") as? Bool == false)
        #expect(answer.field("limit") as? Int == 10_000 && answer.field("commit") is String)
        let changes = try #require(answer.field("changes") as? [[String: String]])
        #expect(changes[0] == ["path": "a", "kind": "added", "type": "file"])
        #expect(changes[1] == ["path": "b", "kind": "deleted", "type": "directory"])
        #expect(changes[2] == ["path": "c", "kind": "modified", "type": "executable"])
        #expect(
            changes[3] == [
                "path": "d\n\u{1b}", "kind": "renamed", "type": "symlink", "from": "f\u{fffd}", "from_base64": "Zv8=",
            ])
        #expect(changes[4] == ["path": "\u{fffd}", "path_base64": "/g==", "kind": "added", "type": "other"])
    }

    @Test func aLimitIsTold() async throws {
        let conversation = Conversation(service: FakeService())
        let id = try await mount(conversation)
        for (limit, count) in [(0, 0), (2, 2), (5, 5), (1_000_000, 5)] {
            let answer = try await conversation.send("GET", "/mounts/\(id)/diff?limit=\(limit)")
            #expect((answer.field("changes") as? [Any])?.count == count && answer.field("total") as? Int == 5)
            #expect(answer.field("truncated") as? Bool == (count < 5) && answer.field("limit") as? Int == limit)
        }
        for wrong in ["limit=-1", "limit=1000001", "limit=x", "limit", "depth=1"] {
            #expect(try await conversation.send("GET", "/mounts/\(id)/diff?\(wrong)").status == 400, "\(wrong)")
        }
    }

    /// Whatever the names are, an answer has an end.
    @Test func bytesAreLimitedToo() throws {
        let status = FakeService.status(.random(), MountRequest(path: "/", jobID: nil))
        for byte: UInt8 in [0x01, 0x22, 0x61, 0xFF] {
            let changes = (0..<1000).map { _ in
                UpperChange(path: Array(repeating: byte, count: 200), kind: .renamed(from: [byte]), type: .file)
            }
            let body = DifferenceBody(status, changes, limit: 1000, maximumBytes: 100_000)
            #expect(body.changes.count < 1000 && body.changes.count > 50)
            #expect(try JSONEncoder().encode(body).count < 101_000, "\(byte)")
        }
    }

    @Test func aMountOfSomebodyElseIsNone() async throws {
        let service = FakeService()
        let id = try await mount(Conversation(service: service))
        let stranger = Caller(uid: 1001, gid: 100, pid: 6, role: .agent)
        #expect(
            try await Conversation(service: service, caller: stranger).send("GET", "/mounts/\(id)/diff").status == 404)
        let owner = Caller(uid: 1000, gid: 100, pid: 6, role: .agent)
        #expect(try await Conversation(service: service, caller: owner).send("GET", "/mounts/\(id)/diff").status == 200)
        #expect(try await Conversation(service: service).send("POST", "/mounts/\(id)/diff").status == 405)
        #expect(try await Conversation(service: service).send("GET", "/mounts/by-job/j/diff").status == 404)
        service.fail(with: SupervisorError(.conflict, "not ready"))
        #expect(try await Conversation(service: service).send("GET", "/mounts/\(id)/diff").status == 409)
    }
}
