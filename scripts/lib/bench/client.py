"""The operator API, spoken by hand."""
import json
import socket
import time


class BenchError(Exception):
    pass


class Client:
    """One keep-alive connection to the operator API. Not for several threads."""

    def __init__(self, path, timeout=30):
        self.path, self.timeout = path, timeout
        self._connect()

    def _connect(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(self.timeout)
        self.socket.connect(self.path)
        self.buffer = b""
        self.used = time.monotonic()

    def close(self):
        self.socket.close()

    def call(self, method, target, body=None):
        """The status and the decoded body of the answer."""
        status, text = self.raw(method, target, body)
        return status, json.loads(text) if text else None

    def raw(self, method, target, body=None):
        """The status and the bytes of the answer's body."""
        # The API ends connections on which nothing happens for a minute.
        if time.monotonic() - self.used > 30:
            self.close()
            self._connect()
        self.used = time.monotonic()
        payload = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {target} HTTP/1.1\r\nHost: antares\r\nContent-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        self.socket.sendall(head.encode() + payload)
        while b"\r\n\r\n" not in self.buffer:
            self._receive()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"transfer-encoding":
                raise BenchError("the API answers in chunks, which this client does not read")
        while len(self.buffer) < length:
            self._receive()
        text, self.buffer = self.buffer[:length], self.buffer[length:]
        return int(head.split(b" ", 2)[1]), text

    def _receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise BenchError("the supervisor closed the connection")
        self.buffer += data

    def mount(self, **fields):
        """Asks for a mount and returns it when it is ready."""
        status, body = self.call("POST", "/mounts", {"path": "/", **fields})
        deadline = time.monotonic() + 30
        while status < 300 and body["state"] != "Ready" and time.monotonic() < deadline:
            status, body = self.call("GET", f"/mounts/{body['mount_id']}")
        if status >= 300 or body["state"] != "Ready":
            raise BenchError(f"POST /mounts: {status} {body}")
        return body

    def status(self, mount_id):
        status, body = self.call("GET", f"/mounts/{mount_id}")
        if status != 200:
            raise BenchError(f"GET /mounts/{mount_id}: {status} {body}")
        return body

    def unmount(self, mount_id):
        status, body = self.call("DELETE", f"/mounts/{mount_id}")
        if status >= 300:
            raise BenchError(f"DELETE /mounts/{mount_id}: {status} {body}")
        return body
