import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// A container of runc(8), by which Docker and Kubernetes make theirs, with the volume that their options come to.
    @Suite(.enabled(if: access("/usr/sbin/runc", X_OK) == 0, "runc is not installed")) struct RuntimeTests {
        private static let runc = "/usr/sbin/runc"

        private static func configuration(
            _ farm: Farm, _ propagation: Container.Propagation, _ script: String
        ) throws -> JSON {
            let system: [JSON] = ["usr", "bin", "lib", "lib64", "etc"].filter { access("/" + $0, F_OK) == 0 }.map {
                [
                    "destination": .string("/" + $0), "type": "bind", "source": .string("/" + $0),
                    "options": .array(["rbind", "ro"]),
                ]
            }
            let volume: JSON = [
                "destination": "/mnt", "type": "bind", "source": .string(farm.mountRoot),
                "options": .array(["rbind", .string(propagation.rawValue)]),
            ]
            let processes: JSON = ["destination": "/proc", "type": "proc", "source": "proc"]
            let namespaces: [JSON] = ["mount", "pid", "ipc", "uts"].map { ["type": $0] }
            return [
                "ociVersion": "1.0.2", "root": ["path": "rootfs"],
                "process": [
                    "user": ["uid": 64_790, "gid": 64_790], "cwd": "/", "noNewPrivileges": true,
                    "args": .array(["/bin/bash", "-euc", .string(script)]),
                    "env": .array(["PATH=/usr/bin:/bin"]),
                ],
                "mounts": .array([processes, volume] + system), "linux": ["namespaces": .array(namespaces)],
            ]
        }

        @Test(arguments: Container.Propagation.allCases)
        func aMountAppearsAsThePropagationSays(propagation: Container.Propagation) throws {
            try Farm.run(Repository.small) { farm, _ in
                let script =
                    switch propagation {
                    case .rslave:
                        """
                        echo started
                        until cat /mnt/later/src/name 2>/dev/null; do sleep 0.02; done
                        echo mine >/mnt/later/src/new
                        while [[ -e /mnt/later ]]; do sleep 0.02; done
                        echo gone
                        """
                    case .rprivate:
                        """
                        echo started
                        until [[ -e /mnt/later ]]; do sleep 0.02; done
                        if ls /mnt/later 2>/dev/null || touch /mnt/later/x 2>/dev/null; then echo not bare; fi
                        while [[ -e /mnt/later ]]; do sleep 0.02; done
                        echo gone
                        """
                    }
                let (bundle, state) = (farm.directory + "/bundle", farm.directory + "/runc")
                let name = "antares-test-\(getpid())"
                try Program.shell("mkdir -p '\(bundle)'/rootfs/{usr,bin,lib,lib64,etc,proc,dev,mnt}")
                try File.replace(
                    bundle + "/config.json", with: Self.configuration(farm, propagation, script).encoded())
                let output = try CapturedOutput()
                let errors = try CapturedOutput()
                let container = try Program.start(
                    Self.runc, ["--root", state, "run", "--bundle", bundle, name], output: output.raw,
                    errors: errors.raw)
                defer {
                    _ = try? Program.run(Self.runc, ["--root", state, "delete", "--force", name])
                    BusyMountTests.end(container)
                }
                try until("the container has started") {
                    if container.waitForEnd(until: .now) { throw Trouble("runc: \(try errors.text())") }
                    return try output.text() == "started\n"
                }
                let mount = try farm.mount(
                    "m", ["mountpoint": .string(farm.mountRoot + "/later"), "uid": 64_790, "gid": 64_790])
                if propagation == .rslave {
                    try until("the job has written") { access(mount.path + "/src/new", F_OK) == 0 }
                    #expect(try FileStatus(of: mount.path + "/src/new").uid == 64_790)
                }
                try farm.unmount(mount)
                #expect(container.waitForEnd(until: .after(.seconds(30))))
                let said = try output.text()
                #expect(said == (propagation == .rslave ? "started\nthe tree\ngone\n" : "started\ngone\n"))
            }
        }
    }
}
