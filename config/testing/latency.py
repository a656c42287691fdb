"""Times the requests of one client from a separate process, so that the load's process does not delay it.

Started by `measure_latency`. Reads one JSON object from standard input and writes one to standard output.
"""

import http.client
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Latency:
    """Seconds of each request by path, in their order."""

    durations: dict[str, list[float]]

    def percentile(self, path: str, share: float = 0.99) -> float:
        """Return the seconds that `share` of the requests to `path` did not exceed."""
        ordered = sorted(self.durations[path])
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def measure_latency(
    url: str, paths: list[str], secret: str, *, seconds: float, pause: float = 0.02
) -> Latency:
    """Request the paths in turn for some seconds, with a pause after each request.

    Raises:
        subprocess.CalledProcessError: a response is not successful.
    """
    task = {"url": url, "paths": paths, "secret": secret, "seconds": seconds, "pause": pause}
    done = subprocess.run(
        [sys.executable, "-m", "config.testing.latency"],
        input=json.dumps(task),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Latency(json.loads(done.stdout))


def _run(task: dict[str, Any]) -> dict[str, list[float]]:
    address, end = urlsplit(task["url"]).netloc, time.monotonic() + task["seconds"]
    durations: dict[str, list[float]] = {path: [] for path in task["paths"]}
    while time.monotonic() < end:
        for path, found in durations.items():
            began = time.monotonic()
            connection = http.client.HTTPConnection(address, timeout=30)
            connection.request("GET", path, headers={"Authorization": f"Bearer {task['secret']}"})
            response = connection.getresponse()
            response.read()
            connection.close()
            found.append(time.monotonic() - began)
            if response.status != 200:
                sys.exit(f"{path}: {response.status}")
            time.sleep(task["pause"])
    return durations


if __name__ == "__main__":
    json.dump(_run(json.load(sys.stdin)), sys.stdout)
