import Glibc
import LinuxSystem

/// Tries what a process that was taken over would try, and says how each ended.
struct Attempts {
    /// An object of the store, open for reading.
    let object: Int32
    let socket: Int32
    /// A process of the same user.
    let victim: Int32

    func run() {
        let path = "/proc/self/fd/\(object)"
        say("write") { check(Glibc.write(object, "x", 1)) }
        say("reopen") { check(open(path, O_RDWR)) }
        say("open") { check(open("/etc/passwd", O_RDONLY)) }
        say("link") { check(linkat(AT_FDCWD, path, AT_FDCWD, "/tmp/antares-\(getpid())", AT_SYMLINK_FOLLOW)) }
        say("truncate") { check(ftruncate(object, 0)) }
        say("chmod") { check(fchmod(object, 0o666)) }
        say("kill") { check(kill(victim, 0)) }
        say("pidfd") { call { () throws(SystemError) in _ = try ChildProcess(adopting: victim) } }
        say("memory") { check(open("/proc/\(victim)/mem", O_RDWR)) }
        say("inet") { check(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)) }
        say("packet") { check(Glibc.socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)) }
        say("program") { call { () throws(SystemError) in _ = try ChildProcess.spawn(ProcessSpec(path: "/bin/true")) } }
        say("executable") { executableMemory() }
        say("setuid") { check(setuid(0)) }
        // What it is for goes on.
        say("thread") {
            call { () throws(SystemError) in try SystemThread.start(name: "t") {}.join() }
        }
        say("read") {
            var byte: UInt8 = 0
            return check(pread(object, &byte, 1, 0))
        }
        say("send") { check(Glibc.write(socket, "x", 1)) }
    }

    private func check(_ result: some SignedInteger) -> Int32 {
        result < 0 ? errno : 0
    }

    private func call(_ body: () throws(SystemError) -> Void) -> Int32 {
        do throws(SystemError) {
            try body()
            return 0
        } catch {
            return error.errno.rawValue
        }
    }

    private func executableMemory() -> Int32 {
        let memory = mmap(nil, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return memory == MAP_FAILED ? errno : 0
    }

    private func say(_ name: String, _ body: () -> Int32) {
        let line = Array("\(name)=\(body())\n".utf8)
        _ = line.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
    }
}
