"""Files that say they are collections: what hurts makes nothing, keeps nothing, and takes no memory."""

import io
import json
import tracemalloc
import zipfile

import pytest
from django.core.files.storage import default_storage

from config.tenancy.scope import tenant_scope
from knowledge import embedders
from knowledge.embedders import LexicalEmbedder
from knowledge.models import Chunk, Collection, Document
from knowledge.services import transfer
from knowledge.services.collections import change_model, get_or_create_collection, reembed_collection
from knowledge.services.transfer import TransferError, export_collection, import_collection
from knowledge.tests.test_collections import Mirrored, bring, exported

ACTOR = "system:test"
DEEP = '{"a":' * 100_000


@pytest.fixture
def collection(tenant):
    with tenant_scope(tenant, actor=ACTOR):
        made, _ = get_or_create_collection("sea")
    bring(tenant, made)
    return made


@pytest.fixture
def good(tenant, collection):
    with zipfile.ZipFile(exported(tenant, collection)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target


def kept_files(tenant):
    try:
        return set(default_storage.listdir(f"tenants/{tenant.pk}/documents")[1])
    except FileNotFoundError:
        return set()


def lines(data, **changes):
    """JSON lines with fields of the first one changed."""
    first, *rest = data.decode().splitlines()
    return "\n".join([json.dumps({**json.loads(first), **changes}), *rest]).encode()


def chunk(**changes):
    return lambda good: {"chunks/0.jsonl": lines(good["chunks/0.jsonl"], **changes)}


def document(**changes):
    return lambda good: {"documents.jsonl": lines(good["documents.jsonl"], **changes)}


def manifest(**changes):
    def change(good):
        held = json.loads(good["manifest.json"])
        return {"manifest.json": json.dumps({**held, "collection": {**held["collection"], **changes}})}

    return change


HURTFUL = {
    "deep": lambda good: {"manifest.json": DEEP},
    "deep chunk": lambda good: {"chunks/0.jsonl": DEEP},
    "number": document(number="0"),
    "path": document(number="../../etc/passwd"),
    "twice": lambda good: {"documents.jsonl": good["documents.jsonl"] * 2},
    "infinite": document(metadata={"n": float("inf")}),
    "settings": manifest(settings=["recall"]),
    "document's metadata": document(metadata="text"),
    "place": chunk(chunk_index=-1),
    "far place": chunk(chunk_index=10**30),
    "one place": chunk(chunk_index=1),
    "keywords": chunk(semantic_keywords="tides"),
    "metadata": chunk(metadata=None),
    "context": chunk(context="x" * 501),
    "content": chunk(content=None),
    "not a number": chunk(vector="AADAfw==" * 384),
}


@pytest.mark.parametrize("name", HURTFUL)
def test_malicious_import_leaves_nothing(name, good, other_tenant, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), pytest.raises(TransferError):
        import_collection(other_tenant.pk, packed({**good, **HURTFUL[name](good)}), slug="copy", actor=ACTOR)
    assert kept_files(other_tenant) == set()
    with tenant_scope(other_tenant):
        assert not Collection.objects.exists()


def test_characters_that_the_database_refuses_are_left_out(good, other_tenant):
    changed = packed({**good, **chunk(content="High\x00 water \ud800.", semantic_keywords=["a\x00b"])(good)})
    import_collection(other_tenant.pk, changed, slug="copy", actor=ACTOR)
    with tenant_scope(other_tenant):
        first = Chunk.objects.order_by("chunk_index").first()
        assert (first.content, first.semantic_keywords) == ("High water .", ["ab"])


def test_size_and_checksum_of_an_import_are_not_trusted(good, other_tenant):
    changed = packed({**good, **document(file_size=1, checksum="0" * 64)(good)})
    import_collection(other_tenant.pk, changed, slug="copy", actor=ACTOR)
    with tenant_scope(other_tenant):
        made = Document.objects.get()
        assert made.file_size == len(good["files/0"])
        assert made.checksum == made.indexed_checksum


def test_millions_of_chunks_in_a_small_file_take_no_memory(good, other_tenant, monkeypatch):
    monkeypatch.setattr(transfer, "MAX_CHUNKS", 100)
    first = good["chunks/0.jsonl"].splitlines()[0]
    rows = b"\n".join(first.replace(b'"chunk_index": 0', b'"chunk_index": %d' % n) for n in range(20_000))
    file = packed({**good, "chunks/0.jsonl": rows})
    tracemalloc.start()
    with pytest.raises(TransferError, match="too many chunks"):
        import_collection(other_tenant.pk, file, slug="copy", actor=ACTOR)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 1024 * 1024
    monkeypatch.setattr(transfer, "MAX_DOCUMENT", 1024 * 1024)
    with pytest.raises(TransferError, match="too large"):
        import_collection(other_tenant.pk, file, slug="copy", actor=ACTOR)


def test_interrupted_import_leaves_no_rows(good, other_tenant, monkeypatch):
    """The process is gone after the first document of two: there was one transaction, and it never ended."""
    second = json.dumps({**json.loads(good["documents.jsonl"]), "number": 1, "source": "b.md"}).encode()
    file = packed({**good, "documents.jsonl": good["documents.jsonl"] + second, "chunks/1.jsonl": b""})
    rows, original = [], transfer._import_document

    def watched(archive, line, kept, collection):
        original(archive, line, kept, collection)
        with tenant_scope(other_tenant):
            rows.append(Document.objects.count())
        if line["number"] == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "_import_document", watched)
    with pytest.raises(KeyboardInterrupt):
        import_collection(other_tenant.pk, file, slug="copy", actor=ACTOR)
    assert rows == [1, 2]
    with tenant_scope(other_tenant):
        assert not Document.objects.exists()
        assert not Collection.objects.exists()


def test_an_export_of_two_models_is_refused(tenant, collection, monkeypatch):
    monkeypatch.setitem(embedders._EMBEDDERS, Mirrored.name, Mirrored)
    original = transfer._export_document

    def changed_first(*args):
        with tenant_scope(tenant, actor=ACTOR):
            change_model(collection, Mirrored.name)
        reembed_collection(tenant.pk, collection.pk, Mirrored.name)
        return original(*args)

    monkeypatch.setattr(transfer, "_export_document", changed_first)
    with pytest.raises(TransferError, match="embedding model changed"):
        export_collection(tenant.pk, collection.pk, io.BytesIO(), actor=ACTOR)
    assert LexicalEmbedder.name != Mirrored.name
