"""The lexical embedder is stable and useful; an endpoint's failures become errors without secrets."""

import json
import math
import subprocess
import sys
import time

import pytest
from django.core.exceptions import ImproperlyConfigured

from agents.testing import FakeOpenAI, fail, invalid_reply, say, slow, unreachable_url
from config.settings.embedding_models import read_models
from config.testing.coverage import pause_tracing
from knowledge import embedders
from knowledge.checks import check_embedding_models
from knowledge.embedders import (
    E5Embedder,
    EmbeddingError,
    LexicalEmbedder,
    MiniLMEmbedder,
    OllamaEmbedder,
    OpenAIEmbedder,
    default_embedder,
    get_embedder,
    local_embedders,
)
from knowledge.embedders.e5 import FILE
from knowledge.embedders.endpoint_models import EmbeddingModelError, read_endpoint_model
from knowledge.embedders.minilm import CHECKSUMS

needs_minilm = pytest.mark.skipif(
    not MiniLMEmbedder.available(), reason="requirements-minilm.txt not installed"
)
needs_e5 = pytest.mark.skipif(not E5Embedder.available(), reason="requirements-e5.txt not installed")
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


def reply_with(vector):
    return invalid_reply(json.dumps({"data": [{"index": 0, "embedding": vector}]}).encode())


def test_openai_shortens_and_normalizes_vectors():
    with FakeOpenAI(reply_with([3.0, 4.0, 12.0])) as server:
        vector = remote(server.base_url, dimensions=2, truncate=True).embed_query("words")
    assert vector == [0.6, 0.8]
    assert "dimensions" not in server.requests[0].body


@pytest.mark.parametrize(
    ("vector", "problem"),
    [
        ([1.0], "expected 2 dimensions"),
        ([math.inf, 1e308, 1], "not finite"),
        ([math.nan, 1, 1], "not finite"),
    ],
)
def test_openai_rejects_vectors_that_cannot_be_shortened(vector, problem):
    with FakeOpenAI(reply_with(vector)) as server, pytest.raises(EmbeddingError, match=problem):
        remote(server.base_url, dimensions=2, truncate=True).embed(["words"])


def test_openai_sends_dimensions_and_prefixes():
    options = {"send_dimensions": True, "query_prefix": "query: ", "passage_prefix": "passage: "}
    with FakeOpenAI(say("")) as server:
        embedder = remote(server.base_url, **options)
        embedder.embed_query("tides")
        embedder.embed(["tides"])
    assert [request.body["input"] for request in server.requests] == [["query: tides"], ["passage: tides"]]
    assert server.requests[0].body["dimensions"] == 384


def test_ollama_embeds_texts_in_order():
    with FakeOpenAI(invalid_reply(b'{"model": "m", "embeddings": [[1, 0], [0, 1]]}')) as server:
        embedder = OllamaEmbedder(model="m", dimensions=2, base_url=server.base_url.removesuffix("/v1"))
        assert embedder.embed(["one", "two"]) == [[1.0, 0.0], [0.0, 1.0]]
    assert embedder.name == "ollama:m"
    assert server.requests[0].path == "/api/embed"
    assert server.requests[0].body == {"model": "m", "input": ["one", "two"], "truncate": True}


@pytest.mark.parametrize(
    "body", [b"{}", b'{"embeddings": 1}', b'{"embeddings": [1]}', b'{"embeddings": [["x"]]}', b"[]"]
)
def test_ollama_rejects_invalid_answers(body):
    with FakeOpenAI(invalid_reply(body)) as server, pytest.raises(EmbeddingError, match="gave no embeddings"):
        OllamaEmbedder(model="m", dimensions=1, base_url=server.base_url).embed(["words"])


def test_options_of_a_configured_model(settings):
    settings.EMBEDDINGS_MODELS = {
        "small": "1536",
        "e5": {"dimensions": 384, "query_prefix": "query: ", "truncate": True},
    }
    embedders._get_cached_embedder.cache_clear()
    small, e5 = get_embedder("openai:small"), get_embedder("ollama:e5")
    assert (small.dimensions, small.truncate, small.query_prefix) == (1536, False, "")
    assert (e5.dimensions, e5.truncate, e5.query_prefix) == (384, True, "query: ")


@pytest.mark.parametrize("value", ["many", "", 0, -1, True, 1.5, "99999", None, [], {"dimensions": "١"}])
def test_dimensions_of_a_model_must_be_a_number(value):
    with pytest.raises(EmbeddingModelError, match="dimensions of small must be a number from 1 to 16000"):
        read_endpoint_model("small", value)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"prefix": "x"}, "unknown options: prefix"),
        ({"query_prefix": 1}, "query_prefix of small must be a str"),
        ({"truncate": "yes"}, "truncate of small must be a bool"),
        ({"passage_prefix": "x" * 2001}, "more than 2000 characters"),
    ],
)
def test_options_of_a_model_are_checked(settings, options, problem):
    settings.EMBEDDINGS_MODELS = {"small": {"dimensions": 384, **options}}
    (found,) = check_embedding_models(None)
    assert (found.id, problem in found.msg) == ("conclave.E030", True)


def test_models_are_read_from_the_environment():
    assert read_models("") == {}
    assert read_models("small=1536, bge-m3=1024") == {"small": "1536", "bge-m3": "1024"}
    assert read_models('{"e5": {"dimensions": 384}}') == {"e5": {"dimensions": 384}}
    for text in ("small", "{small", "[1]"):
        with pytest.raises(ImproperlyConfigured, match="EMBEDDINGS_MODELS"):
            read_models(text)


@pytest.mark.parametrize("language", [None, "", "en"])
def test_default_embedder_of_english_texts(language):
    expected = MiniLMEmbedder.name if MiniLMEmbedder.available() else LexicalEmbedder.name
    if language is not None and not MiniLMEmbedder.available() and E5Embedder.available():
        expected = E5Embedder.name
    assert default_embedder(language).name == expected
    assert default_embedder(language).dimensions == 384


def test_default_embedder_of_other_languages():
    expected = E5Embedder.name if E5Embedder.available() else LexicalEmbedder.name
    assert default_embedder("de").name == expected
    assert default_embedder("de").name in local_embedders()


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


@pytest.mark.skipif(E5Embedder.available(), reason="multilingual-e5-small is installed")
def test_e5_says_how_to_install_it():
    with pytest.raises(EmbeddingError, match=r"not installed; see requirements-e5\.txt"):
        get_embedder("multilingual-e5-small")


@needs_e5
def test_e5_ranks_by_meaning_across_languages(tmp_path):
    embedder = E5Embedder(cache_dir=tmp_path)
    texts = ["Das Auto ist kaputt.", "Die Börse fiel.", "市场下跌了。"]
    broken, fell, chinese = embedder.embed(texts)
    question = embedder.embed_query("My car does not work")
    assert cosine(question, broken) > max(cosine(question, fell), cosine(question, chinese))
    assert cosine(fell, chinese) > cosine(broken, chinese)
    assert E5Embedder(cache_dir=tmp_path).embed(texts[:1])[0] == pytest.approx(broken, abs=1e-2)


@needs_e5
def test_e5_embeds_empty_and_long_texts(tmp_path):
    vectors = E5Embedder().embed(["", "\x00", "ﷺ" * 9000, "word " * 9000])
    assert [round(cosine(vector, vector), 3) for vector in vectors] == [1.0] * 4


@needs_e5
def test_e5_refuses_other_weights(tmp_path):
    (tmp_path / FILE).write_bytes(b"other")
    with pytest.raises(EmbeddingError, match="expected checksum"):
        E5Embedder(source=tmp_path).embed(["words"])
