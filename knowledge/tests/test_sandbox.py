"""Malicious files: each fails within limits of memory and time, and the parser continues."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from config.tenancy.scope import tenant_scope
from config.testing.processes import get_command_line, list_children, run_measured
from config.testing.web_server import BASE_DIR, build_environment
from knowledge.models import Document
from knowledge.parsing import ParseError, sandbox
from knowledge.parsing.sandbox import WORKER_PATH, ParserPool
from knowledge.services.collections import get_or_create_collection
from knowledge.services.documents import upload_document
from knowledge.services.files import store_file
from knowledge.services.folder_ingestion import Ingestion
from knowledge.tests.malicious_files import BAD, ODD
from knowledge.tests.test_formats import KNOWN, make_docx
from knowledge.tests.waiting import wait_until
from tenants.tests.factories import TenantFactory

MEGABYTES, SECONDS = 384, 4
MAX_MEMORY_KB = 500 * 1024
ACTOR = "system:test"
# Prints the result of each file of a folder. Runs in a separate process, so that only its parsers are measured.
READ = """
import json, sys, time
from pathlib import Path
from knowledge.parsing import ParseError
from knowledge.parsing.sandbox import ParserPool
folder, megabytes, seconds = sys.argv[1:]
readers, output = ParserPool(1), {}
for path in sorted(Path(folder).iterdir()):
    began = time.monotonic()
    with path.open("rb") as file:
        try:
            bounds = {"megabytes": int(megabytes), "seconds": int(seconds)}
            found = readers.cut(file, path.name, size=256, overlap=32, most=30_000, **bounds)
            text = " ".join(piece.text for piece in found.pieces)
        except ParseError as error:
            text = f"error: {error}"
    output[path.name] = [text[:100_000], time.monotonic() - began]
print(json.dumps(output))
"""


@pytest.fixture(scope="module")
def malicious_files(tmp_path_factory):
    """A folder with all malicious and unusual files."""
    folder = tmp_path_factory.mktemp("malicious")
    for name, make in {**{name: make for name, (make, _) in BAD.items()}, **ODD}.items():
        (folder / name).write_bytes(make())
    return folder


@pytest.fixture(scope="module")
def results(malicious_files):
    """Return the text and duration of each file, and the peak memory in kilobytes."""
    command = [sys.executable, "-c", READ, str(malicious_files), str(MEGABYTES), str(SECONDS)]
    code, output, kilobytes = run_measured(command, cwd=BASE_DIR)
    assert code == 0
    return json.loads(output), kilobytes


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_malicious_file_fails_within_limits(name, results):
    text, seconds = results[0][name]
    assert text.startswith(f"error: {name.removesuffix('.gz')}") or name == "bomb.txt.gz"
    assert re.search(BAD[name][1], text)
    assert seconds < SECONDS * 2 + 30


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_only_text_of_unusual_file_is_read(name, results):
    text, _ = results[0][name]
    assert KNOWN in text
    assert not re.search("root:|alert|lol", text)


@pytest.mark.slow
def test_peak_memory_stays_below_500_megabytes(results):
    assert 20 * 1024 < results[1] < MAX_MEMORY_KB


@pytest.mark.slow
def test_worker_continues_after_malicious_files(transactional_db, tmp_path, settings, malicious_files):
    disk = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = settings.STORAGES | {"default": disk}
    (tmp_path / "zgood.txt").write_text(KNOWN)
    tenant = TenantFactory()
    with tenant_scope(tenant, actor=ACTOR):
        collection, _ = get_or_create_collection("sea")
        for path in [*(malicious_files / name for name in BAD), tmp_path / "zgood.txt"]:
            stored = store_file([path.read_bytes()], tenant_id=tenant.pk, name=path.name)
            upload_document(collection, stored, source=path.name)
    command = [sys.executable, str(BASE_DIR / "manage.py"), "worker", "--once"]
    variables = build_environment(MEDIA_ROOT=str(tmp_path), PARSE_SECONDS="2")
    code, _, kilobytes = run_measured(command, env=variables, cwd=BASE_DIR)
    assert code == 0
    with tenant_scope(tenant):
        states = dict(Document.objects.values_list("source", "status"))
        assert states == {**dict.fromkeys(BAD, "failed"), "zgood.txt": "indexed"}
        assert not Document.objects.filter(status="failed", error_message="").exists()
    assert kilobytes < MAX_MEMORY_KB


@pytest.fixture
def readers():
    readers = ParserPool(1)
    yield readers
    readers.end()


def parse(readers, data, name, megabytes=MEGABYTES, seconds=60):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return readers.parse(file, name, megabytes=megabytes, seconds=seconds)


def test_one_process_parses_further_files_after_a_malicious_one(readers):
    before = set(list_children(os.getpid()))
    assert KNOWN in parse(readers, make_docx(), "a.docx").text
    with pytest.raises(ParseError, match="processor time"):
        parse(readers, BAD["slow.html"][0](), "a.html", seconds=1)
    assert KNOWN in parse(readers, KNOWN.encode(), "a.txt").text
    assert len(set(list_children(os.getpid())) - before) == 1


def test_killed_parser_is_started_again(readers):
    before = set(list_children(os.getpid()))
    parse(readers, KNOWN.encode(), "a.txt")
    (reader,) = set(list_children(os.getpid())) - before
    os.kill(reader, signal.SIGKILL)
    assert KNOWN in parse(readers, KNOWN.encode(), "a.txt").text


def test_memory_above_the_limit_is_an_error(readers):
    text = b"\n\n".join(b"# Heading %d\n\nWords of it." % n for n in range(150_000))
    with pytest.raises(ParseError, match="MB of memory"):
        parse(readers, text, "a.md", megabytes=100)


KILLED = """
import os, tempfile
from config.testing.processes import list_children
from knowledge.parsing.sandbox import ParserPool
with tempfile.TemporaryFile() as file:
    file.write(b"Words.")
    file.flush()
    ParserPool(1).parse(file, "a.txt", megabytes=384, seconds=9)
