import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What an earlier supervisor left, and what is not its to touch.
    @Suite struct StaleTests {
        /// A FUSE mount of somebody else at a path: dead (nobody holds its connection), or hung (the test holds it and answers nothing but the handshake).
        private func foreignFuse(at path: String) throws -> OwnedFD {
            let device = try FuseConnection.open()
            let context = try FilesystemContext("fuse")
            try context.set("source", "stranger")
            try context.set("fd", "\(device.raw)")
            try context.set("rootmode", "40000")
            try context.set("user_id", "0")
            try context.set("group_id", "0")
            try context.create()
            let mount = try context.mount([.noDevices])
            let place = try Directory.open(path)
            try mount.attach(at: place.raw)
            return device
        }

        private func types(at path: String) throws -> [String] {
            try MountTable.current().filter { $0.mountPoint == path }.map(\.type)
        }

        @Test func foreignMountsAreNeverTouchedAndHoldNobodyUp() throws {
            try Farm.run(Repository.small) { farm, _ in
                let covered = try farm.mount("covered")
                let worker = try ChildProcess(adopting: try farm.workerPID(covered))
                try farm.killSupervisor()
                try endAll(farm)
                // Dead and hung FUSE in the mount root, a tmpfs over what is ours.
                let (dead, hung) = (farm.mountRoot + "/dead", farm.mountRoot + "/\(idLike)")
                for path in [dead, hung] { try Directory.create(path) }
                do { _ = try foreignFuse(at: dead) }
                let held = try foreignFuse(at: hung)
                try Program.shell("mount -t tmpfs stranger '\(covered.path)'; echo theirs >'\(covered.path)/file'")

                try farm.startSupervisor()
                _ = worker
                #expect(try types(at: dead) == ["fuse"] && types(at: hung) == ["fuse"])
                #expect(try types(at: covered.path).last == "tmpfs")
                #expect(try File.text(covered.path + "/file") == "theirs\n")
                // The farm works beside them.
                let mount = try farm.mount("new")
                #expect(try File.text(mount.path + "/src/name") == "the tree\n")
                try farm.unmount(mount)

                for path in [dead, hung, covered.path] { try Mounts.detach(path) }
                close(held.take())
                // Now nothing stands in the way of the next sweep.
                try farm.stopSupervisor()
                try farm.startSupervisor()
                #expect(try farm.mounts() == [farm.mountRoot])
                for path in [dead, hung] { rmdir(path) }
            }
        }

        @Test func twentyStackedMountsAndDamagedRecordsAreTakenAway() throws {
            try Farm.run(Repository.small) { farm, _ in
                let place = farm.builds + "/team/work"
                let chosen = try farm.mount("chosen", ["mountpoint": .string(place)])
                let mounts = try (0..<20).map { try farm.mount("m\($0)") }
                try farm.killSupervisor()
                // All on one path: each attached once more, on top of the others.
                for mount in mounts.dropFirst() {
                    let copy = try DetachedMount(cloning: mount.path)
                    let target = try Directory.open(mounts[0].path)
                    try copy.attach(at: target.raw)
                }
                try endAll(farm)
                try Program.shell("rm '\(farm.directory)'/run/mounts/*.json")
                try farm.startSupervisor()
                #expect(try farm.mounts() == [farm.mountRoot])
                #expect(access(place, F_OK) == -1, "the mountpoint made for a mount whose record is lost")
                let log = try File.text(farm.directory + "/supervisor.log", limit: 64 << 20)
                #expect(log.contains("took away what nobody has") && log.contains("age_s="))
                #expect(log.contains(chosen.id))
                let stuck = log.split(separator: "\n").filter { $0.contains("cannot take away") }
                #expect(stuck.isEmpty, "\(stuck.joined(separator: "\n"))")
                try Program.shell("rm -rf '\(farm.builds)/team'")
            }
        }

        @Test func aReplacedOrSwappedMountpointLeadsNobodyAstray() throws {
            try Farm.run(Repository.small) { farm, _ in
                let outside = farm.directory + "/outside"
                try Program.shell("mkdir -p '\(outside)/work'; mount -t tmpfs stranger '\(outside)/work'")
                let place = farm.builds + "/team/work"
                let mount = try farm.mount("m", ["mountpoint": .string(place)])
                // The directories above are moved away, and a link to a stranger's mount takes their place.
                try Program.shell(
                    "mv '\(farm.builds)/team' '\(farm.builds)/moved'; ln -s '\(outside)' '\(farm.builds)/team'")
                try farm.unmount(mount)
                #expect(try types(at: outside + "/work") == ["tmpfs"], "not ours")
                #expect(try farm.mounts().contains(farm.builds + "/moved/work") == false)
                try Program.shell(
                    """
                    umount '\(outside)/work'; rm '\(farm.builds)/team'
                    chattr -i '\(farm.builds)/moved/work' 2>/dev/null; rm -rf '\(farm.builds)/moved' '\(outside)'
                    """)
            }
        }

        @Test func aRaceForTheMountpointIsWonOrRefusedButNeverElsewhere() throws {
            try Farm.run(Repository.small) { farm, _ in
                let outside = farm.directory + "/outside"
                let stop = farm.directory + "/stop"
                try Program.shell(
                    "mkdir -p '\(outside)/work' '\(farm.builds)/a'; ln -s '\(outside)' '\(farm.builds)/b'")
                // RENAME_EXCHANGE of a directory and a link to the outside, for as long as it takes.
                let racer = try Program.start(
                    "/usr/bin/python3",
                    [
                        "-c",
                        """
                        import ctypes, os, sys
                        libc = ctypes.CDLL(None)
                        a, b, stop = (x.encode() for x in sys.argv[1:])
                        while not os.path.exists(stop): libc.renameat2(-100, a, -100, b, 2)
                        """, farm.builds + "/a", farm.builds + "/b", stop,
                    ])
                for number in 0..<40 {
                    let answer = try farm.api.post(
                        "/mounts",
                        ["path": "/", "job_id": .string("r\(number)"), "mountpoint": .string(farm.builds + "/a/work")])
                    if answer.status == 200, let id = answer.body["mount_id"].text {
                        #expect(try types(at: outside + "/work") == [], "a mount outside its root")
                        #expect(try farm.api.delete("/mounts/\(id)").status == 200)
                    }
                }
                try Program.shell("touch '\(stop)'")
                #expect(racer.waitForEnd(until: .after(.seconds(10))))
                _ = racer.reap()
                #expect(try Directory.names(outside + "/work") == [])
                // What the racer hid from the end of its mount is empty, and closed to everybody.
                try Program.shell(
                    "chattr -f -i '\(farm.builds)'/*/work; rm -rf '\(farm.builds)'/* '\(outside)'")
            }
        }

        @Test func parentsMadeSideBySideGoWithTheLast() throws {
            try Farm.run(Repository.small) { farm, _ in
                for _ in 0..<3 {
                    let places = (0..<12).map { farm.builds + "/deep/er/m\($0)" }
                    try Program.shell(
                        """
                        for n in $(seq 0 11); do
                          '\(Program.built("antares"))' --socket '\(farm.api.socket)' mount "p$n" --at '\(farm.builds)'/deep/er/m$n &
                        done
                        wait
                        """)
                    #expect(try farm.mounts().filter { places.contains($0) }.count == 12)
                    try Program.shell(
                        """
                        for n in $(seq 0 11); do '\(Program.built("antares"))' --socket '\(farm.api.socket)' umount "p$n" & done
                        wait
                        """)
                    #expect(try Directory.names(farm.builds) == [])
                }
            }
        }

        @Test func aMountpointThatWasThereTakesNothingWhileItIsBare() throws {
            try Farm.run(Repository.small) { farm, _ in
                let place = farm.builds + "/own"
                try Directory.create(place)
                let mount = try farm.mount("m", ["mountpoint": .string(place)])
                try Mounts.detach(place)
                #expect(systemError { _ = try File.open(place + "/x", O_WRONLY | O_CREAT, mode: 0o644) } != nil)
                try farm.unmount(mount)
                _ = try File.open(place + "/x", O_WRONLY | O_CREAT, mode: 0o644)
                try Program.shell("rm -r '\(place)'")
            }
        }

        private let idLike = "0f0e0d0c-0b0a-4908-8706-050403020100"

        /// Everything but the mounts: workers and the cache owner.
        private func endAll(_ farm: Farm) throws {
            for name in ["antares-worker", "dicfuse-cache"] {
                for pid in try farm.processes.named(name) {
                    guard let process = try? ChildProcess(adopting: pid) else { continue }
                    process.signal(SIGKILL)
                    #expect(process.waitForEnd(until: .after(.seconds(5))))
                }
            }
        }
    }
}
