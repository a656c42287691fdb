"""WSGI entry point."""

import os
import threading

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
application = get_wsgi_application()


def _warm_up() -> None:
    """Import slow modules in the background while the first requests are served."""
    from config.warmup import warm_up

    warm_up()


if os.environ.get("CONCLAVE_WARM_UP", "1") == "1":
    threading.Thread(target=_warm_up, daemon=True, name="warm-up").start()
