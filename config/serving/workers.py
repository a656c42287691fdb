"""The supervisor of the worker processes."""

import os
import time
from collections.abc import Callable
from multiprocessing import Pipe
from typing import Any

from granian.server.mp import MPServer

# Maximum time in which a new worker must load the application.
READY_SECONDS = 60


class ReloadingServer(MPServer):
    """Granian server whose old workers end only when their successors are ready."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ready, self.ready = Pipe(duplex=False)

    def _respawn_workers(
        self,
        workers: list[int],
        spawn_target: Callable[..., Any],
        target_loader: Callable[..., Any],
        delay: float = 0,
    ) -> None:
        """Replace workers; keep the old ones if a new one fails.

        `delay` is 0 for workers that have ended.
        """
        for index in workers:
            worker = self._spawn_worker(idx=index, target=spawn_target, callback_loader=target_loader)
            # A failure to start is handled here, and not by the watcher of the worker.
            worker.interrupt_by_parent = bool(delay)
            worker.start()
            if delay and not self._wait_until_ready(worker):
                worker.kill()
                return
            worker.interrupt_by_parent = False
            self.respawned_wrks[index] = time.monotonic()
            old, self.wrks[index] = self.wrks[index], worker
            old.terminate()
            old.join(self.workers_kill_timeout)
            if old.is_alive():
                old.kill()
                old.join()
            if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
                from prometheus_client.multiprocess import mark_process_dead

                # Gauges of a process that has ended must not be counted.
                mark_process_dead(old.inner.pid)

    def _wait_until_ready(self, worker: Any) -> bool:
        """Wait for the worker and return whether it has loaded the application.

        False if it ends or is too slow.
        """
        end = time.monotonic() + READY_SECONDS
        while worker.is_alive() and time.monotonic() < end and not self.interrupt_signal:
            if self._ready.poll(0.1) and self._ready.recv() == worker.inner.pid:
                # The worker opens its socket right after loading.
                time.sleep(self.respawn_interval)
                return bool(worker.is_alive())
        return False
