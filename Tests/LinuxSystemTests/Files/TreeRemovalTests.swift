import Glibc
import Testing

@testable import LinuxSystem

@Suite struct TreeRemovalTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func remove(_ name: String) throws {
        let base = try Directory.open(directory.path)
        try TreeRemoval.remove(at: base.raw, name)
    }

    private func names() throws -> Set<String> {
        Set(try Directory.names(directory.path).map { String(decoding: $0, as: UTF8.self) })
    }

    @Test func allBelowGoes() throws {
        for name in ["t/a/b/c", "t/a/d", "t/e"] { _ = try directory.directory(name) }
        for name in ["t/f", "t/a/g", "t/a/b/c/h"] { _ = try directory.file(name, "x") }
        let base = try File.open(directory.path + "/t/a", O_RDONLY | O_DIRECTORY)
        try #require([0xFF, 0x0A, 0].withUnsafeBufferPointer { mkdirat(base.raw, name($0), 0o755) } == 0)
        try #require(mkfifo(directory.path + "/t/pipe", 0o600) == 0)
        _ = try directory.file("kept")
        try remove("t")
        #expect(try names() == ["kept"])
    }

    @Test func nothingThereIsNoError() throws {
        try remove("none")
        _ = try directory.file("file", "x")
        try remove("file")
        #expect(try names().isEmpty)
    }

    @Test func linksAreRemovedNotFollowed() throws {
        _ = try directory.directory("outside/inner")
        _ = try directory.file("outside/file", "kept")
        _ = try directory.directory("t")
        try #require(symlink(directory.path + "/outside", directory.path + "/t/directory") == 0)
        try #require(symlink(directory.path + "/outside/file", directory.path + "/t/file") == 0)
        try remove("t")
        #expect(try names() == ["outside"])
        #expect(try File.text(directory.path + "/outside/file") == "kept")
        try #require(symlink("outside", directory.path + "/link") == 0)
        try remove("link")
        #expect(try Directory.names(directory.path + "/outside").count == 2)
    }

    @Test func aTreeMayBeDeeperThanDescriptorsAndPathsAllow() throws {
        var here = try File.open(directory.path, O_RDONLY | O_DIRECTORY)
        for level in 0..<1200 {
            let name = level == 0 ? "t" : "directory"
            try #require(mkdirat(here.raw, name, 0o755) == 0)
            here = try File.open(at: here.raw, name, O_RDONLY | O_DIRECTORY)
        }
        try remove("t")
        #expect(try names().isEmpty)
    }

    @Test func closedDirectoriesAreOpened() throws {
        let inner = try directory.directory("t/closed")
        _ = try directory.file("t/closed/file", "x")
        try #require(chmod(inner, 0) == 0)
        try #require(chmod(directory.path + "/t", 0o500) == 0)
        try remove("t")
        #expect(try names().isEmpty)
    }

    @Test func marksAreTakenOff() throws {
        let inner = try directory.directory("t/marked")
        let file = try directory.file("t/marked/file", "x")
        for path in [file, inner] {
            let fd = try File.open(path, O_RDONLY)
            guard markedImmutable(fd.raw) else { return }
        }
        try remove("t")
        #expect(try names().isEmpty)
    }

    @Test(.enabled(if: getuid() == 0)) func aMountEndsTheRemoval() throws {
        let inside = try directory.directory("t/mounted")
        _ = try directory.directory("source/kept")
        // Of the same filesystem: the device number would not tell.
        let target = try Directory.open(inside)
        try DetachedMount(cloning: directory.path + "/source").attach(at: target.raw)
        #expect(systemError { try remove("t") }?.errno == .crossDevice)
        #expect(try Directory.names(inside) == [Array("kept".utf8)])
        try Mounts.unmount(inside)
        try remove("t")
        #expect(try names() == ["source"])
    }

    private func name(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafePointer<CChar> {
        UnsafeRawPointer(bytes.baseAddress!).assumingMemoryBound(to: CChar.self)
    }
}
