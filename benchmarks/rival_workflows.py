"""Another durable engine in a separate process: `PYTHON benchmarks/rival_workflows.py URL STEPS RUNS`.

Runs under a Python that has `dbos`, and imports nothing from this project. It creates DBOS's tables in the database,
prints `ready`, and for each line of its input runs the workflows and prints the CPU seconds of this process.
"""

import sys
import time
from uuid import uuid4

from dbos import DBOS


def build(steps):
    """Return a workflow of steps that do nothing, one after the other."""

    @DBOS.step()
    def do_nothing(number):
        return number

    @DBOS.workflow()
    def run_chain():
        for number in range(steps):
            do_nothing(number)

    return run_chain


def main(url, steps, runs):
    """Run the workflows as often as asked."""
    config = {"name": "bench", "system_database_url": url, "application_version": uuid4().hex}
    DBOS(config={**config, "log_level": "ERROR", "console_log_level": "ERROR"})
    workflow = build(steps)
    DBOS.launch()
    workflow()
    print("ready", flush=True)
    for _ in sys.stdin:
        before = time.process_time()
        for started in [DBOS.start_workflow(workflow) for _ in range(runs)]:
            started.get_result()
        print(time.process_time() - before, flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
