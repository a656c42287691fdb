"""Health endpoints that respond while all threads are occupied."""

import asyncio
import copy
import threading
from concurrent.futures import Future

from django.db import connections
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse

from config.api.health import healthz, readyz

# Time limit of the readiness check, which uses the database.
READY_SECONDS = 5
SAFE_METHODS = ("GET", "HEAD")


class HealthEndpoints:
    """The health endpoints `/healthz` and `/readyz`.

    One thread with a connection outside the pool checks readiness for all callers.
    """

    def __init__(self) -> None:
        self._pending: Future[HttpResponse] | None = None

    async def respond(self, method: str, path: str) -> HttpResponse | None:
        """Return the response, or None for any other path."""
        if path not in ("/healthz", "/readyz"):
            return None
        if method not in SAFE_METHODS:
            return HttpResponseNotAllowed(SAFE_METHODS)
        request = HttpRequest()
        request.method = method
        return healthz(request) if path == "/healthz" else await self._check_readiness(request)

    async def _check_readiness(self, request: HttpRequest) -> HttpResponse:
        if self._pending is None or self._pending.done():
            pending: Future[HttpResponse] = Future()
            self._pending = pending
            threading.Thread(
                target=_run_check, args=(request, pending), daemon=True, name="readiness"
            ).start()
        try:
            shared = asyncio.shield(asyncio.wrap_future(self._pending))
            return await asyncio.wait_for(shared, READY_SECONDS)
        except TimeoutError:
            reasons = {"database": "does not respond"}
            return JsonResponse({"status": "unready", "reasons": reasons}, status=503)


def _run_check(request: HttpRequest, result: Future[HttpResponse]) -> None:
    try:
        _leave_connection_pool()
        result.set_result(readyz(request))
    except BaseException as error:  # noqa: BLE001 - the event loop handles it
        result.set_exception(error)
    finally:
        connections.close_all()


def _leave_connection_pool() -> None:
    """Give this thread a connection outside the pool, which requests may exhaust."""
    separate = connections.create_connection("default")
    separate.settings_dict = copy.deepcopy(separate.settings_dict)
    separate.settings_dict["OPTIONS"].pop("pool", None)
    connections["default"] = separate
