import Glibc
import Testing

@testable import LinuxSystem

@Suite(.serialized, .enabled(if: getuid() == 0)) struct MountTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
    }

    private func memoryFilesystem(source: String = "test") throws -> DetachedMount {
        let context = try FilesystemContext("tmpfs")
        try context.set("source", source)
        try context.set("size", "1m")
        try context.create()
        return try context.mount([.noSetuid, .noDevices])
    }

    @Test func anUnknownFilesystemIsRefused() {
        #expect(systemError { _ = try FilesystemContext("no-such-filesystem") }?.errno == .noDevice)
    }

    @Test func theKernelSaysWhatItDidNotLike() throws {
        let context = try FilesystemContext("tmpfs")
        let error = systemError { try context.set("no_such_option", "1") }
        #expect(error?.errno == .invalidArgument)
        #expect(error?.detail.contains("no_such_option") == true)
        #expect(systemError { try context.set("size", "nonsense") }?.detail.contains("size") == true)
        try context.set("size", "1m")
    }

    @Test func aMountIsInvisibleUntilItIsAttached() throws {
        let place = try directory.directory("a place")
        let mount = try memoryFilesystem()
        let identity = try mount.identity()
        #expect(try !identity.isAttached())
        let file = try File.open(at: mount.raw, "early", O_WRONLY | O_CREAT, mode: 0o600)
        try write("there before", to: file.raw)
        let target = try Directory.open(place)
        try mount.attach(at: target.raw)
        #expect(try identity.isAttached())
        #expect(try Mounts.top(place) == identity)
        #expect(try File.text(place + "/early") == "there before")
        let entry = try #require(try MountTable.current().first { $0.mountPoint == place })
        #expect(entry.type == "tmpfs" && entry.source == "test")
        #expect(entry.options.contains("nosuid") && entry.options.contains("nodev"))
    }

    @Test func aMountThatIsNotAttachedGoesWithItsDescriptor() throws {
        let before = try MountTable.current().count
        let identity = try memoryFilesystem().identity()
        #expect(try !identity.isAttached())
        #expect(try MountTable.current().count == before)
    }

    @Test func unmountingTwiceIsAnError() throws {
        let place = try directory.directory("m")
        let mount = try memoryFilesystem(source: "")
        let identity = try mount.identity()
        let target = try Directory.open(place)
        try mount.attach(at: target.raw)
        #expect(try MountTable.current().first { $0.mountPoint == place }?.type == "tmpfs")
        let held = try File.open(place, O_RDONLY | O_DIRECTORY)
        #expect(systemError { try Mounts.unmount(place) }?.errno == .busy)
        try Mounts.detach(place)
        #expect(try !identity.isAttached())
        #expect(try Directory.names(of: held.raw).isEmpty, "whoever is in it stays in it")
        #expect(systemError { try Mounts.unmount(place) }?.errno == .invalidArgument)
    }

    @Test func aMountIsExchangedFromBeneath() throws {
        // The parent must not propagate to itself, as a shared root would.
        let parent = try directory.directory("parent")
        let outer = try Directory.open(parent)
        try memoryFilesystem().attach(at: outer.raw)
        try check(mount("none", parent, nil, UInt(MS_PRIVATE), nil), "mount(MS_PRIVATE)")
        try Directory.create(parent + "/m")
        let old = try memoryFilesystem(source: "old")
        let new = try memoryFilesystem(source: "new")
        let (oldIdentity, newIdentity) = (try old.identity(), try new.identity())
        let target = try Directory.open(parent + "/m")
        try old.attach(at: target.raw)
        let top = try Directory.open(parent + "/m")
        try new.attach(at: top.raw, beneath: true)
        #expect(try Mounts.top(parent + "/m") == oldIdentity)
        try Mounts.detach(parent + "/m")
        #expect(try Mounts.top(parent + "/m") == newIdentity)
        #expect(try !oldIdentity.isAttached())
    }

    @Test func propagationIsShown() throws {
        let place = try directory.directory("m")
        let target = try Directory.open(place)
        try memoryFilesystem().attach(at: target.raw)
        func propagation() throws -> [String] {
            try #require(try MountTable.current().first { $0.mountPoint == place }).propagation
        }
        try Mounts.makeShared(place)
        #expect(try propagation().contains { $0.hasPrefix("shared:") })
    }

    @Test func aCloneIsAnotherMountOfTheSameFilesystem() throws {
        let (place, copy) = (try directory.directory("m"), try directory.directory("copy"))
        let target = try Directory.open(place)
        let second = try Directory.open(copy)
        try memoryFilesystem().attach(at: target.raw)
        let clone = try DetachedMount(cloning: place)
        #expect(try clone.identity() != Mounts.top(place))
        #expect(try clone.device() == FileStatus(of: place).identity.device)
        try clone.attach(at: second.raw)
        try Directory.create(place + "/inner")
        #expect(try Directory.names(copy) == [Array("inner".utf8)])
    }
}
