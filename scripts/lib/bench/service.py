"""One supervisor with a cache of its own: what a machine would have. A farm may have several at a time."""
import os
import subprocess
import time

from client import BenchError, Client

SPARES = 4


class Service:
    """Starts with an empty cache and no state, below `base`; `seal` is the key of the configuration."""

    def __init__(self, farm, name, seal, origin_url=None):
        self.farm, self.name, self.seal = farm, name, seal
        self.base = farm.path(name)
        self.cache = os.path.join(self.base, "cache")
        self.socket = f"{self.base}/run/api.sock"
        os.mkdir(self.base, 0o711)
        os.chmod(self.base, 0o711)
        # In memory, as /run is where the service is installed.
        os.mkdir(f"{self.base}/run", 0o755)
        farm.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=256m", "tmpfs", f"{self.base}/run"])
        with open(f"{self.base}/supervisor.toml", "w", encoding="utf-8") as config:
            config.write(f"""[supervisor]
socket = "{self.socket}"
state_dir = "{self.base}/state"
run_dir = "{self.base}/run"
mount_root = "{self.base}/mnt"
upper_root = "{self.base}/upper"
worker_user = "64711"

[cache]
dir = "{self.cache}"
user = "64712"
limit = "40GiB"
seal = {str(seal).lower()}

[origins.local]
url = "{origin_url or farm.origin_url}"
default = true
""")
        self.process = None
        self._start()

    def kill(self):
        """Ends the supervisor alone, as a crash does: its mounts, their workers and the cache owner stay."""
        self.process.kill()
        self.process.wait(10)

    def launch(self):
        """Starts the supervisor; a client as soon as it answers."""
        self.process = self.farm.start(
            self.name, [self.farm.path("bin", "antares-supervisor"), "--config", f"{self.base}/supervisor.toml"])
        # The programs it starts write to the same log, so that a line there is not enough.
        until = time.monotonic() + 30
        while True:
            try:
                return self.client()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise BenchError(f"the supervisor does not start\n{self.farm.tail(self.name)}") from None
                time.sleep(0.01)

    def _start(self):
        client = self.launch()
        with_spares = time.monotonic() + 5
        while time.monotonic() < with_spares and client.call("GET", "/health")[1].get("spare_workers", 0) < SPARES:
            time.sleep(0.02)
        client.close()

    def client(self):
        return Client(self.socket)

    def owner(self):
        client = self.client()
        try:
            return client.call("GET", "/health")[1]["cache_pid"]
        finally:
            client.close()

    def await_seal(self, commit, seconds=300):
        """Returns when the next mount of the commit is sealed; what the owner said when it had made the image, if it made one."""
        client, until = self.client(), time.monotonic() + seconds
        try:
            while True:
                status, body = client.call("POST", "/cache/prefetch", {"rev": commit, "depth": 0})
                if status != 202:
                    raise BenchError(f"POST /cache/prefetch: {status} {body}")
                said = self.said(" cache sealed ", " ms=")
                # The image is offered a moment before its line is in the log.
                if body["sealed"] and said:
                    return said
                refused = self.said(" cache not-sealed ")
                if refused or time.monotonic() > until:
                    raise BenchError(f"{commit} is not sealed: {refused or 'not in time'}")
                time.sleep(0.02)
        finally:
            client.close()

    def said(self, *texts):
        """The fields of the last line of the log with all these texts: {name: value}; empty if there is none."""
        found = {}
        with open(self.farm.path(f"{self.name}.log"), encoding="utf-8", errors="replace") as log:
            for line in log:
                if all(text in line for text in texts):
                    found = dict(word.split("=", 1) for word in line.split() if "=" in word)
        return found

    def forget_images(self):
        """Starts again with the same cache, in which no snapshot is sealed any more."""
        self.stop()
        images = os.path.join(self.cache, "local", "images")
        for name in os.listdir(images):
            os.unlink(os.path.join(images, name))
        os.rename(self.farm.path(f"{self.name}.log"), self.farm.path(f"{self.name}-before.log"))
        self._start()

    def stop(self):
        """Its directories stay until the end: ext4 passes over inodes deleted in the last minutes one by one (recently_deleted in
        fs/ext4/ialloc.c), so that the next cache would be filled several times slower than an empty disk allows."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
            raise BenchError("the supervisor did not end within 60 s") from None
