import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    @Suite struct LifecycleTests {
        @Test(arguments: Form.allCases) func aMountFromTheRequestToItsEnd(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, repository in
                let answer = try farm.api.post("/mounts", ["path": "/", "job_id": "j1", "labels": ["team": "core"]])
                #expect(answer.status == 200)
                let id = try #require(answer.body["mount_id"].text)
                let path = try #require(answer.body["mountpoint"].text)
                #expect(path.hasPrefix(farm.mountRoot + "/"))
                #expect(try farm.mounts().contains(path))

                let status = try farm.api.get("/mounts/\(id)").body
                let published: Set = [
                    "mount_id", "job_id", "path", "cl", "mountpoint", "layers", "state", "created_at_epoch_ms",
                    "last_seen_epoch_ms",
                ]
                #expect(status.names.isSuperset(of: published))
                #expect(
                    status["layers"].names == ["upper", "cl", "dicfuse"] && status["layers"]["dicfuse"] == "shared")
                #expect(status["mount_id"] == .string(id) && status["job_id"] == "j1" && status["path"] == "/")
                #expect(status["state"] == "Ready" && status["cl"] == .null && status["mountpoint"] == .string(path))
                #expect(status["commit"] == .string(try repository.head()) && status["labels"]["team"] == "core")
                #expect(status["worker"]["restarts"] == 0)
                #expect(try #require(status["worker"]["memory_bytes"].number) > 0)
                #expect(try farm.api.get("/mounts/by-job/j1").body["mount_id"] == .string(id))
                let ready = try farm.api.get("/mounts/\(id)/ready").body
                #expect(
                    ready["ready"] == .boolean(true) && ready["state"] == "Ready" && ready["mount_id"] == .string(id))
                #expect(try farm.api.get("/mounts").body["mounts"].elements.count == 1)
                #expect(try farm.api.get("/antares/mounts/\(id)").body["mount_id"] == .string(id))
                #expect(try farm.api.get("/health").body["mount_count"] == 1)

                let worker = try #require(status["worker"]["pid"].number)
                let upper = try #require(status["layers"]["upper"].text)
                let deleted = try farm.api.delete("/mounts/by-job/j1")
                #expect(deleted.status == 200 && deleted.body["state"] == "Unmounted")
                #expect(try farm.api.get("/mounts/\(id)").status == 404)
                #expect(try farm.api.get("/mounts/by-job/j1").body["code"] == "NOT_FOUND")
                #expect(try !farm.mounts().contains(path))
                #expect(access(path, F_OK) == -1 && access(upper, F_OK) == -1)
                #expect(try !farm.processes.all().contains(Int32(worker)))
            }
        }

        @Test func askingAgainAnswersTheSameMount() throws {
            try Farm.run(Repository.small) { farm, _ in
                let first = try farm.mount("same", ["rev": "main"])
                let again = try farm.mount("same", ["rev": "main"])
                #expect(first.id == again.id && first.path == again.path)
                for other: [String: JSON] in [["path": "/src"], [:], ["rev": "main", "uid": 1]] {
                    var body: [String: JSON] = ["path": "/", "job_id": "same"]
                    body.merge(other) { $1 }
                    let answer = try farm.api.post("/mounts", .object(body))
                    #expect(answer.status == 409 && answer.body["code"] == "CONFLICT", "\(other)")
                }
                let unnamed = try farm.api.post("/mounts", ["path": "/", "build_id": "b7"]).body
                let blank = try farm.api.post("/mounts", ["path": "/", "job_id": "", "build_id": "b7"]).body
                #expect(blank["mount_id"] == unnamed["mount_id"] && blank["mount_id"].text != nil)
                try farm.unmount(first)
                let anew = try farm.mount("same", ["path": "/src"])
                #expect(anew.id != first.id)
            }
        }

        @Test(arguments: Form.allCases) func twentyRacingRequestsMakeOneMount(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let answers = Guarded<[JSON]>([])
                let api = farm.api
                let threads = try (0..<20).map { _ in
                    try SystemThread.start(name: "client") {
                        let answer = try? api.post("/mounts", ["path": "/", "job_id": "race", "rev": "main"])
                        answers.with { $0.append(answer.map { $0.status == 200 ? $0.body : .null } ?? .null) }
                    }
                }
                for thread in threads { thread.join() }
                let bodies = answers.with { $0 }
                // What is measured of the mount differs from one answer to the next.
                let ids = bodies.compactMap { $0["mount_id"].text }
                #expect(ids.count == 20 && Set(ids).count == 1)
                #expect(try farm.api.get("/mounts").body["mounts"].elements.count == 1)
                #expect(try farm.mounts().count == 2, "the mount root and one mount")
            }
        }

        @Test(arguments: Form.allCases) func revisionsAndDirectoriesAreChosen(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, repository in
                let old = try repository.head()
                try repository.git("tag", "v1", old)
                try repository.commit([("README.md", .file("newer\n")), ("only/here", .file("x"))])
                let head = try repository.head()
                if form == .sealed { try farm.seal(repository) }
                func commit(_ mount: Farm.Mount) throws -> JSON { try farm.status(mount)["commit"] }
                let newest = try farm.mount("newest")
                #expect(try File.text(newest.path + "/README.md") == "newer\n" && commit(newest) == .string(head))
                let byID = try farm.mount("id", ["rev": .string(old)])
                #expect(try File.text(byID.path + "/README.md") == "# A repository for tests\n")
                #expect(access(byID.path + "/only", F_OK) == -1 && Errno.current == .notFound)
                let tag = try farm.mount("tag", ["rev": "v1"])
                #expect(try commit(tag) == .string(old))
                // So small a tree may be sealed before its first mount is made.
                let part = try farm.mount("part", ["path": "/src/deep/", "rev": "v1"], ofAnyForm: true)
                #expect(try File.text(part.path + "/down/leaf") == "leaf\n")
                #expect(try Directory.names(part.path) == [Array("down".utf8)])
                try repository.commit([("README.md", .file("newest of all\n"))])
                #expect(try File.text(newest.path + "/README.md") == "newer\n", "a mount is pinned")
                #expect(try File.text(newest.path + "/only/here") == "x", "also where nobody looked before")
            }
        }

        @Test func whatCannotBeIsAnErrorAndNotAMount() throws {
            try Farm.run(Repository.small) { farm, _ in
                func expect(_ body: JSON, _ status: Int, _ code: JSON) throws {
                    let answer = try farm.api.post("/mounts", body)
                    #expect(answer.status == status && answer.body["code"] == code, "\(body): \(answer)")
                    #expect(answer.body["error"].text?.isEmpty == false)
                }
                try expect(["path": "/no/such/directory"], 404, "PATH_NOT_FOUND")
                try expect(["path": "/README.md"], 404, "PATH_NOT_FOUND")
                try expect(["path": "/", "rev": "no-such-branch"], 404, "REVISION_NOT_FOUND")
                try expect(["path": "/", "rev": .string(String(repeating: "0", count: 40))], 404, "REVISION_NOT_FOUND")
                try expect(["path": "/../etc"], 400, "INVALID_REQUEST")
                try expect(["path": ""], 400, "INVALID_REQUEST")
                try expect(["path": "/", "origin": "nobody"], 400, "INVALID_REQUEST")
                try expect(["job_id": "no path"], 400, "BAD_PAYLOAD")
                try expect(["path": "/", "pth": "/"], 400, "BAD_PAYLOAD")
                try expect("no object", 400, "BAD_PAYLOAD")
                #expect(try farm.api.get("/mounts").body["mounts"].elements == [])
                #expect(try farm.api.get("/mounts/not-an-id").status >= 400)
                #expect(try farm.api.get("/no/such/route").status == 404)
                #expect(try farm.mounts().count == 1)
                #expect(try farm.antares("mount", "x", "--path", "/no").status == .code(5))
                #expect(try farm.antares("umount", "nobody").status == .code(5))
                #expect(try farm.antares("mount").status == .code(0), "a job's name may be left out")
            }
        }
    }
}
