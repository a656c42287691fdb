"""The engine under 60 kills of worker, web process, database session and database server (Linux only).

The random generator chooses what is killed and after how many steps. `ENDURANCE_SEED` repeats its choices, but not the
moments, which depend on the speed of the machine.
"""

import os
import random
import sys
import threading
import time
from uuid import uuid4

import pytest

from config.postgres.binaries import EmbeddedError
from config.testing.installation import Installation
from knowledge.tests.waiting import wait_until
from workflows.tests.kills import ApiClient, EffectReceiver, WorkerPool, strike
from workflows.tests.runs import transform

RUNS, DEADLY_RUNS, STEPS, ITEMS, CHAIN = 100, 3, 30, 6, 10
MAX_CLAIMS = 5
KILLS = {"worker": 22, "web": 12, "backend": 20, "postmaster": 6}
STEPS_BETWEEN_KILLS, MAX_PAUSE_SECONDS = (20, 60), 8
START_SECONDS, PATIENCE = 900, 120
RETRY = {"maximum_attempts": 10, "initial_interval": 0.3, "maximum_interval": 2}
SETTINGS = """BEGIN; SELECT set_config('app.actor', 'system:test', true);
UPDATE tenants_tenant SET settings = '{"workflows": {"http_hosts": ["127.0.0.1"]}}' WHERE slug = 'demo'; COMMIT;"""


def send(name, port, path, **members):
    """A step with an effect outside."""
    url = f"http://127.0.0.1:{port}/{path}"
    return {"id": name, "kind": "http", "method": "POST", "url": url, "body": {}, **members}


def list_steps(port):
    """Return 30 steps with a fork, joins, retries, a map, an agent, an approval, a switch and effects outside."""
    item = send("tell", port, "${ run.id }/item-${ string(index) }")
    return [
        *(transform(name, "${ input.n }", needs=[]) for name in "abcd"),
        *(send(f"call-{name}", port, f"${{ run.id }}/call-{name}", needs=[name]) for name in "abc"),
        send("flaky", port, "${ run.id }/flaky", needs=["d"], retry=RETRY),
        {"id": "gather", "kind": "join", "needs": ["call-a", "call-b", "call-c", "flaky"]},
        {
            "id": "each",
            "kind": "map",
            "items": list(range(ITEMS)),
            "item_batch": 2,
            "max_concurrency": 2,
            "steps": [transform("n", "${ item }"), item],
        },
        {"id": "pause", "kind": "delay", "seconds": 0.5},
        {
            "id": "ask",
            "kind": "agent",
            "agent": "guide",
            "prompt": "How does Conclave isolate tenants?",
            "needs": ["gather"],
        },
        {"id": "both", "kind": "join", "needs": ["pause", "ask"]},
        {"id": "check", "kind": "approval", "prompt": "Go on?", "roles": ["admin"]},
        {
            "id": "choose",
            "kind": "switch",
            "cases": [{"when": "steps.check.output.decision == 'approved'", "goto": "left"}],
            "default": "right",
        },
        *(transform(name, 1, needs=["choose"]) for name in ("left", "right")),
        {"id": "meet", "kind": "join", "needs": ["left", "right"]},
        *(transform(f"chain-{n}", n) for n in range(CHAIN)),
        {"id": "announce", "kind": "emit", "event": "proof.done", "data": {"n": "${ input.n }"}},
        send("last", port, "${ run.id }/last"),
    ]


