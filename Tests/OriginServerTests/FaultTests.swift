import Foundation
import GitObjects
import Hummingbird
import HummingbirdTesting
import LinuxSystem
import Testing

@testable import OriginServer

@Suite(.timeLimit(.minutes(2))) struct FaultTests {
    @Test func killedGitProcessesAreReplaced() async throws {
        let repository = try TestRepository.furnished()
        let origin = try makeOrigin(repository)
        let tree = try repository.id("HEAD^{tree}")
        try await serving(origin) { (client) async throws in
            _ = try await client.frames("/antares/v1/trees/\(tree)")
            let killed = origin.store.idleProcesses
            #expect(killed.count >= 2)
            for pid in killed { kill(pid, SIGKILL) }
            for name in ["HEAD:README", "HEAD:link"] {
                let response = try await client.get("/api/v1/file/blob/\(try repository.id(name))")
                #expect(response.status == .ok)
            }
            #expect(Set(origin.store.idleProcesses).isDisjoint(with: killed.prefix(1)))
            #expect(try await client.counter("antares_origin_git_restarts_total") >= 1)
        }
    }

    @Test func aGitThatDoesNotAnswerIsLate() async throws {
        let repository = try TestRepository.furnished()
        var limits = shortLimits
        limits.gitDeadline = .seconds(2)
        limits.readers = 1
        let origin = try makeOrigin(repository, limits: limits)
        let uri = "/api/v1/file/blob/\(try repository.id("HEAD:README"))"
        try await serving(origin) { (client) async throws in
            #expect(try await client.get(uri).status == .ok)
            let stopped = origin.store.idleProcesses
            for pid in stopped { kill(pid, SIGSTOP) }
            let late = try await client.get(uri)
            #expect(late.status == .serviceUnavailable)
            #expect(late.headers[.retryAfter] == "1")
            // The one that hangs was ended, and another answers.
            #expect(try await client.get(uri).status == .ok)
            #expect(Set(origin.store.idleProcesses).isDisjoint(with: stopped))
        }
    }

    @Test func aRepositoryThatVanishesIsAFailureNotAnAbsence() async throws {
        let repository = try TestRepository.furnished()
        let known = try repository.id("HEAD:README")
        let unknown = try repository.id("HEAD:src/main.c")
        try await serving(repository) { (client) async throws in
            #expect(try await client.get("/api/v1/file/blob/\(known)").status == .ok)
            try FileManager.default.moveItem(atPath: repository.path, toPath: repository.path + ".away")
            for uri in [
                "/api/v1/file/blob/\(unknown)", "/antares/v1/commits/HEAD", "/api/v1/tree/content-hash?path=/src",
            ] {
                #expect(try await client.get(uri).status == .serviceUnavailable)
            }
            try FileManager.default.moveItem(atPath: repository.path + ".away", toPath: repository.path)
            #expect(try await client.get("/api/v1/file/blob/\(unknown)").status == .ok)
        }
    }

    @Test func aRepositoryThatIsReplacedIsReadAnew() async throws {
        let repository = try TestRepository.furnished()
        let other = try TestRepository()
        try other.write("only-here", "other")
        let commit = try other.commit("other")
        try await serving(repository) { (client) async throws in
            _ = try await client.object("/antares/v1/commits/HEAD")
            try FileManager.default.removeItem(atPath: repository.path)
            try FileManager.default.copyItem(atPath: other.path, toPath: repository.path)
            #expect(try await client.object("/antares/v1/commits/HEAD")["commit"] as? String == commit.hex)
        }
    }

    @Test func aDamagedObjectIsAFailureNotAnAbsence() async throws {
        let repository = try TestRepository.furnished()
        let id = try repository.id("HEAD:README")
        let file = repository.path + "/.git/objects/\(id.hex.prefix(2))/\(id.hex.dropFirst(2))"
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        try Data("this is not zlib".utf8).write(to: URL(fileURLWithPath: file))
        try await serving(repository) { (client) async throws in
            #expect(try await client.get("/api/v1/file/blob/\(id)").status == .internalServerError)
            #expect(try await client.get("/api/v1/file/blob/\(String(repeating: "ab", count: 20))").status == .notFound)
            let other = try repository.id("HEAD:src/main.c")
            #expect(try await client.get("/api/v1/file/blob/\(other)").status == .ok)
        }
    }

    @Test func manyRequestsAtOnceShareFewProcesses() async throws {
        let repository = try TestRepository.furnished()
        let origin = try makeOrigin(repository)
        let ids = try TestRepository.oddNames.map { name in (name, try repository.id("HEAD:./\(name)")) }
        try await serving(origin) { (client) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for round in 0..<20 {
                    for (name, id) in ids {
                        group.addTask {
                            let body = try await client.get("/api/v1/file/blob/\(id)?\(round)").body
                            #expect(String(buffer: body) == "content of \(name)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(origin.store.idleProcesses.count <= origin.configuration.limits.readers)
            #expect(try await client.counter("antares_origin_blobs_served_total") == 20 * ids.count)
        }
    }

    @Test func tooManyWaitingRequestsAreTurnedAway() async throws {
        var limits = shortLimits
        limits.queue = 0
        try await serving(try makeOrigin(TestRepository.furnished(), limits: limits)) { (client) async throws in
            #expect(try await client.get("/antares/v1/commits/HEAD").status == .serviceUnavailable)
            #expect(try await client.get("/").status == .ok)
        }
    }

    @Test func whatIsNoRepositoryIsRefused() throws {
        let plain = NSTemporaryDirectory() + "origin-plain-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: plain, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: plain) }
        let git = try GitProgram(nil, deadline: .after(.seconds(20)))
        func code(_ path: String) -> OriginError.Code? {
            do throws(OriginError) {
                _ = try GitRepository(path, git: git, deadline: .after(.seconds(20)))
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(plain) == .notARepository)
        #expect(code(plain + "/nowhere") == .notARepository)
        let repository = try TestRepository.furnished()
        #expect(code(repository.path) == nil)
        #expect(code(repository.path + "/.git") == nil)
        // Only what was named: a directory inside a repository is not one.
        #expect(code(repository.path + "/src") == .notARepository)
        try repository.git(["worktree", "add", "-q", plain + "/tree", "v1"])
        #expect(code(plain + "/tree") == nil)
        try repository.git(["init", "-q", "--object-format=sha256", plain + "/wide"])
        #expect(code(plain + "/wide") == .objectFormat)
    }

    @Test func gitHasToBeUsable() throws {
        for path in ["/nonexistent/git", "/bin/false", "/bin/cat"] {
            let error = #expect(throws: OriginError.self) { try GitProgram(path, deadline: .after(.seconds(20))) }
            #expect(error?.code == .gitUnusable)
        }
    }
}
