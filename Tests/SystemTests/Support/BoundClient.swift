import Glibc
import LinuxSystem
import Testing

/// A process that asked for a mount that ends with it.
struct BoundClient {
    let mount: Farm.Mount
    private let process: ChildProcess

    /// Returns when the mount, of the job `bound`, is ready.
    init(_ farm: Farm) throws {
        let script = """
            import json, socket, time
            s = socket.socket(socket.AF_UNIX)
            s.connect("\(farm.api.socket)")
            body = json.dumps({"path": "/", "job_id": "bound", "bind_to_client": True})
            s.sendall(f"POST /mounts HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n{body}".encode())
            s.recv(65536)
            time.sleep(1000)
            """
        process = try Program.start("/usr/bin/python3", ["-c", script])
        try until("it has its mount") { try farm.api.get("/mounts/by-job/bound").body["state"] == "Ready" }
        let status = try farm.api.get("/mounts/by-job/bound").body
        mount = Farm.Mount(
            id: try #require(status["mount_id"].text), path: try #require(status["mountpoint"].text))
    }

    func end() {
        process.signal(SIGKILL)
        _ = process.waitForEnd(until: .after(.seconds(5)))
        _ = process.reap()
    }
}
