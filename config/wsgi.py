"""WSGI entry point."""

import os
import threading

from django.core.wsgi import get_wsgi_application

from config.warmup import warm_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
application = get_wsgi_application()

if os.environ.get("CONCLAVE_WARM_UP", "1") == "1":
    # In the background, while the first requests are served.
    threading.Thread(target=warm_up, daemon=True, name="warm-up").start()
