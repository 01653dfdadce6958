import GitObjects
import Glibc
import LinuxSystem
import Testing
import WorkerProtocol

@testable import MountWorker

extension MountTests {
    @Suite struct ContentsTests {
        @Test func showsFilesLinksAndDirectories() throws {
            let big = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let tree = try FakeTree([
                ("hello.txt", .text("hello\n")), ("empty", .file([])),
                ("tool", .file(Array("#!/bin/sh\nexit 7\n".utf8), executable: true)),
                ("link", .link(Array("sub/inner".utf8))), ("module", .submodule),
                ("sub", .folder([("inner", .text("inside")), ("deeper", .folder([("x", .file(big))]))])),
            ])
            let mount = try TestMount(tree)
            try mount.startWorker()
            #expect(try Fd.contents(mount.root, "hello.txt") == Array("hello\n".utf8))
            #expect(try Fd.contents(mount.root, "empty") == [])
            #expect(try Fd.contents(mount.root, "sub/deeper/x") == big)
            #expect(try Fd.contents(mount.root, "link") == Array("inside".utf8))
            #expect(try Fd.target(mount.root, "link") == Array("sub/inner".utf8))
            #expect(try Fd.list(mount.root, "module").isEmpty)
            #expect(
                try Fd.list(mount.root, ".").map { String(decoding: $0.name, as: UTF8.self) }
                    == ["empty", "hello.txt", "link", "module", "sub", "tool"])
            #expect(Fd.failure { _ = try Fd.status(mount.root, "missing") } == .notFound)
            #expect(Fd.failure { _ = try Fd.status(mount.root, "module/x") } == .notFound)
            #expect(Fd.failure { _ = try Fd.contents(mount.root, "hello.txt/x") } == .notADirectory)

            let status = try Fd.status(mount.root, "sub/deeper/x")
            #expect(status.st_mode == 0o100644)
            #expect(status.st_size == 300_000)
            #expect(status.st_blocks == 586)
            #expect(status.st_nlink == 1)
            #expect(status.st_uid == 1234)
            #expect(status.st_gid == 4321)
            #expect(status.st_mtim.tv_sec == 1_700_000_000)
            #expect(try Fd.status(mount.root, "tool").st_mode == 0o100755)
            #expect(try Fd.status(mount.root, "module").st_mode == 0o040755)
            #expect(try Fd.status(mount.root, "link").st_mode == 0o120777)
            #expect(try Fd.status(mount.root, "link").st_size == 9)
            #expect(try Fd.status(mount.root, ".").st_ino == 1)
        }
    }
}