print(list_children(os.getpid())[0], flush=True)
os.kill(os.getpid(), 9)
"""


def test_parser_ends_with_its_parent():
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=BASE_DIR, stdout=subprocess.PIPE, check=False)
    wait_until(lambda: WORKER_PATH.name.encode() not in get_command_line(int(done.stdout)))


def test_file_of_a_gigabyte_is_rejected_unread(tenant, tmp_path):
    with (tmp_path / "huge.pdf").open("wb") as file:
        file.truncate(1024**3)
    (tmp_path / "good.txt").write_text(KNOWN)
    with tenant_scope(tenant, actor=ACTOR):
        collection, _ = get_or_create_collection("sea")
    ingestion = Ingestion(tenant.pk, collection, "system:test")
    found = {each.source: each.outcome for each in ingestion.run(ingestion.files(tmp_path))}
    assert found == {"good.txt": "indexed", "huge.pdf": "failed"}
    with tenant_scope(tenant):
        assert "maximum size of 50 MB" in Document.objects.get(source="huge.pdf").error_message


# What a hostile file could do in the parser's process if it ran code there. "leave the root" uses a directory
# outside the sandbox that the process still has open.
PROBES = {
    "read the project": 'os.listdir(sys.argv[1] + "/accounts")',
    "read a file": "open(sys.argv[3]).read()",
    "read passwords": 'open("/etc/passwd").read()',
    "connect": 'socket.create_connection(("127.0.0.1", int(sys.argv[4])), 2)',
    "see processes": 'os.listdir("/proc/1")',
    "write": 'open(sys.argv[3] + ".new", "x").close()',
    "leave the root": "leave_root()",
    "use capabilities": "find_capabilities()",
}
RUN_PROBES = """
import ctypes, os, socket, sys
from contextlib import suppress
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from config.sandbox import launcher
from knowledge.parsing.sandbox_worker import isolate
def refuse_mount(*arguments):
    raise PermissionError
if sys.argv[2] == "unmounted":
    launcher.mount = refuse_mount
if sys.argv[2] == "open":
    with suppress(OSError):
        launcher.enter_user_namespace(0)
    os.open("/usr", os.O_PATH)
else:
    isolate(Path(sys.argv[1]))
def find_capabilities():
    held = (ctypes.c_uint32 * 6)()
    launcher.call_libc("capget", (ctypes.c_uint32 * 2)(0x20080522, 0), held)
    if not any(held):
        raise OSError
def leave_root():
    for descriptor in range(3, 256):
        try:
            return os.open("../etc/passwd", os.O_RDONLY, dir_fd=descriptor)
        except OSError:
            continue
    raise OSError
def probe(name, act):
    try:
        act()
    except OSError:
        return
    print(name)
""" + "\n".join(f"probe({name!r}, lambda: {expression})" for name, expression in PROBES.items())


def probe_process(tmp_path, kind):
    """Return the probes that succeed in a process of this kind."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        command = [sys.executable, "-I", "-c", RUN_PROBES, str(BASE_DIR), kind, str(secret), port]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def can_isolate():
    done = subprocess.run(["unshare", "--user", "--net", "--mount", "true"], check=False)
    return done.returncode == 0


@pytest.mark.skipif(sys.platform != "linux" or not can_isolate(), reason="needs user namespaces")
@pytest.mark.security("local exposure")
def test_a_parser_has_no_network_and_no_other_files(tmp_path, attacks):
    attacks.record(len(PROBES), probe_process(tmp_path, "isolated"))


@pytest.mark.skipif(sys.platform != "linux" or not can_isolate(), reason="needs user namespaces")
@pytest.mark.security("local exposure")
def test_a_parser_without_a_private_root_has_no_network_and_no_capabilities(tmp_path, attacks):
    succeeded = probe_process(tmp_path, "unmounted")
    for name in ("connect", "use capabilities"):
        attacks.attempt(name, succeeded=name in succeeded)
    assert "read passwords" in succeeded


@pytest.mark.skipif(sys.platform != "linux" or not can_isolate(), reason="needs user namespaces")
@pytest.mark.security("local exposure", mutation=True)
def test_without_the_sandbox_a_parser_has_both(tmp_path, attacks):
    attacks.record(len(PROBES), probe_process(tmp_path, "open"))
    assert attacks.successes == [*PROBES]


@pytest.mark.skipif(sys.platform != "linux" or not can_isolate(), reason="needs user namespaces")
def test_the_parser_process_is_isolated():
    process = sandbox._ParserProcess()
    try:
        process._connect()
        own = Path("/proc/self/ns/net").readlink()
        theirs = Path(f"/proc/{process._process.pid}/ns/net")
        wait_until(lambda: theirs.readlink() != own)
    finally:
        process.end()
