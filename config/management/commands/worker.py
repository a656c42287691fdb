"""`manage.py worker`: run deferred and periodic jobs."""

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params

from config.clock import run_clock
from config.jobs import QueueConnector


class Command(BaseCommand):
    help = "Run deferred and periodic jobs until stopped. Several workers can run, on several machines."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--concurrency", type=int, default=settings.WORKER_CONCURRENCY, help="Number of concurrent jobs."
        )
        parser.add_argument("--queues", default="", help="Comma-separated queue names (default: all).")
        parser.add_argument("--once", action="store_true", help="Exit when no job is left.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            asyncio.run(self._work(options))
            return
        with run_clock():
            asyncio.run(self._work(options))

    async def _work(self, options: dict[str, Any]) -> None:
        queues = [name.strip() for name in options["queues"].split(",") if name.strip()] or None
        # LISTEN does not work behind a transaction pooler: poll the queue twice a second instead.
        listen = settings.WORKER_LISTEN
        with app.replace_connector(QueueConnector(kwargs=connector_params("default"))) as worker:
            async with worker.open_async():
                await worker.run_worker_async(
                    queues=queues,
                    concurrency=options["concurrency"],
                    wait=not options["once"],
                    listen_notify=listen,
                    fetch_job_polling_interval=5.0 if listen else 0.5,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=8,
                )
