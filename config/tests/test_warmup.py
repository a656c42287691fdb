"""The warm-up of a web worker."""

import gc

from config.warmup import warm_up


def test_garbage_collector_ignores_what_the_warm_up_loaded(settings):
    settings.WARM_UP = []
    before = gc.get_freeze_count()
    try:
        warm_up()
        assert gc.get_freeze_count() > before + 1000
    finally:
        gc.unfreeze()
