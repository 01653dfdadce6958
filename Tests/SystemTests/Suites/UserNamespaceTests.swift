import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// A job whose ids are others than the host's.
    @Suite struct UserNamespaceTests {
        /// What a job can do in a mount, one line each: what, and `yes` or the error.
        private static let deeds = """
            import errno, os, sys
            os.chdir(sys.argv[1])
            def deed(name, do):
                try: do(); print(name, 'yes')
                except OSError as error: print(name, errno.errorcode[error.errno])
            deed('reads', lambda: open('lib/one').read())
            deed('sees', lambda: os.getxattr('.', 'user.antares.status'))
            deed('makes', lambda: open('new-%d' % os.getuid(), 'w').write('x'))
            deed('changes', lambda: open('lib/two', 'a').write('x'))
            deed('renames', lambda: os.rename('src/deep', 'src/deeper'))
            deed('renames', lambda: os.rename('src/deeper', 'src/deep'))
            deed('permits', lambda: os.chmod('README.md', 0o755))
            deed('marks', lambda: os.setxattr('README.md', 'user.x', b'1'))
            deed('gives', lambda: os.chown('empty', 5, 5))
            """

        private func deeds(_ container: Container, _ place: String, uid: Int) throws -> String {
            let script = "/usr/bin/python3 - \(place) <<'EOF'\n\(Self.deeds)\nEOF"
            return try container.output(script, uid: uid).split(separator: "\n").joined(separator: ", ")
        }

        /// The mount belongs to an id of the host; to the container it belongs to whom that id is there.
        @Test(arguments: Form.allCases) func theOwnerIsWhomTheHostMeans(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let container = try Container(farm, .rslave, users: .mapped)
                defer { container.end() }
                let owner = JSON.number(Double(Container.firstID + 1000))
                let mount = try farm.mount("m", ["uid": owner, "gid": owner])
                let place = container.path(of: mount)
                #expect(try container.output("stat -c '%u %g' \(place) \(place)/lib/one") == "1000 1000\n1000 1000\n")
                #expect(
                    try deeds(container, place, uid: 1000)
                        == "reads yes, sees yes, makes yes, changes yes, renames yes, renames yes, permits yes, marks yes, gives EPERM"
                )
                #expect(
                    try deeds(container, place, uid: 2000)
                        == "reads yes, sees yes, makes EACCES, changes EACCES, renames EACCES, renames ENOENT, permits EPERM, marks EACCES, gives EPERM"
                )
                // Its root has what the ids of the container have.
                #expect(
                    try deeds(container, place, uid: 0)
                        == "reads yes, sees yes, makes yes, changes yes, renames yes, renames yes, permits yes, marks yes, gives yes"
                )
                #expect(try FileStatus(of: mount.path + "/new-1000").uid == UInt32(Container.firstID + 1000))
                #expect(try FileStatus(of: mount.path + "/new-0").uid == UInt32(Container.firstID))
                let report = try farm.api.delete("/mounts/\(mount.id)").body["unmount"]
                #expect(report["rung"] == "plain" && report["pinned_elsewhere"] == .boolean(false), "\(report)")
                #expect(try container.output("ls -A /mnt") == "")
            }
        }

        /// An id that the container does not know has nothing there, nor has its root over it.
        @Test func aMountOfSomebodyElseCanBeReadOnly() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m", ["uid": 64_790, "gid": 64_790])
                let container = try Container(farm, .rslave, users: .mapped)
                defer { container.end() }
                let place = container.path(of: mount)
                #expect(try container.output("stat -c '%u %g' \(place)/lib/one") == "65534 65534\n")
                #expect(
                    try deeds(container, place, uid: 0)
                        == "reads yes, sees yes, makes EACCES, changes EACCES, renames EACCES, renames ENOENT, permits EPERM, marks EACCES, gives EPERM"
                )
                // It cannot take away what the host has mounted, nor look beneath.
                #expect(try container.run("umount \(place)").status != .code(0))
                #expect(try container.output("cat \(place)/src/name") == "the tree\n")
            }
        }

        /// The kernel maps no ids on an overlay (mount_setattr(2), MOUNT_ATTR_IDMAP), whatever it stands on.
        @Test(arguments: Form.allCases) func anOverlayCannotBeIdmapped(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                let script = """
                    import ctypes, errno, os, struct, sys
                    libc = ctypes.CDLL(None, use_errno=True)
                    ready, done = os.pipe(), os.pipe()
                    child = os.fork()
                    if child == 0:
                        os.close(done[1])
                        libc.unshare(0x10000000)
                        os.write(ready[1], b'x')
                        os.read(done[0], 1)
                        os._exit(0)
                    os.read(ready[0], 1)
                    for name in 'uid_map', 'gid_map': open(f'/proc/{child}/{name}', 'w').write('0 100000 65536')
                    users = os.open(f'/proc/{child}/ns/user', os.O_RDONLY)
                    for path in sys.argv[1:]:
                        tree = libc.syscall(428, -100, path.encode(), 0x80001)
                        attributes = struct.pack('QQQQ', 0x100000, 0, 0, users)
                        failed = libc.syscall(442, tree, b'', 0x1000, attributes, 32)
                        print(errno.errorcode[ctypes.get_errno()] if failed else 'mapped')
                    """
                let program = farm.directory + "/idmap.py"
                try File.replace(program, with: Array(script.utf8))
                // The control is the root of all mounts, a tmpfs.
                let tried = try Program.run("/usr/bin/python3", [program, farm.mountRoot, mount.path])
                #expect(tried.output == "mapped\nEINVAL\n", "\(tried)")
            }
        }
    }
}
