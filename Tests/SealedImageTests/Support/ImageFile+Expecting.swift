import GitObjects
import Glibc
import LinuxSystem
import SealedImage
import Testing

extension ImageFile {
    /// Mounts the image and holds it to a tree, path by path; fsck.erofs has nothing to say of it.
    func expect(_ tree: GeneratedTree, time: Int64 = 1_700_000_000) throws -> DetachedMount {
        let check = run("fsck.erofs \(path)")
        #expect(check.status == 0, "\(check.output)")
        let mount = try mount()
        let root = try File.open(at: mount.raw, ".", O_RDONLY | O_DIRECTORY)
        let found = try Self.walk(root.raw)
        #expect(Set(found.keys) == Set(tree.paths.keys))
        var subdirectories: [[UInt8]: Int] = [:]
        for (path, expected) in tree.paths where expected.mode == .directory || expected.mode == .submodule {
            if let slash = path.lastIndex(of: 0x2f) { subdirectories[Array(path[..<slash]), default: 0] += 1 }
        }
        for (path, expected) in tree.paths {
            let seen = try #require(found[path])
            #expect(seen.mode == Self.mode(expected.mode), "\(path)")
            if expected.mode != .directory, expected.mode != .submodule { #expect(seen.size == expected.size) }
            #expect(seen.target == (expected.mode == .symlink ? expected.target : nil))
            #expect(seen.owner == 0 && seen.time == (expected.isChanged ? 1_700_000_009 : time))
            if expected.mode == .directory || expected.mode == .submodule {
                #expect(seen.links == 2 + subdirectories[path, default: 0])
            }
        }
        return mount
    }

    private static func mode(_ mode: FileMode) -> UInt32 {
        switch mode {
        case .regular: 0o100644
        case .executable: 0o100755
        case .symlink: 0o120777
        case .directory, .submodule: 0o040755
        }
    }
}