class Proof:
    """The installation with the workflows `proof` and `deadly`, whose runs and approvals go through the web server."""

    def __init__(self, installation, receiver, pool):
        self.installation, self.receiver, self.pool = installation, receiver, pool
        self.client, self.stopped, self.runs = ApiClient(installation), threading.Event(), []
        self.prefix = uuid4().hex
        self.threads = [threading.Thread(target=work) for work in (self._start_runs, self._approve)]

    def publish(self):
        steps = {
            "proof": list_steps(self.receiver.port),
            "deadly": [send("call", self.receiver.port, "${ run.id }/deadly")],
        }
        assert len(steps["proof"]) == STEPS
        for slug, listed in steps.items():
            definition = {"schema": "conclave.workflow/1", "steps": listed, "retry": RETRY}
            body = {"slug": slug, "name": slug, "status": "active", "definition": definition}
            assert self.client.send("POST", "workflows/", body)[0] == 201
            assert self.client.send("POST", f"workflows/{slug}/publish/", {})[0] == 201

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _start_runs(self):
        slugs = ["deadly"] * DEADLY_RUNS + ["proof"] * RUNS
        for n, slug in enumerate(slugs):
            found = self.client.insist(
                f"workflows/{slug}/run/", {"input": {"n": n}}, Idempotency_Key=f"{self.prefix}-{n}"
            )
            self.runs.append(found["id"])
            if self.stopped.wait(0.8):
                return

    def _approve(self):
        while not self.stopped.wait(0.5):
            status, found = self.client.send("GET", "approvals/?mine=true")
            for approval in found["results"] if status == 200 else ():
                self.client.send("POST", f"approvals/{approval['id']}/decide/", {"decision": "approved"})

    def read_number(self, sql):
        """Return the number that a statement selects, as soon as the database responds."""
        while True:
            try:
                return int(self.installation.sql(f"{sql};")[0])
            except EmbeddedError:
                time.sleep(0.5)

    def wait_for_steps(self, number):
        """Wait until so many further steps are finished, but not for long."""
        wanted, end = self.read_number(FINISHED_STEPS) + number, time.monotonic() + MAX_PAUSE_SECONDS
        while time.monotonic() < end and self.read_number(FINISHED_STEPS) < wanted:
            time.sleep(0.2)

    def wait_for_runs(self):
        """Wait until all runs have ended."""
        wait_until(
            lambda: self.read_number(ENDED_RUNS) == RUNS + DEADLY_RUNS,
            progress=lambda: self.read_number(FINISHED_STEPS),
            patience=PATIENCE,
            pause=1,
        )


ANY_RUN = "SELECT e.* FROM workflows_workflowexecution e JOIN workflows_workflow w ON w.id = e.workflow_id"
RUN, ALL_RUNS = f"{ANY_RUN} AND w.slug = 'proof'", f"({ANY_RUN} AND w.slug IN ('proof', 'deadly')) e"
FINISHED_STEPS = f"SELECT coalesce(sum(steps_completed), 0) FROM {ALL_RUNS}"
ENDED_RUNS = f"SELECT count(*) FROM {ALL_RUNS} WHERE completed_at IS NOT NULL"
STEP = f"SELECT s.* FROM workflows_stepexecution s JOIN ({RUN}) e ON e.id = s.execution_id"
ANSWER = (
    f"SELECT s.*, (s.metadata ->> 'message_id')::uuid AS message_id FROM ({STEP}) s"
    " WHERE step_id = 'ask' AND status = 'completed'"
)
# Each statement returns one number.
CHECKS = {
    f"SELECT count(*) FROM ({RUN}) e": RUNS,
    f"SELECT count(*) FROM ({RUN}) e WHERE status = 'completed' AND steps_completed = {STEPS}": RUNS,
    f"SELECT count(*) FROM ({STEP}) s WHERE item = -1 AND status IN ('completed', 'skipped')": RUNS * STEPS,
    f"SELECT count(DISTINCT (execution_id, step_id)) FROM ({STEP}) s WHERE item = -1": RUNS * STEPS,
    f"SELECT count(*) FROM ({STEP}) s WHERE status NOT IN ('completed', 'skipped', 'failed')": 0,
    f"SELECT count(*) FROM ({STEP}) s WHERE step_id = 'right' AND status = 'skipped'": RUNS,
    # Items of maps: each position once.
    f"SELECT count(*) FROM workflows_mapitem m JOIN ({STEP}) s ON s.id = m.step_id AND s.status = 'completed'"
    " AND m.status = 'completed'": RUNS * ITEMS,
    f"SELECT count(DISTINCT (m.step_id, position)) FROM workflows_mapitem m JOIN ({STEP}) s ON s.id = m.step_id"
    " AND s.status = 'completed'": RUNS * ITEMS,
    # Events: no number is missing, and each step ended once.
    f"SELECT count(*) FROM ({RUN}) e WHERE event_count <> (SELECT count(DISTINCT sequence_number)"
    " FROM workflows_workflowevent v WHERE v.execution_id = e.id)": 0,
    f"SELECT count(*) FROM workflows_workflowevent v JOIN ({RUN}) e ON e.id = v.execution_id"
    " WHERE v.kind IN ('step.completed', 'step.skipped')": RUNS * STEPS,
    f"SELECT count(*) FROM tenants_outboxevent o JOIN ({RUN}) e ON o.data ->> 'run_id' = e.id::text"
    " WHERE o.type = 'run.completed'": RUNS,
    "SELECT count(*) FROM tenants_outboxevent WHERE type = 'proof.done'": RUNS,
    # Usage of agents: two calls of the model for each answer, counted once in the run of the agent.
    f"SELECT count(*) FROM ({ANSWER}) s JOIN agents_agentrun a ON a.message_id = s.message_id AND a.model_calls = 2"
    " AND a.tokens_used = (s.metadata ->> 'tokens')::integer": RUNS,
    f"SELECT count(*) FROM ({ANSWER}) s JOIN agents_llmusage u ON u.message_id = s.message_id": 2 * RUNS,
    f"SELECT sum(u.total_tokens - (s.metadata ->> 'tokens')::float / 2)::integer FROM ({ANSWER}) s"
    " JOIN agents_llmusage u ON u.message_id = s.message_id": 0,
    # Statistics.
    "SELECT run_count FROM workflows_workflow WHERE slug = 'proof'": RUNS,
    "SELECT success_count FROM workflows_workflow WHERE slug = 'proof'": RUNS,
    "SELECT error_count FROM workflows_workflow WHERE slug = 'proof'": 0,
    "SELECT run_count FROM workflows_workflow WHERE slug = 'deadly'": DEADLY_RUNS,
    "SELECT error_count FROM workflows_workflow WHERE slug = 'deadly'": DEADLY_RUNS,
    f"SELECT count(*) FROM {ALL_RUNS} WHERE status = 'failed'"
    " AND error_message = 'Step call: Step call took its worker down 5 times.'": DEADLY_RUNS,
    "SELECT count(*) FROM workflows_workflowlane WHERE status <> 'idle'": 0,
}


