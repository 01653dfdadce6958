import Glibc

/// The service manager that started this process, as sd_notify(3) talks to it.
public enum ServiceManager {
    /// Tells it a state, such as `READY=1` or `STOPPING=1`. Does nothing where there is no `NOTIFY_SOCKET`; a manager that does not take the
    /// message is not waited for.
    public static func notify(_ state: String) {
        guard let path = getenv("NOTIFY_SOCKET") else { return }
        try? StreamSocket.sendDatagram(Array(state.utf8), to: String(cString: path))
    }
}
