import DescribedAPI
import Foundation
import LinuxSystem
import Testing

extension SystemTests {
    /// Every operation of the description, asked of a real supervisor: what it answers is what is described, when all is well and when not.
    @Suite struct DescribedAPITests {
        private static let unknown = "00000000-0000-4000-8000-000000000000"
        private static let tokens = "operator-token-1234567 operator\nreader-token-123456789 reader\n"

        private static func freePort() throws -> Int {
            let script = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"
            let text = try Program.shell("/usr/bin/python3 -c \"\(script)\"")
            return try #require(Int(text.filter(\.isNumber)))
        }

        @Test func everyOperationAnswersAsDescribed() throws {
            let scratch = try Scratch("tokens")
            defer { scratch.remove() }
            let tokens = scratch.path + "/tokens"
            try File.replace(tokens, with: Array(Self.tokens.utf8), mode: 0o600)
            let port = try Self.freePort()
            let settings = "listen = \"127.0.0.1:\(port)\"\ntoken_file = \"\(tokens)\""
            let options = Farm.Options(
                requestTimeout: "2s", limit: .seconds(240), awaitsImage: false, settings: settings)
            try Farm.run({ try ChangelistSeries(in: $0, count: 2).repository }, options) { farm, repository in
                let client = try DescribedClient(farm, port: port)
                try service(client)
                try cache(client)
                try mounts(farm, client)
                try changelists(farm, client)
                try endings(farm, client)
                try malformed(client)
                try strangers(client)
                try draining(client)
                try brokenOrigin(farm, repository, client)
                try client.expectError("GET", "/no/such/route", status: 404, code: "NOT_FOUND")
                try client.expectError("PATCH", "/mounts", status: 405, code: "INVALID_REQUEST")
                try client.expectError("GET", "/api/fs/mpoint", status: 410, code: "GONE")
                expectAllSeen(client)
            }
        }

        /// Each has answered well, and with every error that a client can bring about.
        private func expectAllSeen(_ client: DescribedClient) {
            // Failures of the machine itself, which are brought about elsewhere.
            let rare: Set = [500, 502, 503, 504]
            for operation in client.description.operations {
                let seen = client.seen[operation] ?? []
                #expect(seen.contains { $0 < 300 }, "\(operation) has not answered well: \(seen)")
                let unseen = client.description.statuses(of: operation).subtracting(rare).subtracting(seen)
                #expect(unseen == [], "\(operation) has not answered so")
            }
            let all = client.seen.values.reduce(into: Set<Int>()) { $0.formUnion($1) }
            #expect(all.isSuperset(of: rare), "\(all)")
        }

        // MARK: What is right

        private func service(_ client: DescribedClient) throws {
            for path in ["/health", "/status", "/workers", "/config", "/metrics", "/openapi.json", "/mounts", "/cache"]
            {
                try client.ask("GET", path, expecting: 200)
            }
            try client.ask("GET", "/logs", query: "?lines=5&level=info", expecting: 200)
            // The description itself is the one of the second address, too.
            let others = try client.ask(
                "GET", "/openapi.json", door: .network(headers: ["Authorization: Bearer reader-token-123456789"]),
                expecting: 200)
            #expect(try APIDescription(others.text.utf8).operations == client.description.operations)
        }

