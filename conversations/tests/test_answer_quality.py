"""End-to-end retrieval: real files are ingested, and answers cite the right one."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from io import StringIO
from itertools import chain, islice
from pathlib import Path

import pytest
from django.core.management import call_command

from agents.models import AgentCollection
from agents.tests.factories import AgentFactory
from config.testing.web_server import BASE_DIR, build_environment
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import begin_turn, start_conversation
from knowledge.models import Chunk, Collection, Document
from knowledge.tests.waiting import wait_until

FILES, FEWER = 200, 60
COLLECTION = "python"
KNOWN = {
    "How do I insert an item into a sorted list and keep it sorted?": "bisect.py",
    "Which function encodes bytes with Base85?": "base64.py",
    "How do I merge several sorted inputs into a single sorted output?": "heapq.py",
    "How do I generate a random URL-safe text token?": "secrets.py",
    "How do I recursively copy a directory tree?": "shutil.py",
    "How is the harmonic mean of data calculated?": "statistics.py",
    "How do I remove common leading whitespace from every line of a text?": "textwrap.py",
    "How do I test whether an IP address is reserved for multicast use?": "ipaddress.py",
    "How do I get close matches of a word from a list of possibilities?": "difflib.py",
    "How do I test whether a filename matches a shell pattern?": "fnmatch.py",
}
UNKNOWN = (
    "Who won the football world cup in 1966?",
    "Which wine goes well with roasted lamb?",
    "What does a flight from Oslo to Lisbon cost?",
)
RIGHT_AT_LEAST = 8


def copy_library(folder, count):
    """Return `count` modules of the standard library, top-level modules first."""
    source = Path(sysconfig.get_path("stdlib"))
    packages = (path for path in source.glob("*/*.py") if (path.parent / "__init__.py").exists())
    inner = (
        path for path in sorted(packages) if path.parent.name not in ("idlelib", "site-packages", "test")
    )
    for path in islice(chain(sorted(source.glob("*.py")), inner), count):
        target = folder / path.relative_to(source)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    return folder


@pytest.fixture
def caller(tenant, member):
    return Caller(tenant.pk, member.user_id, f"user:{member.user_id}")


def ingest(folder, tenant):
    said = StringIO()
    call_command("ingest", str(folder), tenant=tenant.slug, collection=COLLECTION, verbosity=0, stdout=said)
    return said.getvalue()


def agent_of(caller):
    with caller.scope():
        agent = AgentFactory()
        AgentCollection.objects.create(agent=agent, collection=Collection.objects.get(slug=COLLECTION))
    return agent


def ask(caller, agent, question):
    """Return the answer and the first cited file, or None without citations."""
    with caller.scope():
        conversation = start_conversation(agent, user_id=caller.user_id)
        turn = load_turn(begin_turn(conversation.pk, content=question, user_id=caller.user_id), caller)
    answer = run_turn(turn)
    assert answer.status == "completed", answer.error_message
    return answer.content, answer.citations[0]["source"] if answer.citations else None


@pytest.mark.slow
@pytest.mark.unmeasured
def test_questions_about_200_files_cite_the_right_one(tmp_path, tenant, caller):
    assert ingest(copy_library(tmp_path, FILES), tenant).startswith(f"{FILES} indexed, 0 unchanged, 0 failed")
    agent = agent_of(caller)
    cited = {question: ask(caller, agent, question)[1] for question in KNOWN}
    wrong = {question: file for question, file in cited.items() if file != KNOWN[question]}
    assert len(KNOWN) - len(wrong) >= RIGHT_AT_LEAST, wrong
    answers = {question: ask(caller, agent, question) for question in UNKNOWN}
    assert all(file is None and "found nothing" in text for text, file in answers.values()), answers


# --- interruption -----------------------------------------------------------------------------------


def start_ingest(folder, tenant):
    """Start the command in a subprocess on the test database."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), "ingest", str(folder)]
    command += ["--tenant", tenant.slug, "--collection", COLLECTION, "--verbosity", "0"]
    return subprocess.Popen(command, env=build_environment(), cwd=BASE_DIR, stdout=subprocess.DEVNULL)


def kill_when(process, count, wanted):
    wait_until(lambda: count() >= wanted or process.poll() is not None, progress=count, pause=0.1)
    assert process.poll() is None, "the command ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def sources(caller):
    with caller.scope():
        return list(Document.objects.filter(status="indexed").values_list("source", flat=True))


@pytest.mark.slow
@pytest.mark.unmeasured
@pytest.mark.django_db(transaction=True)
def test_killed_ingest_resumes_without_duplicates(tmp_path, tenant, caller):
    library = copy_library(tmp_path, FEWER)
    kill_when(start_ingest(library, tenant), lambda: len(sources(caller)), FEWER // 4)
    kept = len(sources(caller))
    assert FEWER // 4 <= kept < FEWER
    assert ingest(library, tenant).startswith(f"{FEWER - kept} indexed, {kept} unchanged, 0 failed")
    assert sorted(sources(caller)) == sorted(
        path.relative_to(library).as_posix() for path in library.rglob("*.py")
    )
    with caller.scope():
        places = list(Chunk.objects.values_list("document_id", "chunk_index"))
        collection = Collection.objects.get(slug=COLLECTION)
    assert (collection.document_count, collection.chunk_count) == (FEWER, len(places))
    assert len(places) == len(set(places))
