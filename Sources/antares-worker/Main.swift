import Glibc
import LinuxSystem
import MountWorker
import Probes

/// The server of one mount. Started by the supervisor with the listening control socket at descriptor 3; takes no settings.
@main
struct Main {
    static func main() {
        switch CommandLine.arguments.dropFirst() {
        case []:
            _exit(serve(Faults()))
        case ["--version"]:
            print("antares-worker \(Worker.version)")
        case let arguments:
            if arguments.count == 2, arguments.first == "--test-faults", let faults = Faults(arguments.last ?? "") {
                _exit(serve(faults))
            }
            if let code = ProbeMode.run(Array(arguments)) { _exit(code) }
            complain("antares-worker: takes no argument but --version; antares-supervisor starts it")
            _exit(2)
        }
    }

    private static func serve(_ faults: Faults) -> Int32 {
        // Standard error may be a pipe whose reader, the supervisor, has died.
        signal(SIGPIPE, SIG_IGN)
        let lines = LineSink(inherited: Worker.lineDescriptor)
        Privileges.raiseOpenFileLimit()
        // All of its threads: what they do for a request is over in microseconds.
        SystemThread.becomePrompt()
        do {
            try Hardening.apply(.worker)
            return try Worker(listener: OwnedFD(taking: Worker.controlSocket), faults: faults, lines: lines).run()
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
