import Glibc
import LinuxSystem
import MountWorker

/// The server of one mount. Started by the supervisor with the listening control socket at descriptor 3; takes no settings.
@main
struct Main {
    static func main() {
        switch CommandLine.arguments.dropFirst() {
        case []:
            _exit(serve())
        case ["--version"]:
            print("antares-worker \(Worker.version)")
        default:
            complain("usage: antares-worker [--version]; the supervisor starts it")
            _exit(2)
        }
    }

    private static func serve() -> Int32 {
        // Standard error may be a pipe whose reader, the supervisor, has died.
        signal(SIGPIPE, SIG_IGN)
        Privileges.raiseOpenFileLimit()
        do {
            return try Worker(listener: OwnedFD(taking: Worker.controlSocket)).run()
        } catch {
            complain("antares-worker: \(error)")
            return 1
        }
    }

    private static func complain(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
    }
}
