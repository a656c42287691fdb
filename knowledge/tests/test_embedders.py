"""The lexical embedder is stable and useful; an endpoint's failures become errors without secrets."""

import math
import subprocess
import sys
import time

import pytest

from agents.testing import FakeOpenAI, fail, invalid_reply, say, slow, unreachable_url
from config.testing.coverage import pause_tracing
from knowledge.embedders import (
    EmbeddingError,
    LexicalEmbedder,
    MiniLMEmbedder,
    OpenAIEmbedder,
    default_embedder,
    get_embedder,
)
from knowledge.embedders.minilm import CHECKSUMS

needs_minilm = pytest.mark.skipif(
    not MiniLMEmbedder.available(), reason="requirements-minilm.txt not installed"
)
KEY = "sk-very-secret"


def cosine(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def remote(base_url, **options):
    settings = {"model": "small", "dimensions": 384, "backoff": 0.01, "timeout": 0.5} | options
    return OpenAIEmbedder(base_url=base_url, api_key=KEY, **settings)


def test_lexical_vectors_have_length_one():
    vectors = LexicalEmbedder().embed(["The harbour at dawn", "", "the of and", "文字"])
    assert [len(vector) for vector in vectors] == [384] * 4
    assert [math.isclose(cosine(vector, vector), 1) for vector in vectors] == [True] * 4


def test_lexical_ranks_shared_words_and_spelling_first():
    embedder = LexicalEmbedder()
    question = embedder.embed_query("How do I install the package?")
    texts = ["Installing packages: run pip.", "The package is blue.", "The sea is cold in winter."]
    near, middle, far = (cosine(question, vector) for vector in embedder.embed(texts))
    assert near > middle > far + 0.2
    assert abs(far) < 0.15


def test_lexical_stop_words_hardly_count():
    one, other = LexicalEmbedder().embed(["what is the harbour", "harbour"])
    assert cosine(one, other) > 0.95


def test_lexical_vectors_agree_across_processes():
    code = (
        "from knowledge.embedders import LexicalEmbedder as L; print(L().embed_query('The harbour at dawn'))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert answers == {f"{LexicalEmbedder().embed_query('The harbour at dawn')}\n"}


def test_lexical_embeds_a_thousand_chunks_in_seconds():
    texts = [" ".join(f"word{(start * 7 + step) % 5000}" for step in range(250)) for start in range(1000)]
    with pause_tracing():
        begin = time.process_time()
        LexicalEmbedder().embed(texts)
        taken = time.process_time() - begin
    assert taken < 5


def test_openai_keeps_the_order_and_batches():
    texts = [f"text {number}" for number in range(70)]
    with FakeOpenAI(say("")) as server:
        vectors = remote(server.base_url).embed(texts)
        alone = remote(server.base_url).embed_query("text 69")
    assert [len(request.body["input"]) for request in server.requests] == [64, 6, 1]
    assert vectors[69] == alone
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_openai_retries_a_temporary_error(status):
    with FakeOpenAI(fail(status, retry_after=0), say("")) as server:
        assert len(remote(server.base_url).embed(["words"])) == 1
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("reply", "problem", "requests"),
    [
        (fail(500), "answered 500", 3),
        (fail(429), "answered 429", 3),
        (fail(401), "answered 401", 1),
        (slow(5), "did not answer in time", 3),
        (invalid_reply(), "gave no embeddings", 1),
        (invalid_reply(b'{"data": [{"index": 0}]}'), "gave no embeddings", 1),
        (invalid_reply(b'{"data": []}'), "0 vectors for 1 texts", 1),
        (invalid_reply(b'{"data": [{"index": 0, "embedding": [1]}]}'), "expected 384 dimensions", 1),
    ],
)
def test_openai_errors_are_named_and_retries_limited(reply, problem, requests):
    with FakeOpenAI(reply) as server, pytest.raises(EmbeddingError, match=problem) as caught:
        remote(server.base_url, timeout=0.2).embed(["words"])
    assert len(server.requests) == requests
    assert KEY not in str(caught.value)


def test_openai_rejects_vectors_that_are_not_finite():
    row = b'{"data": [{"index": 0, "embedding": [NaN, 1]}]}'
    with FakeOpenAI(invalid_reply(row)) as server, pytest.raises(EmbeddingError, match="not finite"):
        remote(server.base_url, dimensions=2).embed(["words"])


def test_openai_connection_error_hides_the_address():
    address = unreachable_url()
    with pytest.raises(EmbeddingError, match="cannot be reached") as caught:
        remote(address).embed(["words"])
    assert "127.0.0.1" not in str(caught.value)


def test_registry_knows_its_embedders():
    assert get_embedder("lexical-hash-384").name == "lexical-hash-384"
    assert get_embedder("openai:tiny", dimensions=3).name == "openai:tiny"
    with pytest.raises(EmbeddingError, match="unknown embedder 'word2vec'"):
        get_embedder("word2vec")


def test_default_embedder_is_the_best_installed():
    expected = "minilm-l6-v2" if MiniLMEmbedder.available() else "lexical-hash-384"
    assert default_embedder().name == expected
    assert default_embedder().dimensions == 384


@pytest.mark.skipif(MiniLMEmbedder.available(), reason="MiniLM is installed")
def test_minilm_says_how_to_install_it():
    with pytest.raises(EmbeddingError, match="not installed"):
        get_embedder("minilm-l6-v2")


@needs_minilm
def test_minilm_ranks_by_meaning(tmp_path):
    embedder = MiniLMEmbedder(cache_dir=tmp_path)
    question, same, other = embedder.embed(["A man is eating.", "Someone has a meal.", "Markets fell."])
    assert cosine(question, same) > 0.5 > 0.2 > cosine(question, other)
    assert MiniLMEmbedder(cache_dir=tmp_path).embed_query("A man is eating.") == pytest.approx(
        question, abs=1e-5
    )


@needs_minilm
def test_minilm_refuses_other_weights(tmp_path):
    for name in CHECKSUMS:
        (tmp_path / name).write_bytes(b"other")
    with pytest.raises(EmbeddingError, match="expected checksum"):
        MiniLMEmbedder(source=tmp_path).embed(["words"])