@pytest.fixture(scope="module")
def proof():
    with EffectReceiver() as receiver:
        variables = {"FETCH_NETWORKS": "127.0.0.0/8", "FETCH_PORTS": str(receiver.port)}
        installation = Installation(**variables)
        try:
            installation.start(START_SECONDS)
            with WorkerPool(installation, 2) as pool:
                receiver.find_senders = pool.list_pids
                yield Proof(installation, receiver, pool)
        finally:
            installation.stop()


@pytest.mark.engine
@pytest.mark.endurance
@pytest.mark.slow
@pytest.mark.unmeasured
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_runs_survive_sixty_kills(proof):
    seed = int(os.environ.get("ENDURANCE_SEED") or random.randrange(2**32))
    print(f"ENDURANCE_SEED={seed}")
    dice, began = random.Random(seed), time.monotonic()
    proof.installation.sql(SETTINGS)
    proof.publish()
    with proof:
        for kind in dice.sample(list(KILLS), sum(KILLS.values()), counts=list(KILLS.values())):
            proof.wait_for_steps(dice.randint(*STEPS_BETWEEN_KILLS))
            wait_until(lambda kind=kind: strike(kind, proof.installation, proof.pool, dice), pause=0.3)
        seconds = time.monotonic() - began
        proof.wait_for_runs()
    repeats = proof.receiver.keys.total() - len(proof.receiver.keys)
    print(f"{KILLS} in {seconds:.0f} s, all runs ended after {time.monotonic() - began:.0f} s")
    print(f"{len(proof.receiver.keys)} effects outside, {repeats} requests repeated")
    assert {sql: proof.read_number(sql) for sql in CHECKS} == CHECKS
    check_effects(proof)


def check_effects(proof):
    """Check that each effect outside happened, with one key that no other effect has."""
    assert len(set(proof.runs)) == RUNS + DEADLY_RUNS
    names = ["call-a", "call-b", "call-c", "flaky", "last", *(f"item-{n}" for n in range(ITEMS))]
    deadly, runs = proof.runs[:DEADLY_RUNS], proof.runs[DEADLY_RUNS:]
    keys = proof.receiver.list_keys()
    fatal = {f"/{run}/deadly" for run in deadly}
    assert keys.keys() == fatal | {f"/{run}/{name}" for run in runs for name in names}
    assert {path: len(found) for path, found in keys.items() if len(found) != 1} == {}
    assert len({key for found in keys.values() for key in found}) == len(keys)
    assert all(number <= MAX_CLAIMS for (path, _), number in proof.receiver.keys.items() if path in fatal)
