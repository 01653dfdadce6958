import CAntares
import Glibc
import LinuxSystem
import Testing

@Suite struct DirectoryTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    @Test func namesAreBytes() throws {
        let odd: [[UInt8]] = [[0xFF, 0xFE], [0x0A], Array("a b".utf8), [UInt8](repeating: 0x6E, count: 255)]
        let base = try File.open(directory.path, O_RDONLY | O_DIRECTORY)
        for name in odd {
            let fd = (name + [0]).withUnsafeBytes {
                mknodat(base.raw, $0.baseAddress!.assumingMemoryBound(to: CChar.self), S_IFREG | 0o600, 0)
            }
            try #require(fd == 0)
        }
        #expect(Set(try Directory.names(of: base.raw)) == Set(odd))
        #expect(try Directory.names(of: base.raw).count == odd.count, "a second listing starts at the beginning again")
    }

    @Test func parentsAreMade() throws {
        try Directory.create(directory.path + "/a/b/c", mode: 0o700)
        try Directory.create(directory.path + "/a/b/c")
        #expect(try FileStatus(of: directory.path + "/a/b/c").mode & S_IFMT == S_IFDIR)
        let file = try directory.file("file")
        #expect(systemError { try Directory.create(file) }?.errno == .notADirectory)
        #expect(systemError { try Directory.create(file + "/below") }?.errno == .notADirectory)
    }

    @Test(arguments: ["..", "../x", "a/../../x", "/etc"])
    func nothingLeadsOutOfTheBase(_ path: String) throws {
        _ = try directory.directory("base/a")
        let base = try Directory.open(directory.path + "/base")
        #expect(systemError { _ = try Directory.open(beneath: base.raw, path) }?.errno == .crossDevice)
    }

    @Test func linksAreNotFollowed() throws {
        _ = try directory.directory("base/real/inner")
        try #require(symlink("real", directory.path + "/base/link") == 0)
        let base = try Directory.open(directory.path + "/base")
        _ = try Directory.open(beneath: base.raw, "real/inner")
        #expect(systemError { _ = try Directory.open(beneath: base.raw, "link/inner") }?.errno == .tooManyLinks)
        #expect(systemError { _ = try Directory.open(beneath: base.raw, "link") }?.errno == .tooManyLinks)
        var made: [String] = []
        #expect(
            systemError { _ = try Directory.create(beneath: base.raw, "link/x", mode: 0o755, made: &made) }?.errno
                == .tooManyLinks)
        #expect(made.isEmpty)
    }

    @Test func mountsAreNotEnteredUnlessAllowed() throws {
        let root = try Directory.open("/")
        _ = try Directory.open(beneath: root.raw, "proc")
        #expect(
            systemError { _ = try Directory.open(beneath: root.raw, "proc", resolve: [.beneath, .sameMount]) }?.errno
                == .crossDevice)
    }

    @Test func whatWasMadeIsTold() throws {
        _ = try directory.directory("there")
        let base = try Directory.open(directory.path)
        var made: [String] = []
        let fd = try Directory.create(beneath: base.raw, "there/one/two", mode: 0o700, made: &made)
        #expect(made == ["there/one", "there/one/two"])
        #expect(try FileStatus(of: fd.raw).identity == FileStatus(of: directory.path + "/there/one/two").identity)
        var again: [String] = []
        _ = try Directory.create(beneath: base.raw, "there/one/two", mode: 0o700, made: &again)
        #expect(again.isEmpty)
        #expect(
            systemError { _ = try Directory.create(beneath: base.raw, "x/../y", mode: 0o700, made: &again) }?.errno
                == .invalidArgument)
    }

    @Test func aDirectoryIsMarkedAsOneOfUnrelatedThings() throws {
        let path = try directory.directory("top")
        let fd = try File.open(path, O_RDONLY | O_DIRECTORY)
        guard systemError({ try Directory.setUnrelatedChildren(fd.raw) }) == nil else { return }
        var flags: UInt32 = 0
        try check(ant_get_inode_flags(fd.raw, &flags), "ioctl")
        #expect(flags & 0x20000 != 0)
        #expect(mkdir(path + "/inner", 0o755) == 0)
        let inner = try File.open(path + "/inner", O_RDONLY | O_DIRECTORY)
        try check(ant_get_inode_flags(inner.raw, &flags), "ioctl")
        #expect(flags & 0x20000 == 0, "what lies in it is not")
    }

    @Test func nothingCanBeMadeInAnImmutableDirectory() throws {
        let path = try directory.directory("closed")
        let fd = try File.open(path, O_RDONLY | O_DIRECTORY)
        guard markedImmutable(fd.raw) else { return }
        #expect(mkdir(path + "/inner", 0o755) == -1 && Errno.current == .notPermitted)
        #expect(rmdir(path) == -1 && Errno.current == .notPermitted)
        try Directory.setImmutable(fd.raw, true)
        try Directory.setImmutable(fd.raw, false)
        #expect(mkdir(path + "/inner", 0o755) == 0)
    }
}
