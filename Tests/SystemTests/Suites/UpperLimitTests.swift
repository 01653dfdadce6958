import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// A job that fills its upper gets ENOSPC or EDQUOT, and nobody else notices.
    ///
    /// Directories are tried where the filesystem of TMPDIR enforces project quotas; `scripts/verify-quota` has such filesystems.
    @Suite struct UpperLimitTests {
        enum Storage: String, CaseIterable, CustomTestStringConvertible {
            case tmpfs, image, directory

            var testDescription: String { rawValue }

            /// Those that can be had here; only the one that ANTARES_UPPER_STORAGE names, if it does.
            static let possible: [Storage] = {
                let wanted = getenv("ANTARES_UPPER_STORAGE").map { String(cString: $0) }
                return allCases.filter {
                    wanted.map($0.rawValue.elementsEqual) ?? true && ($0 != .directory || hasQuota)
                }
            }()
            static let hasQuota =
                (try? ProjectQuota(at: getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp").isEnforced()) == true
        }

        private static func isRefusal(_ text: String) -> Bool {
            text.contains("No space left on device") || text.contains("Disk quota exceeded")
        }

        private static func options(_ storage: Storage, limit: String = "64MiB", inodes: Int = 2000) -> Farm.Options {
            Farm.Options(
                settings: """
                    upper_storage = "\(storage.rawValue)"
                    upper_limit = "\(limit)"
                    upper_inode_limit = \(inodes)
                    """)
        }

        /// The loop devices over files of the farm.
        private func devices(_ farm: Farm) throws -> String {
            try Program.shell("grep -l '^\(farm.directory)/' /sys/block/loop*/loop/backing_file 2>/dev/null || true")
        }

        /// A device is freed by the kernel after its last user has gone.
        private func expectNoDevices(_ farm: Farm) throws {
            let deadline = Deadline.after(.seconds(20))
            while try devices(farm) != "", !deadline.hasPassed { usleep(10_000) }
            #expect(try devices(farm) == "")
        }

        @Test(arguments: Storage.possible)
        func whoFillsItGetsAnErrorAndTheOthersNotice(_ storage: Storage) throws {
            try Farm.run(Repository.small, Self.options(storage)) { farm, _ in
                let greedy = try farm.mount("greedy", ["uid": .number(64_777), "gid": .number(64_777)])
                let other = try farm.mount("other")
                let full = try Program.run("/bin/dd", ["if=/dev/zero", "of=\(greedy.path)/big", "bs=1M", "count=100"])
                #expect(!full.succeeded && Self.isRefusal(full.errors), "\(full.errors)")
                #expect(try FileStatus(of: greedy.path + "/big").size > 40 << 20)
                #expect(try FileStatus(of: greedy.path + "/big").size <= 64 << 20)
                // The neighbour, the lower, and everything that was there before go on.
                try Program.shell(
                    "dd if=/dev/zero of=mine bs=1M count=30 2>/dev/null; cmp -n 31457280 mine /dev/zero", in: other.path
                )
                #expect(try File.text(greedy.path + "/src/name") == "the tree\n")
                // What is freed can be used again.
                try Program.shell(
                    "rm big; dd if=/dev/zero of=again bs=1M count=30 2>/dev/null; sync again", in: greedy.path)
                try farm.unmount(greedy)
                try farm.unmount(other)
                try expectNoDevices(farm)
            }
        }

        @Test(arguments: Storage.possible)
        func soDoesWhoMakesTooManyFiles(_ storage: Storage) throws {
            try Farm.run(Repository.small, Self.options(storage)) { farm, _ in
                let mount = try farm.mount("m")
                // The first tells how many there may be, the second why no more.
                let made = try Program.shell(
                    """
                    mkdir files; cd files
                    for n in {1..5000}; do { true >f$n; } 2>/dev/null || break; done
                    ls | wc -l; LC_ALL=C touch one-more 2>&1 || true
                    """, in: mount.path)
                let count = try #require(made.split(separator: "\n").first.flatMap { Int($0) })
                // ext4 rounds up to whole blocks of its inode tables.
                #expect((1000...2600).contains(count) && Self.isRefusal(made), "\(made)")
                try farm.unmount(mount)
            }
        }

        @Test(arguments: Storage.possible)
        func theNextSupervisorGoesOn(_ storage: Storage) throws {
            try Farm.run(Repository.small, Self.options(storage, limit: "512MiB", inodes: 0)) { farm, _ in
                let mount = try farm.mount("m")
                try Program.shell("echo kept >kept; mkdir -p src/new; mv lib lib2", in: mount.path)
                try farm.killSupervisor()
                try Program.shell("echo meanwhile >meanwhile", in: mount.path)
                try farm.startSupervisor()
                #expect(try File.text(mount.path + "/kept") == "kept\n")
                let full = try Program.run("/bin/dd", ["if=/dev/zero", "of=\(mount.path)/big", "bs=1M", "count=600"])
                #expect(Self.isRefusal(full.errors), "\(full.errors)")
                try farm.unmount(mount)
                #expect(access(mount.path, F_OK) == -1)
                try expectNoDevices(farm)
            }
        }

        /// Root is held to the limit, too; `df` shows it; and what one mount had does not burden the next.
        @Test(.enabled(if: Storage.hasQuota, "no project quota here")) func aDirectoryHasAProjectOfItsOwn() throws {
            try Farm.run(Repository.small, Self.options(.directory)) { farm, _ in
                let uppers = farm.directory + "/upper"
                let quota = ProjectQuota(at: uppers)
                let mounts = [try farm.mount("a"), try farm.mount("b")]
                let projects = try mounts.map { try ProjectQuota.project(of: "\(uppers)/\($0.id)/upper") }
                #expect(Set(projects).count == 2 && !projects.contains(0))
                for (mount, project) in zip(mounts, projects) {
                    let state = try quota.state(of: project)
                    #expect(state.byteLimit == 64 << 20 && state.inodeLimit == 2000 && state.inodes < 20, "\(state)")
                    #expect(try ProjectQuota.project(of: "\(uppers)/\(mount.id)/work") == project)
                    let room = try Program.shell("stat -f -c '%b %S %c' .", in: mount.path)
                    let numbers = room.split { !$0.isNumber }.compactMap { UInt64($0) }
                    #expect(numbers.count == 3 && numbers[0] * numbers[1] == 64 << 20 && numbers[2] == 2000, "\(room)")
                }
                // Copied up, renamed, whited out: nothing leaves the project, so nothing is EXDEV.
                try Program.shell(
                    "echo x >>src/name; mv lib lib2; rm -r src; mkdir -p new/src; mv new/src src", in: mounts[0].path)
                #expect(try ProjectQuota.project(of: "\(uppers)/\(mounts[0].id)/upper/src") == projects[0])
                try farm.killSupervisor()
                try farm.startSupervisor()
                // The next supervisor does not give ids again that are in use.
                let third = try farm.mount("c")
                #expect(!projects.contains(try ProjectQuota.project(of: "\(uppers)/\(third.id)/upper")))
                for mount in mounts + [third] { try farm.unmount(mount) }
                // The kernel may take its time with the last of a deleted tree; ids that linger are looked at with the next that is deleted.
                let deadline = Deadline.after(.seconds(30))
                while try projects.contains(where: { try quota.state(of: $0).byteLimit != 0 }), !deadline.hasPassed {
                    try farm.unmount(try farm.mount("next"))
                }
                for project in projects { #expect(try quota.state(of: project) == ProjectQuota.State()) }
            }
        }

        /// A supervisor that dies at any moment leaves no device, no file and no memory behind when the next one has swept.
        @Test func nothingIsLeftOfAMountThatNobodyHas() throws {
            try Farm.run(Repository.small, Self.options(.image)) { farm, _ in
                let mount = try farm.mount("m")
                try farm.killSupervisor()
                for pid in try farm.processes.named("antares-worker") + farm.processes.named("dicfuse-cache") {
                    let process = try ChildProcess(adopting: pid)
                    process.signal(SIGKILL)
                    #expect(process.waitForEnd(until: .after(.seconds(10))))
                }
                try Program.shell("rm -r '\(farm.directory)/run/mounts'")
                try farm.startSupervisor()
                #expect(!(try farm.mounts().contains(mount.path)))
                try expectNoDevices(farm)
                let deadline = Deadline.after(.seconds(20))
                while try !Directory.names(farm.directory + "/upper").isEmpty, !deadline.hasPassed { usleep(10_000) }
                #expect(try Directory.names(farm.directory + "/upper").isEmpty)
            }
        }

        @Test func anImageIsKeptOnRequest() throws {
            try Farm.run(Repository.small, Self.options(.image)) { farm, _ in
                let mount = try farm.mount("m", ["upper_policy": "keep"])
                try Program.shell("echo mine >written", in: mount.path)
                let answer = try farm.api.delete("/mounts/\(mount.id)")
                let kept = try #require(answer.body["unmount"]["kept_upper"].text)
                try expectNoDevices(farm)
                let shown = try Program.shell(
                    """
                    mkdir '\(farm.directory)/look' && mount -o loop,ro '\(kept)' '\(farm.directory)/look' &&
                    cat '\(farm.directory)/look/upper/written'; umount '\(farm.directory)/look'
                    """)
                #expect(shown == "mine\n")
                try expectNoDevices(farm)
                try Program.shell("rm -r '\(farm.directory)'/upper/.kept-*")
            }
        }

        @Test func aTmpfsCannotBeKept() throws {
            try Farm.run(Repository.small, Self.options(.tmpfs)) { farm, _ in
                let refused = try farm.api.post(
                    "/mounts", .object(["path": "/", "job_id": "m", "upper_policy": "keep"]))
                #expect(refused.status == 400 && refused.body["code"] == "INVALID_REQUEST", "\(refused)")
                #expect(try farm.api.get("/mounts").body["mounts"] == .array([]))
            }
        }

        /// An image takes its room when it is made: who finds none is told so, at once.
        @Test func aMountForWhichThereIsNoRoomIsRefused() throws {
            try Farm.run(Repository.small, Self.options(.image, limit: "4TiB")) { farm, _ in
                let refused = try farm.api.post("/mounts", .object(["path": "/", "job_id": "m"]))
                #expect(refused.status == 503 && refused.body["code"] == "OVERLOADED", "\(refused)")
            }
        }
    }
}
