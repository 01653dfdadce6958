import LinuxSystem

/// Who listens at a supervisor's socket.
enum ServingProcess {
    /// Nobody.
    case none
    /// This process, whether it answers or not.
    case some(Int32)
    /// The kernel lets this user not find out, or not now.
    case unknown(SystemError)

    init(_ socket: String) {
        do throws(SystemError) {
            let connection = try StreamSocket.connect(socket)
            self = .some(try MessageSocket.peer(of: connection.raw).pid)
        } catch {
            switch error.errno {
            case .notFound, .connectionRefused, .notADirectory: self = .none
            default: self = .unknown(error)
            }
        }
    }

    var pid: Int32? {
        if case .some(let pid) = self { pid } else { nil }
    }
}
