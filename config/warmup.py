"""Imports slow modules before they are needed."""

import gc

from django.conf import settings
from django.utils.module_loading import import_string


def warm_up() -> None:
    """Run the functions of the setting `WARM_UP`, which import modules that take seconds to load.

    The objects of modules live as long as the process. The garbage collector ignores them afterwards: otherwise
    each full collection stops all threads while it visits them.
    """
    for path in settings.WARM_UP:
        import_string(path)()
    gc.collect()
    gc.freeze()
