import CacheProtocol
import Glibc
import LinuxSystem
import MountWorker
import WireFormat
import WorkerProtocol

/// A worker or a cache owner of a build that does not exist: it speaks the real protocols and claims other versions.
///
///     protocol-double worker-control     a worker of another control protocol
///     protocol-double worker-session     a worker of another layout of the session memory
///     protocol-double owner              a cache owner of another control protocol
///     protocol-double attempts PROFILE PID  what a process of that profile can do, one `name=errno` a line; fd 3 is an object, fd 4 a socket
@main
struct Main {
    static func main() {
        let listener = Worker.controlSocket
        let own = WorkerVersions.own
        do {
            switch CommandLine.arguments.dropFirst() {
            case ["worker-control"]:
                let versions = WorkerVersions(control: 90...91, session: own.session)
                _exit(try Worker(listener: OwnedFD(taking: listener), versions: versions).run())
            case ["worker-session"]:
                let versions = WorkerVersions(control: own.control, session: 90...91)
                _exit(try Worker(listener: OwnedFD(taking: listener), versions: versions).run())
            case ["owner", "--version"]:
                print("protocol-double 1 control 90-91, workers 90-91")
            case ["owner"]:
                try refuse(listener)
            case let arguments where arguments.first == "attempts" && arguments.count == 3:
                let arguments = Array(arguments)
                try Hardening.apply(arguments[1] == "worker" ? .worker : .cacheOwner)
                Attempts(object: 3, socket: 4, victim: Int32(arguments[2]) ?? 0).run()
            default:
                _exit(2)
            }
        } catch {
            _exit(1)
        }
    }

    /// Answers every request as an owner does that has no version in common.
    private static func refuse(_ listener: Int32) throws {
        let socket = MessageSocket(try MessageSocket.accept(listener))
        while let (bytes, _) = try socket.receive(until: .never) {
            var reader = WireReader(bytes)
            let header = try MessageHeader(from: &reader)
            let error = CacheError(.invalidRequest, "this cache owner speaks control protocol 90...91")
            try socket.send(header.reply(isError: true).message(error.encode()))
        }
    }
}