        private func cache(_ client: DescribedClient) throws {
            try client.ask("POST", "/cache/gc", expecting: 202)
            try client.ask("POST", "/cache/gc", "", #"{"target_bytes": 1000000000}"#, expecting: 202)
            try client.ask("POST", "/cache/verify", expecting: 202)
            let begun = try client.ask("POST", "/cache/prefetch", "", #"{"depth": 1}"#, expecting: 202)
            #expect(begun.json["preload"].number != nil)
        }

        private func mounts(_ farm: Farm, _ client: DescribedClient) throws {
            let body =
                #"{"path":"/","job_id":"one","ttl":600,"idle_ttl":300,"labels":{"a":"b"},"uid":64790,"gid":64790,"upper_policy":"delete"}"#
            let made = try client.ask("POST", "/mounts", "", body, expecting: 200).json
            let id = try #require(made["mount_id"].text)
            let place = try #require(made["mountpoint"].text)
            try Program.shell("echo x >new; rm gone; mv same other", in: place)
            for path in ["/mounts/{mount_id}", "/mounts/{mount_id}/ready", "/mounts/{mount_id}/diff"] {
                try client.ask("GET", path, id, expecting: 200)
            }
            try client.ask("GET", "/mounts/by-job/{job_id}", "one", expecting: 200)
            try client.ask("POST", "/mounts/{mount_id}/renew", id, #"{"ttl": 900}"#, expecting: 200)
            try client.ask("POST", "/mounts/{mount_id}/reset", id, expecting: 200)
            for path in ["/mounts", "/status", "/workers", "/logs"] { try client.ask("GET", path, expecting: 200) }
            // Events are text to OpenAPI; each of them is described, too.
            let events = try client.ask("GET", "/events", query: "?after=0&follow=false", expecting: 200)
            #expect(events.headers["content-type"]?.hasPrefix("text/event-stream") == true)
            let data = events.text.split(separator: "\n").filter { $0.hasPrefix("data: ") }
            #expect(data.count > 5)
            for line in data {
                #expect(client.description.problems(ofText: String(line.dropFirst(6)), as: "Event") == [], "\(line)")
            }
            try client.ask("DELETE", "/mounts/by-job/{job_id}", "one", query: "?force=maybe", expecting: 400)
            // The same job, another request.
            try client.ask("POST", "/mounts", "", #"{"path":"/deep","job_id":"one"}"#, expecting: 409)
            try client.ask("DELETE", "/mounts/by-job/{job_id}", "one", query: "?force=true", expecting: 200)
        }

        private func changelists(_ farm: Farm, _ client: DescribedClient) throws {
            let path = "/mounts/{mount_id}/cl"
            let mount = try farm.mount("two", ["cl": "S0"])
            try client.ask("GET", "/mounts/{mount_id}", mount.id, expecting: 200)
            let switched = try client.ask("POST", path, mount.id, #"{"cl":"S1"}"#, expecting: 200)
            #expect(switched.json["switch"]["state"] == "done")
            try Program.shell("echo mine >same/one", in: mount.path)
            for method in ["POST", "DELETE"] {
                try client.ask(method, path, mount.id, method == "POST" ? #"{"cl":"S0"}"# : "{}", expecting: 409)
                try client.ask(method, path, mount.id, #"{"carry":true,"discard":true,"cl":"S0"}"#, expecting: 400)
            }
            try client.ask("POST", path, mount.id, #"{"cl":"NOSUCH"}"#, expecting: 404)
            try client.ask("DELETE", path, mount.id, query: "?carry=true", expecting: 200)
            for (method, body) in [("POST", #"{"cl":"S0","discard":true}"#), ("DELETE", #"{"discard":true}"#)] {
                let begun = try client.ask(
                    method, path, mount.id, body, headers: ["Prefer: respond-async"], expecting: 202)
                #expect(begun.headers["location"] == "/mounts/\(mount.id)")
                try farm.wait(for: mount, "the exchange is over") {
                    $0["switch"]["state"] == "done" && $0["cl"].text == (method == "POST" ? "S0" : nil)
                }
            }
            // What does not begin is told at once.
            try client.ask(
                "POST", path, mount.id, #"{"cl":"\n"}"#, headers: ["Prefer: respond-async"], expecting: 400)
            // No lease, nothing to begin anew.
            try client.ask("POST", "/mounts/{mount_id}/renew", mount.id, "{}", expecting: 409)
            try client.ask("DELETE", "/mounts/{mount_id}", mount.id, #"{"kill":true}"#, expecting: 200)
        }

        private func endings(_ farm: Farm, _ client: DescribedClient) throws {
            let prefer = ["Prefer: respond-async"]
            for path in ["/mounts/{mount_id}", "/mounts/by-job/{job_id}"] {
                let begun = try client.ask(
                    "POST", "/mounts", "", #"{"path":"/","job_id":"later"}"#, headers: prefer, expecting: 202)
                let id = try #require(begun.json["mount_id"].text)
                #expect(begun.headers["location"] == "/mounts/\(id)")
                let mount = Farm.Mount(id: id, path: begun.json["mountpoint"].text ?? "")
                try farm.wait(for: mount, "it is ready") { $0["state"] == "Ready" }
                // What a stranger has covered is not ended.
                try Program.shell("mount -t tmpfs stranger '\(mount.path)'")
                let name = path.contains("job") ? "later" : id
                try client.ask("DELETE", path, name, expecting: 500)
                try Program.shell("umount '\(mount.path)'")
                try client.ask("DELETE", path, name, headers: prefer, expecting: 202)
                try until("it is gone") { try farm.api.get("/mounts/\(id)").status == 404 }
            }
        }

        // MARK: What is not

        private func malformed(_ client: DescribedClient) throws {
            for operation in client.description.operations where operation.path.contains("{") {
                let name = operation.path.contains("{mount_id}") ? Self.unknown : "nobody"
                let body = operation.method == "POST" ? #"{"cl":"S0"}"# : nil
                try client.ask(
                    operation.method, operation.path, name, operation.path.hasSuffix("/cl") ? body : nil, expecting: 404
                )
                if operation.path.contains("{mount_id}") {
                    try client.ask(operation.method, operation.path, "no-id", expecting: 400)
                }
            }
            for body in ["{", "[]", #"{"path":7}"#, #"{"path":"/","more":1}"#, #"{"path":"/../x"}"#] {
                try client.ask("POST", "/mounts", "", body, expecting: 400)
            }
            for body in [#"{"path":"/no"}"#, #"{"path":"/","rev":"no"}"#, #"{"path":"/","cl":"NO"}"#] {
                try client.ask("POST", "/mounts", "", body, expecting: 404)
            }
            try client.ask("GET", "/events", query: "?after=x", expecting: 400)
            try client.ask("GET", "/events", query: "?follow=perhaps", expecting: 400)
            try client.ask("GET", "/logs", query: "?lines=many", expecting: 400)
            try client.ask("POST", "/cache/gc", "", "[]", expecting: 400)
            try client.ask("POST", "/cache/prefetch", "", "[]", expecting: 400)
            try client.ask("POST", "/cache/prefetch", "", #"{"rev":"no-such-revision"}"#, expecting: 404)
        }

        /// Over TCP: without a token, from a page of somebody else's, and with a role that does not reach.
        private func strangers(_ client: DescribedClient) throws {
            for operation in client.description.operations {
                let name = operation.path.contains("{mount_id}") ? Self.unknown : "nobody"
                try client.ask(operation.method, operation.path, name, door: .network(headers: []), expecting: 401)
                let reader = "Authorization: Bearer reader-token-123456789"
                try client.ask(
                    operation.method, operation.path, name,
                    door: .network(headers: ["Origin: http://elsewhere.example", reader]), expecting: 403)
                if operation.method != "GET" {
                    try client.ask(
                        operation.method, operation.path, name, door: .network(headers: [reader]), expecting: 403)
                }
            }
        }

        private func draining(_ client: DescribedClient) throws {
            try client.ask("POST", "/drain", expecting: 200)
            let refused = try client.ask("POST", "/mounts", "", #"{"path":"/"}"#, expecting: 503)
            #expect(
                refused.json["code"] == "OVERLOADED" && refused.headers["retry-after"].map { Int($0) ?? 0 > 0 } == true)
            try client.ask("DELETE", "/drain", expecting: 200)
        }

        private func brokenOrigin(_ farm: Farm, _ repository: Repository, _ client: DescribedClient) throws {
            let mount = try farm.mount("three")
            let origin = try ChildProcess(adopting: try #require(farm.originPID))
            try origin.stop()
            // One that is being made has no difference and no worker.
            let begun = try client.ask(
                "POST", "/mounts", "", #"{"path":"/","rev":"refs/heads/s0"}"#, headers: ["Prefer: respond-async"],
                expecting: 202)
            let made = try #require(begun.json["mount_id"].text)
            try client.ask("GET", "/mounts/{mount_id}/diff", made, expecting: 409)
            try client.ask("POST", "/mounts/{mount_id}/reset", made, expecting: 409)
            try client.ask("DELETE", "/mounts/{mount_id}", made, expecting: 200)
            try client.ask("POST", "/mounts", "", #"{"path":"/","rev":"refs/heads/s0"}"#, expecting: 502, 504)
            origin.signal(SIGCONT)
            try farm.stopOrigin()
            let refused = try client.ask("POST", "/mounts", "", #"{"path":"/","rev":"refs/heads/s1"}"#, expecting: 502)
            #expect(refused.json["code"] == "ORIGIN_UNREACHABLE")
            try client.ask("POST", "/cache/prefetch", "", #"{"rev":"refs/heads/s1"}"#, expecting: 502)
            try client.ask("POST", "/mounts/{mount_id}/cl", mount.id, #"{"cl":"S1"}"#, expecting: 502, 504)
            try client.ask("GET", "/mounts/{mount_id}", mount.id, expecting: 200)
            try farm.startOrigin()
            try farm.unmount(mount)
        }
    }
}
