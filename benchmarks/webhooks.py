"""`python -m benchmarks.webhooks [--count N]`: deliveries of webhooks per second by one worker.

The receiver is a process on loopback that reads each request and answers 200. The worker claims, signs, sends and
records each delivery, with one endpoint; relaying the events is measured separately.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from typing import Any
from uuid import uuid4

from .installation import House, made_house

MIN_RATE = 500
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def _receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
            writer.write(RESPONSE)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _serve(ports: Any) -> None:
    async def run() -> None:
        server = await asyncio.start_server(_receive, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def measure_rates(house: House, count: int) -> tuple[float, float, float]:
    """Return events relayed per second, deliveries per second, and deliveries per second of CPU of this process."""
    from django.conf import settings
    from django.db import connection

    from config.tenancy.scope import tenant_scope
    from tenants.event_types import RunCompletedEvent
    from tenants.models import WebhookDelivery, WebhookEndpoint
    from tenants.services.deliveries import deliver_pending
    from tenants.services.outbox import publish
    from tenants.services.relay import relay_events
    from tenants.services.webhooks import generate_secret

    # Forking after Django's connection is open would share it.
    connection.close()
    context = multiprocessing.get_context("fork")
    ports = context.SimpleQueue()
    receiver = context.Process(target=_serve, args=(ports,), daemon=True)
    receiver.start()
    port = ports.get()
    settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.1/32"], [port]
    with tenant_scope(house.tenant_id, actor="system:benchmark"):
        endpoint = WebhookEndpoint(url=f"http://127.0.0.1:{port}/", secret=generate_secret())
        endpoint.save()
        for _ in range(count):
            publish(RunCompletedEvent(run_id=uuid4(), agent_id=uuid4(), status="completed"))
    began = time.perf_counter()
    relayed = relay_events(house.tenant_id)
    relaying, began, cpu = time.perf_counter() - began, time.perf_counter(), time.process_time()
    sent = deliver_pending(house.tenant_id, endpoint.pk, seconds=600)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    receiver.kill()
    with tenant_scope(house.tenant_id, actor="system:benchmark"):
        succeeded = WebhookDelivery.objects.filter(endpoint=endpoint, status="succeeded").count()
    if not relayed == sent == succeeded == count:
        sys.exit(f"{relayed} relayed, {sent} sent, {succeeded} succeeded of {count}")
    return count / relaying, count / seconds, count / cpu


def main() -> None:
    """Print the rates; exit with 1 if the deliveries of a second of CPU are below the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    options = parser.parse_args()
    with made_house() as house:
        relayed, sent, per_cpu = measure_rates(house, options.count)
    load = os.getloadavg()[0]
    print(
        f"relayed {relayed:.0f}/s, delivered {sent:.0f}/s, {per_cpu:.0f} in a second of CPU (load {load:.1f})"
    )
    sys.exit(sent < MIN_RATE and per_cpu < MIN_RATE)


if __name__ == "__main__":
    main()
