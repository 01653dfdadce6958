import Glibc
import LinuxSystem
import Testing

@testable import Probes

/// Against a tmpfs with processes in it. As root only.
@Suite(.serialized, .enabled(if: geteuid() == 0)) struct HolderScanTests {
    @Test func findsEveryUseThroughBindMountsAndNamespaces() throws {
        let mount = try TestTmpfs()
        let script = """
            cp /bin/sleep '\(mount.path)/sleep'; mkdir '\(mount.path)/d'; cd '\(mount.path)/d'; exec 7>'\(mount.path)/open'
            exec '\(mount.path)/sleep' 60
            """
        let holder = try mount.start("/bin/sh", ["-c", script])
        let other = try mount.start(
            "/usr/bin/unshare",
            ["--mount", "--propagation", "private", "/bin/sh", "-c", "echo >'\(mount.path)/in'; exec sleep 60"])
        let bound = mount.path + ".bound"
        try Directory.create(bound)
        defer {
            try? Mounts.detach(bound)
            rmdir(bound)
        }
        let place = try Directory.open(bound)
        try DetachedMount(cloning: mount.path).attach(at: place.raw)
        let target = try mount.target()
        var found: [Holder] = []
        let deadline = Deadline.after(.seconds(20))
        repeat {
            found = []
            var scan = HolderScan([target]) { _, holder in found.append(holder) }
            scan.run()
        } while !deadline.hasPassed
            && !(found.contains { $0.command == "sleep" && $0.use == .executable }
                && found.contains { $0.use == .namespace })
        let own = found.filter { $0.pid == holder.pid }
        #expect(own.contains { $0.use == .workingDirectory && $0.path == "/d" }, "\(own)")
        #expect(own.contains { $0.use == .descriptor(7) && $0.path == "/open" })
        #expect(own.contains { $0.use == .executable && $0.path == "/sleep" && $0.command == "sleep" })
        #expect(own.contains { $0.use == .mapping && $0.path == "/sleep" })
        #expect(own.allSatisfy { ProcessIdentity(of: $0.pid)?.startTime == $0.startTime })
        #expect(found.contains { $0.use == .bindMount && $0.path == bound })
        #expect(found.contains { $0.use == .namespace && $0.pid == other.pid }, "\(found)")
        #expect(!found.contains { $0.pid == getpid() })
    }

    @Test func anUnusedMountHasNoHolders() throws {
        let mount = try TestTmpfs()
        var found: [Holder] = []
        var scan = HolderScan([try mount.target()]) { _, holder in found.append(holder) }
        scan.run()
        #expect(found == [])
    }
}

/// A tmpfs, and processes that end with it.
final class TestTmpfs {
    let path: String
    private var children: [ChildProcess] = []

    init() throws {
        path = "/tmp/antares-probes-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try Directory.create(path)
        let context = try FilesystemContext("tmpfs")
        try context.create()
        let place = try Directory.open(path)
        try context.mount([.noDevices]).attach(at: place.raw)
    }

    func target() throws -> HolderScan.Target {
        let facts = try #require(try Mounts.top(path).facts())
        return HolderScan.Target(device: facts.device, tableID: facts.tableID)
    }

    func start(_ program: String, _ arguments: [String]) throws -> ChildProcess {
        let child = try ChildProcess.spawn(
            ProcessSpec(path: program, arguments: arguments, environment: ["PATH=/usr/bin:/bin"]))
        children.append(child)
        return child
    }

    deinit {
        for child in children {
            child.signal(SIGKILL)
            _ = child.waitForEnd(until: .after(.seconds(5)))
            _ = child.reap()
        }
        try? Mounts.detach(path)
        rmdir(path)
    }
}
