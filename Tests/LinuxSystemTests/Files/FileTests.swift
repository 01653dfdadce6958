import Glibc
import Testing

@testable import LinuxSystem

@Suite struct FileTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test func contentsUpToTheLimitAreRead() throws {
        let path = try directory.file("f", "12345")
        #expect(try File.contents(path, limit: 5) == Array("12345".utf8))
        #expect(systemError { _ = try File.contents(path, limit: 4) }?.errno == .messageTooLong)
        #expect(systemError { _ = try File.contents(directory.path + "/none") }?.errno == .notFound)
    }

    @Test func filesWithoutASizeAreReadToTheirEnd() throws {
        #expect(try File.text("/proc/self/stat").hasPrefix("\(getpid()) ("))
    }

    @Test func aReadBeyondTheEndIsShort() throws {
        let file = try File.open(try directory.file("f", "abcdef"), O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: 4)
        #expect(try bytes.withUnsafeMutableBytes { try File.read(file.raw, into: $0, at: 4) } == 2)
        #expect(bytes == Array("ef".utf8) + [0, 0])
        #expect(try bytes.withUnsafeMutableBytes { try File.read(file.raw, into: $0, at: 99) } == 0)
    }

    @Test func bytesAreWrittenWhereTheyBelong() throws {
        let path = try directory.file("f", "......")
        let file = try File.open(path, O_WRONLY)
        try Array("xy".utf8).withUnsafeBytes { try File.write(file.raw, $0, at: 2) }
        #expect(try File.text(path) == "..xy..")
        #expect(try File.size(of: file.raw) == 6)
    }

    @Test func replacingKeepsOneFile() throws {
        let path = try directory.file("f", "old")
        let old = try File.open(path, O_RDONLY)
        try File.replace(path, with: Array("new".utf8), mode: 0o640)
        #expect(try File.text(path) == "new")
        #expect(try FileStatus(of: path).mode & 0o777 == 0o640)
        #expect(try readAll(old) == "old")
        #expect(try Directory.names(directory.path) == [Array("f".utf8)])
    }

    @Test func removingTwiceIsNoError() throws {
        let path = try directory.file("f")
        try File.remove(path)
        try File.remove(path)
        #expect(systemError { try File.remove(directory.path) }?.errno == .isADirectory)
    }

    @Test func theIdentityOfAFileIsItsOwn() throws {
        let (one, two) = (try directory.file("1", "x"), try directory.file("2", "yy"))
        #expect(try FileStatus(of: one).identity != FileStatus(of: two).identity)
        let opened = try File.open(one, O_RDONLY)
        #expect(try FileStatus(of: one).identity == FileStatus(of: opened.raw).identity)
        #expect(try FileStatus(of: two).size == 2)
    }

    @Test(arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b/c", "a/b")])
    func theParentOfAPath(_ path: String, _ parent: String) {
        #expect(File.parent(of: path) == parent)
    }
}
