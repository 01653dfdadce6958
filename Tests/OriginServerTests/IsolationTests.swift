import Foundation
import GitObjects
import Hummingbird
import HummingbirdTesting
import LinuxSystem
import Testing

@testable import OriginServer

/// A repository of somebody else must not be able to run anything, nor lend itself to reading what its owner may not.
@Suite(.timeLimit(.minutes(2))) struct IsolationTests {
    static let stranger: uid_t = 54_321

    @Test func configurationAndHooksRunNothing() async throws {
        let repository = try TestRepository.furnished()
        try repository.git(["mv", "README", "READ.ME"])
        try repository.write("READ.ME", "hello again\nand again\n")
        try repository.git(["update-ref", "refs/cl/TRAP", try repository.commit("renamed").hex])
        try repository.git(["reset", "-q", "--hard", "HEAD~1"])
        let marker = repository.path + ".ran"
        defer { try? FileManager.default.removeItem(atPath: marker) }
        let trap = repository.path + "/.git/trap"
        try "#!/bin/sh\necho \"$0 $*\" >> \(marker)\nexec cat\n".write(
            toFile: trap, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: trap)
        for hook in ["post-checkout", "pre-auto-gc", "reference-transaction", "post-index-change"] {
            try FileManager.default.createSymbolicLink(
                atPath: repository.path + "/.git/hooks/\(hook)", withDestinationPath: trap)
        }
        let present = try repository.id("HEAD:README")
        let absent = try repository.id("HEAD:src/main.c")
        let settings = [
            "core.fsmonitor": trap, "core.pager": trap, "pager.cat-file": trap, "pager.rev-parse": trap,
            "core.sshCommand": trap, "core.askPass": trap, "core.gitProxy": trap, "core.editor": trap,
            "core.alternateRefsCommand": trap, "core.attributesFile": repository.path + "/.git/attributes",
            "alias.cat-file": "!\(trap)", "alias.rev-parse": "!\(trap)", "diff.external": trap,
            "diff.trap.textconv": trap,
            "filter.trap.smudge": trap, "filter.trap.clean": trap, "filter.trap.process": trap,
            "filter.trap.required": "true",
            "credential.helper": "!\(trap)", "gpg.program": trap, "protocol.allow": "always",
            "protocol.ext.allow": "always", "remote.origin.url": "ext::\(trap)", "remote.origin.promisor": "true",
            "remote.origin.uploadpack": trap, "remote.origin.partialclonefilter": "blob:none",
            "extensions.partialClone": "origin", "core.repositoryFormatVersion": "1",
            "include.path": "included",
        ]
        for (key, value) in settings { try repository.git(["config", key, value]) }
        try "[core]\n\thooksPath = hooks\n\tfsmonitor = \(trap)\n".write(
            toFile: repository.path + "/.git/included", atomically: true, encoding: .utf8)
        try "* filter=trap diff=trap\n".write(
            toFile: repository.path + "/.git/attributes", atomically: true, encoding: .utf8)
        // In a partial clone git fetches what is missing, if it may.
        let file = repository.path + "/.git/objects/\(absent.hex.prefix(2))/\(absent.hex.dropFirst(2))"
        try FileManager.default.removeItem(atPath: file)
        try? FileManager.default.removeItem(atPath: marker)

        try await serving(repository) { (client) async throws in
            #expect(try await client.get("/api/v1/file/blob/\(present)").status == .ok)
            let missing = try await client.get("/api/v1/file/blob/\(absent)")
            #expect(missing.status != .ok)
            _ = try await client.get("/api/v1/latest-commit?path=/src")
            let tree = try #require(try await client.object("/antares/v1/commits/HEAD")["tree"] as? String)
            _ = try? await client.get("/antares/v1/trees/\(tree)?recursive=1")
            // Contents are compared, and the configuration names programs for that.
            #expect(try await client.get("/api/v1/cl/TRAP/files-list").status == .ok)
        }
        let ran = (try? String(contentsOfFile: marker, encoding: .utf8)) ?? ""
        #expect(ran.isEmpty)
    }

    @Test(.enabled(if: getuid() == 0)) func rootReadsAsTheOwner() async throws {
        let repository = try TestRepository.furnished()
        try Self.give(repository.path, to: Self.stranger)
        let origin = try makeOrigin(repository)
        #expect(origin.store.repository.user == Accounts.User(uid: Self.stranger, gid: Self.stranger))
        try await serving(origin) { (client) async throws in
            let response = try await client.get("/api/v1/file/blob/\(try repository.id("HEAD:README"))")
            #expect(String(buffer: response.body) == "hello again\n")
            for pid in origin.store.idleProcesses {
                let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
                let ids = Array(repeating: "\(Self.stranger)", count: 4).joined(separator: "\t")
                #expect(status.contains("Uid:\t\(ids)\n"))
                #expect(status.contains("Gid:\t\(ids)\n"))
                #expect(status.contains("Groups:\t \n"))
                #expect(status.contains("NoNewPrivs:\t1\n"))
                let environment = try Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/environ"))
                #expect(!String(decoding: environment, as: UTF8.self).contains("HOME=/root"))
            }
            #expect(!origin.store.idleProcesses.isEmpty)
        }
    }

    @Test(.enabled(if: getuid() == 0)) func alternatesDoNotOpenWhatTheOwnerMayNotRead() async throws {
        let secret = try TestRepository()
        try secret.write("secret", "only for root")
        try secret.commit("secret")
        let id = try secret.id("HEAD:secret")
        chmod(secret.path, 0o700)
        let repository = try TestRepository.furnished()
        try "\(secret.path)/.git/objects\n".write(
            toFile: repository.path + "/.git/objects/info/alternates", atomically: true, encoding: .utf8)
        try Self.give(repository.path, to: Self.stranger)
        try await serving(repository) { (client) async throws in
            #expect(try await client.get("/api/v1/file/blob/\(id)").status != .ok)
            #expect(try await client.get("/api/v1/file/blob/\(try repository.id("HEAD:README"))").status == .ok)
        }
    }

    static func give(_ path: String, to uid: uid_t) throws {
        try check(lchown(path, uid, uid), "lchown")
        for name in try FileManager.default.subpathsOfDirectory(atPath: path) {
            _ = lchown("\(path)/\(name)", uid, uid)
        }
    }
}
