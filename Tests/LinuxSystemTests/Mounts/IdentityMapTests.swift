import Glibc
import Testing

@testable import LinuxSystem

@Suite(.serialized, .enabled(if: getuid() == 0)) struct IdentityMapTests {
    private func rootOwnedFile() throws -> DetachedMount {
        let context = try FilesystemContext("tmpfs")
        try context.create()
        let mount = try context.mount([])
        _ = try File.open(at: mount.raw, "file", O_WRONLY | O_CREAT, mode: 0o644)
        return mount
    }

    private func owner(_ mount: borrowing DetachedMount) throws -> Accounts.User {
        let file = try File.open(at: mount.raw, "file", O_RDONLY)
        let status = try FileStatus(of: file.raw)
        return Accounts.User(uid: status.uid, gid: status.gid)
    }

    @Test func eachCopyShowsItsOwner() throws {
        let mount = try rootOwnedFile()
        let first = Accounts.User(uid: 1234, gid: 5678)
        let second = Accounts.User(uid: 0, gid: 99)
        let firstCopy = try IdentityMap(owner: first).apply(to: mount)
        let secondCopy = try IdentityMap(owner: second).apply(to: mount)
        #expect(try owner(firstCopy) == first)
        #expect(try owner(secondCopy) == second)
        #expect(try owner(mount) == Accounts.User(uid: 0, gid: 0))
    }
}
