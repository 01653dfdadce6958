import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Not a byte left where uppers and records are.
    @Suite struct FullDiskTests {
        /// Puts a filesystem of its own on a directory of the farm, while no supervisor runs.
        private func cover(_ farm: Farm, _ name: String, _ size: String) throws {
            try Program.shell(
                """
                mkdir -p -m 711 '\(farm.directory)/\(name)' &&
                mount -t tmpfs -o size=\(size),mode=711 full '\(farm.directory)/\(name)'
                """)
        }

        private func fill(_ farm: Farm, _ name: String) throws {
            let full = try Program.run("/bin/dd", ["if=/dev/zero", "of=\(farm.directory)/\(name)/filler", "bs=4k"])
            #expect(full.errors.contains("No space left on device"), "\(full.errors)")
        }

        @Test func unmountsEndAllTheSame() throws {
            let settings = "min_free_space = 0\nmin_free_inodes = 0"
            try Farm.run(Repository.small, Farm.Options(settings: settings)) { farm, _ in
                try farm.stopSupervisor()
                try cover(farm, "upper", "24m")
                try cover(farm, "run", "8m")
                defer {
                    for name in ["upper", "run"] { try? Mounts.detach("\(farm.directory)/\(name)") }
                }
                try farm.startSupervisor()
                var mounts = try (0..<8).map { try farm.mount("m\($0)") }
                let holder = try Program.start("/bin/sleep", ["1000"], directory: mounts[0].path)
                defer {
                    holder.signal(SIGKILL)
                    #expect(holder.waitForEnd(until: .after(.seconds(10))))
                    _ = holder.reap()
                }
                let full = try Program.run("/bin/dd", ["if=/dev/zero", "of=\(mounts[1].path)/big", "bs=4k"])
                #expect(full.errors.contains("No space left on device"), "\(full.errors)")
                try fill(farm, "run")
                // A mount that works goes on working. A new one takes a spare if there is one; a worker that cannot be recorded is not kept.
                #expect(try File.text(mounts[2].path + "/src/name") == "the tree\n")
                for number in 0..<6 {
                    let late = try farm.api.post("/mounts", .object(["path": "/", "job_id": .string("late\(number)")]))
                    if late.status == 200, let id = late.body["mount_id"].text, let path = late.body["mountpoint"].text
                    {
                        mounts.append(Farm.Mount(id: id, path: path))
                    } else {
                        #expect(late.status >= 500 && late.body["error"].text?.isEmpty == false, "\(late)")
                    }
                }
                #expect(mounts.count < 8 + 6, "spares cannot be replaced")
                for mount in mounts {
                    let answer = try farm.api.request("DELETE", "/mounts/\(mount.id)", limit: .seconds(10))
                    #expect(answer.status == 200 && answer.body["state"] == "Unmounted", "\(answer)")
                    #expect(access(mount.path, F_OK) == -1)
                }
                try Program.shell("rm '\(farm.directory)/run/filler'")
                try farm.unmount(farm.mount("after"))
                try farm.stopSupervisor()
            }
        }
    }
}
