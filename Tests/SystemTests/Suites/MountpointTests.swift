import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    @Suite struct MountpointTests {
        @Test func aMountGoesWhereItIsWanted() throws {
            try Farm.run(Repository.small) { farm, _ in
                let place = farm.builds + "/team a/work"
                let mount = try farm.mount("chosen", ["mountpoint": .string(place)])
                #expect(mount.path == place)
                #expect(try Program.run(place + "/bin/hello", []).output == "hello from the tree\n")
                let taken = try farm.api.post("/mounts", ["path": "/", "mountpoint": .string(place)])
                #expect(taken.status == 409, "\(taken)")
                try farm.unmount(mount)
                #expect(access(farm.builds + "/team a", F_OK) == -1, "what was made for it is taken away")
                try Directory.create(place)
                let again = try farm.mount("again", ["mountpoint": .string(place)])
                try farm.unmount(again)
                #expect(try FileStatus(of: place).mode & 0o777 == 0o755, "what was there stays as it was")
                try Program.shell("rm -r '\(farm.builds)/team a'")
            }
        }

        @Test func aMountAppearsInNamespacesThatWereThereBefore() throws {
            try Farm.run(Repository.small) { farm, _ in
                let place = farm.mountRoot + "/later"
                let output = try CapturedOutput()
                // As a container that has the mount root with `rslave`.
                let container = try Program.start(
                    "/usr/bin/unshare",
                    [
                        "--mount", "--propagation", "slave", "/bin/sh", "-c",
                        "echo inside; until cat '\(place)/src/name' 2>/dev/null; do sleep 0.02; done",
                    ], output: output.raw)
                let deadline = Deadline.after(.seconds(20))
                while try output.text() != "inside\n", !deadline.hasPassed {}
                let mount = try farm.mount("m", ["mountpoint": .string(place)])
                #expect(container.waitForEnd(until: .after(.seconds(20))))
                #expect(container.reap() == .code(0))
                #expect(try output.text() == "inside\nthe tree\n")
                try farm.unmount(mount)
            }
        }

        @Test func unsafePlacesAreRefusedAndUntouched() throws {
            try Farm.run(Repository.small) { farm, _ in
                let outside = farm.directory + "/outside"
                try Program.shell(
                    """
                    mkdir -p '\(outside)' '\(farm.builds)/full' '\(farm.builds)/real'
                    touch '\(farm.builds)/full/file' '\(farm.builds)/file'
                    ln -s '\(outside)' '\(farm.builds)/link'
                    ln -s real '\(farm.builds)/inner-link'
                    """)
                let before = try Program.shell(
                    "find '\(farm.directory)' -path '*/builds*' -o -path '*/outside*' | sort")
                for (place, statuses) in [
                    (outside + "/x", [400]), ("/antares-test-x", [400]), ("relative", [400]), (farm.builds, [400]),
                    (farm.builds + "/../outside/x", [400]), (farm.builds + "/a/../../outside", [400]),
                    (farm.builds + "/link/x", [400]), (farm.builds + "/link", [400]),
                    (farm.builds + "/inner-link", [400]), (farm.builds + "/inner-link/x", [400]),
                    (farm.builds + "/file", [400]), (farm.builds + "/file/x", [400]), (farm.builds + "/full", [409]),
                ] {
                    let answer = try farm.api.post("/mounts", ["path": "/", "mountpoint": .string(place)])
                    #expect(statuses.contains(answer.status), "\(place): \(answer)")
                }
                #expect(try farm.api.get("/mounts").body["mounts"].elements == [])
                #expect(
                    try Program.shell("find '\(farm.directory)' -path '*/builds*' -o -path '*/outside*' | sort")
                        == before)
                #expect(try Directory.names(outside) == [])
                try Program.shell("rm -r '\(farm.builds)'/* '\(outside)'")
            }
        }

        @Test func aBareMountpointTakesNothing() throws {
            try Farm.run(Repository.small) { farm, _ in
                let mount = try farm.mount("m")
                // As after a crash of everything: the mount is gone, the mountpoint is not.
                try Mounts.detach(mount.path)
                #expect(systemError { _ = try File.open(mount.path + "/x", O_WRONLY | O_CREAT, mode: 0o644) } != nil)
                #expect(try FileStatus(of: mount.path).mode & 0o777 == 0)
                try farm.unmount(mount)
            }
        }
    }
}
