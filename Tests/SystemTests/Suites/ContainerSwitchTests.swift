import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// The changelist of a mount is exchanged while a container has the mount.
    @Suite struct ContainerSwitchTests {
        private static func series(in directory: String) throws -> Repository {
            try ChangelistSeries(in: directory, count: 2).repository
        }

        private static func options(_ form: Form) -> Farm.Options { Farm.Options(form: form, awaitsImage: false) }

        private func versions(_ container: Container, _ mount: Farm.Mount) throws -> String {
            try container.output(
                "cd \(container.path(of: mount)); cat \(ChangelistSeries.files.joined(separator: " "))")
        }

        private func isOneView(_ farm: Farm) throws -> Bool {
            try farm.processes.named("antares-worker").count <= Farm.spares + 1
        }

        /// A container that gets the mounts gets the next view as well, in one step; whoever has the old one open keeps it.
        @Test(arguments: Form.allCases) func theNextViewReachesTheContainer(form: Form) throws {
            try Farm.run(Self.series, Self.options(form)) { farm, _ in
                let container = try Container(farm, .rslave)
                defer { container.end() }
                let mount = try farm.mount("m", ["cl": "S0"])
                #expect(try versions(container, mount) == "0\n0\n0\n")
                let (stop, place) = (farm.directory + "/stop", container.path(of: mount))
                let output = try CapturedOutput()
                let reader = try container.start(
                    """
                    exec /usr/bin/python3 - 2>&1 <<'EOF'
                    import os
                    seen, rounds = set(), 0
                    while not os.path.exists('\(stop)'):
                        root = os.open('\(place)', os.O_RDONLY | os.O_DIRECTORY)
                        versions = set()
                        for name in \(ChangelistSeries.files):
                            file = os.open(name, os.O_RDONLY, dir_fd=root)
                            versions.add(os.read(file, 16))
                            os.close(file)
                        os.close(root)
                        for name in \(ChangelistSeries.files): os.stat('\(place)/' + name)
                        assert len(versions) == 1, versions
                        seen |= versions
                        rounds += 1
                    assert len(seen) == 2 and rounds > 20, (seen, rounds)
                    EOF
                    """, output: output.raw)
                let other = try container.start("cd \(place); until [[ -e '\(stop)' ]]; do sleep 0.05; done; cat a")
                for number in 1...50 {
                    try farm.exchange(mount, to: "S\(number % 2)")
                    #expect(try container.output("cat \(place)/a") == "\(number % 2)\n")
                }
                try Program.shell("touch '\(stop)'")
                for job in [reader, other] {
                    #expect(job.waitForEnd(until: .after(.seconds(30))))
                    let said = try output.text()
                    #expect(job.reap() == .code(0), "\(said)")
                }
                // One mount in the container, too, and no view is left that nobody has.
                let table = try container.output("grep -c ' /mnt/' /proc/self/mountinfo")
                #expect(table == "1\n", "\(table)")
                try until("the old views are gone") { try isOneView(farm) }
                try farm.unmount(mount)
                #expect(try container.output("ls -A /mnt") == "")
            }
        }

        /// A copy that gets nothing keeps showing the view that it was made of, with a worker, until it goes or the mount does.
        @Test(arguments: Form.allCases, [true, false])
        func aCopyKeepsItsView(form: Form, alone: Bool) throws {
            try Farm.run(Self.series, Self.options(form)) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                let container = try Container(
                    farm, alone ? .rslave : .rprivate, volume: alone ? mount.path : nil)
                defer { container.end() }
                #expect(try container.output("cat \(container.path(of: mount))/a") == "0\n")
                try farm.exchange(mount, to: "S1")
                #expect(try File.text(mount.path + "/a") == "1\n")
                // Also where nobody looked before.
                #expect(try versions(container, mount) == "0\n0\n0\n")
                #expect(try !isOneView(farm))
                container.end()
                try until("the old view is gone") { try isOneView(farm) }
                try farm.unmount(mount)
            }
        }

        @Test(arguments: Form.allCases) func aMountEndsWithTheViewsThatCopiesKeep(form: Form) throws {
            try Farm.run(Self.series, Self.options(form)) { farm, _ in
                let mount = try farm.mount("m", ["cl": "S0"])
                let container = try Container(farm, .rslave, volume: mount.path)
                defer { container.end() }
                try farm.exchange(mount, to: "S1")
                #expect(try container.output("cat /mnt/a") == "0\n")
                let answer = try farm.api.request("DELETE", "/mounts/\(mount.id)", limit: .seconds(10))
                #expect(answer.status == 200 && answer.body["state"] == "Unmounted", "\(answer)")
                try until("all views are gone") { try farm.processes.serving().isEmpty }
                let after = try container.run("cat /mnt/deep/er/c")
                if form == .lazy { #expect(after.status == .code(1), "\(after)") }
            }
        }
    }
}
