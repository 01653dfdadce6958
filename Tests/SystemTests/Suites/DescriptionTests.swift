import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What a job finds out of its mount in the mount.
    @Suite struct DescriptionTests {
        /// The attribute of a directory, as a process of nobody's reads it; fails where there is none.
        private func description(of path: String) throws -> JSON {
            let script = "import os; print(os.getxattr('\(path)', 'user.antares.status').decode())"
            return try JSON(
                Array(
                    Program.shell(
                        "cd / && setpriv --reuid 64790 --regid 64790 --clear-groups /usr/bin/python3 -c \"\(script)\"",
                        limit: .seconds(20)
                    ).utf8))
        }

        @Test(arguments: Form.allCases) func aMountSaysWhatItIs(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, repository in
                let mount = try farm.mount("described", ["uid": .number(64_790), "gid": .number(64_790)], lower: form)
                let status = try farm.status(mount)
                // The kernel answers: nobody of ours is asked.
                try farm.signalWorker(mount, SIGSTOP)
                defer { try? farm.signalWorker(mount, SIGCONT) }
                let found = try description(of: mount.path)
                for key in [
                    "mount_id", "job_id", "origin", "path", "commit", "lower", "mountpoint", "created_at_epoch_ms",
                ] {
                    #expect(found[key] == status[key], "\(key): \(found) \(status)")
                }
                #expect(found["mount_id"].text == mount.id && found["job_id"] == "described")
                #expect(found["lower"].text == form.rawValue)
                try farm.signalWorker(mount, SIGCONT)
                // Only the root has it, and a job that writes everywhere does not lose it.
                try Program.shell(
                    """
                    mkdir made && cp -a src made/copy && chmod 700 . && chmod 755 .
                    /usr/bin/python3 -c "
                    import os
                    for path in ('src', 'made', 'made/copy', 'lib/one'):
                        try: assert os.listxattr(path) == [], path
                        except OSError as error: assert error.errno == 95, (path, error)
                    assert os.listxattr('.') == ['user.antares.status']"
                    """, in: mount.path)
                #expect(try description(of: mount.path) == found)
                // A worker that is replaced, and one that nobody has any more, change nothing.
                try ChildProcess(adopting: farm.workerPID(mount)).signal(SIGKILL)
                #expect(try description(of: mount.path) == found)
                try farm.unmount(mount)
            }
        }

        @Test(arguments: ["tmpfs", "image"]) func soDoOnesWithALimit(storage: String) throws {
            let settings = "upper_storage = \"\(storage)\"\nupper_limit = \"64MiB\""
            try Farm.run(Repository.small, Farm.Options(settings: settings)) { farm, _ in
                let mount = try farm.mount("limited")
                // A kernel without such attributes of a tmpfs has none, and that is said.
                if try farm.log().contains("mounts cannot be described") {
                    #expect(storage == "tmpfs")
                } else {
                    #expect(try description(of: mount.path)["mount_id"].text == mount.id)
                }
                try farm.unmount(mount)
            }
        }
    }
}
