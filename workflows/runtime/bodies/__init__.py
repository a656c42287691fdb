"""Bodies of the step kinds; importing the package registers them."""

from . import (  # noqa: F401
    agents,
    approvals,
    control_flow,
    expert_groups,
    http,
    maps,
    retrieval,
    tools,
    waits,
)
