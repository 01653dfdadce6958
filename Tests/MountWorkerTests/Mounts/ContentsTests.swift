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

        @Test func anyBytesMakeAName() throws {
            let names: [[UInt8]] =
                [
                    "with space", "quote\"'`", "a&b%20#c?", "line\nbreak", "tab\t", "\u{e9}\u{1F600}", "-dash",
                    "back\\slash",
                ].map { Array($0.utf8) } + [[0xFF, 0xFE, 0x80], [0x01], [UInt8](repeating: 0x78, count: 255)]
            let tree = try FakeTree(root: names.map { ($0, .file($0)) })
            let mount = try TestMount(tree)
            try mount.startWorker()
            let listed = try Fd.list(mount.root, ".").map(\.name)
            #expect(Set(listed) == Set(names))
            for name in names {
                let number = (name + [0]).withUnsafeBytes {
                    openat(mount.root, $0.baseAddress!.assumingMemoryBound(to: CChar.self), O_RDONLY)
                }
                let file = OwnedFD(taking: try check(number, "openat"))
                #expect(try File.contents(of: file.raw) == name)
            }
            #expect(
                Fd.failure { _ = try Fd.status(mount.root, String(repeating: "x", count: 256)) } == .nameTooLong)
        }

        @Test func programsRun() throws {
            let mount = try TestMount(
                try FakeTree([
                    ("script", .file(Array("#!/bin/sh\nexit 7\n".utf8), executable: true)),
                    ("sh", .file(try File.contents("/bin/sh", limit: 1 << 24), executable: true)),
                    ("data", .text("#!/bin/sh\n")),
                ]))
            try mount.startWorker()
            for (program, code) in [("script", Int32(7)), ("sh", 5), ("data", 126)] {
                let job = try ChildProcess.spawn(
                    ProcessSpec(
                        path: "/bin/sh", arguments: ["-c", "/proc/self/fd/3/\(program) -c 'exit 5'"],
                        fds: [nil, nil, nil, mount.root]))
                #expect(job.waitForEnd(until: .after(.seconds(20))))
                #expect(job.reap() == .code(code), "\(program)")
            }
        }

        @Test func sizesThatAreNotListedAreAskedFor() throws {
            let tree = try FakeTree([
                ("f", .unsized(Array("unsized".utf8), executable: true)), ("g", .unsized([], executable: false)),
                ("h", .text("sized")),
            ])
            let mount = try TestMount(tree)
            try mount.startWorker()
            #expect(try Fd.list(mount.root, ".").map(\.type) == [8, 8, 8])
            #expect(try Fd.contents(mount.root, "f") == Array("unsized".utf8))
            #expect(try Fd.status(mount.root, "f").st_mode == 0o100755)
            #expect(try Fd.status(mount.root, "g").st_size == 0)
            #expect(try Fd.status(mount.root, "h").st_size == 5)
        }

        @Test func aDirectoryOfAHundredThousandEntries() throws {
            let count = 100_000
            let tree = try FakeTree(root: [
                (Array("many".utf8), .directory((0..<count).map { (Array("entry-\($0)".utf8), .file([])) }))
            ])
            let mount = try TestMount(tree)
            let first = try mount.startWorker()
            let listed = try Fd.list(mount.root, "many")
            #expect(listed.count == count)
            #expect(Set(listed.map(\.name)).count == count)
            #expect(try Fd.status(mount.root, "many/entry-99999").st_size == 0)
            #expect(Fd.failure { _ = try Fd.status(mount.root, "many/entry-100000") } == .notFound)
            #expect(mount.owner.count(tree.ids["many"]!) == 1)
            first.kill()
            try mount.startWorker()
            #expect(try Fd.list(mount.root, "many").count == count)
        }

        @Test func filesOverFourGigabytes() throws {
            let path = "/tmp/antares-sparse-\(getpid())"
            let size: UInt64 = 5 << 30
            let file = try File.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
            unlink(path)
            try check(ftruncate(file.raw, off_t(size)), "ftruncate")
            let end = Array("the far end".utf8)
            try end.withUnsafeBytes { try File.write(file.raw, $0, at: Int64(size) - Int64(end.count)) }
            let mount = try TestMount(try FakeTree([("huge", .stored(SharedFD(file), size: size))]))
            try mount.startWorker()
            #expect(try Fd.status(mount.root, "huge").st_size == off_t(size))
            #expect(try Fd.bytes(mount.root, "huge", at: Int64(size) - Int64(end.count), count: 64) == end)
            #expect(try Fd.bytes(mount.root, "huge", at: 4 << 30, count: 3) == [0, 0, 0])
            #expect(try Fd.bytes(mount.root, "huge", at: Int64(size), count: 3) == [])
        }

        @Test func anObjectFileThatIsTooShortIsAFailure() throws {
            let file = try SharedMemory.sealedFile(name: "short", UnsafeRawBufferPointer(start: nil, count: 0))
            let mount = try TestMount(try FakeTree([("short", .stored(SharedFD(file), size: 100))]))
            let worker = try mount.startWorker()
            #expect(Fd.failure { _ = try Fd.contents(mount.root, "short") } == .ioError)
            #expect(try worker.status().failures > 0)
        }

        @Test func nothingCanBeWritten() throws {
            let mount = try TestMount(try FakeTree([("f", .text("x"))]))
            try mount.startWorker()
            #expect(
                Fd.failure { _ = try File.open(at: mount.root, "new", O_WRONLY | O_CREAT, mode: 0o600) } == .readOnly)
            #expect(Fd.failure { _ = try File.open(at: mount.root, "f", O_WRONLY) } == .readOnly)
        }

        @Test func deepTrees() throws {
            let depth = 300
            var item = FakeItem.folder([("leaf", .text("bottom"))])
            for _ in 0..<depth { item = .folder([("d", item)]) }
            let mount = try TestMount(try FakeTree([("d", item)]))
            let first = try mount.startWorker()
            let path = String(repeating: "d/", count: depth + 1) + "leaf"
            #expect(try Fd.contents(mount.root, path) == Array("bottom".utf8))
            first.kill()
            try mount.startWorker()
            #expect(try Fd.contents(mount.root, path) == Array("bottom".utf8))
        }
    }
}
