import Testing

@testable import LinuxSystem

@Suite struct MountTableTests {
    @Test func aLineIsParsed() throws {
        let line = "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue"
        let entry = try #require(MountTable.parse(line[...]))
        #expect(entry.mountID == 36 && entry.parentID == 35)
        #expect(entry.device == "98:0" && entry.root == "/mnt1" && entry.mountPoint == "/mnt2")
        #expect(entry.options == "rw,noatime" && entry.propagation == ["shared:1", "master:2"])
        #expect(entry.type == "ext3" && entry.source == "/dev/root" && entry.superOptions == "rw,errors=continue")
    }

    @Test func optionalFieldsMayBeMissing() throws {
        let entry = try #require(MountTable.parse("1 0 0:1 / / rw - rootfs none rw"))
        #expect(entry.propagation.isEmpty && entry.type == "rootfs" && entry.source == "none")
    }

    @Test func theSourceMayBeEmpty() throws {
        let entry = try #require(MountTable.parse("1 0 0:1 / /x rw - tmpfs  rw,size=4k"))
        #expect(entry.source == "" && entry.superOptions == "rw,size=4k")
    }

    @Test(arguments: ["", "1 2", "x 0 0:1 / / rw - a b c", "1 0 0:1 / / rw a b c", "1 0 0:1 / / - a b c"])
    func nonsenseIsRefused(_ line: String) {
        #expect(MountTable.parse(line[...]) == nil)
    }

    @Test(arguments: [
        (#"/a\040b"#, "/a b"), (#"/a\011b\012c"#, "/a\tb\nc"), (#"/a\134040"#, #"/a\040"#), (#"/a\"#, #"/a\"#),
        (#"/a\04"#, #"/a\04"#), (#"/a\048x"#, #"/a\048x"#), ("/plain", "/plain"), (#"/\303\251"#, "/é"),
    ])
    func escapesAreUndone(_ field: String, _ text: String) {
        #expect(MountTable.unescape(field[...]) == text)
    }

    @Test func theRealTableHasARoot() throws {
        let table = try MountTable.current()
        #expect(table.contains { $0.mountPoint == "/" })
        #expect(table.contains { $0.mountPoint == "/proc" && $0.type == "proc" })
    }
}
