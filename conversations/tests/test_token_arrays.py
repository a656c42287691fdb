"""Token arrays in `/v1/embeddings`."""

import base64
import hashlib

import openai
import pytest

from conversations.completions import embeddings

# The smallest valid encoding: one token for each byte.
BYTE_TOKENS = b"\n".join(base64.b64encode(bytes([byte])) + f" {byte}".encode() for byte in range(256))


@pytest.fixture
def client(wired):
    embeddings._load_encoding.cache_clear()
    with openai.OpenAI(base_url=f"{wired.url}/v1", api_key=wired.key.secret, max_retries=0) as made:
        yield made
    embeddings._load_encoding.cache_clear()


@pytest.mark.parametrize("tokens", [[5, 6, 7], [[5, 6, 7], [8]]], ids=["one", "many"])
def test_tokens_are_passed_on_to_the_endpoint(client, wired, tokens):
    found = client.embeddings.create(model="house/embed", input=tokens, encoding_format="float")
    many = isinstance(tokens[0], list)
    assert len(found.data) == (2 if many else 1)
    assert wired.model.requests[0].body["input"] == (tokens if many else [tokens])


def test_tokens_without_tokenizer_are_refused(client, monkeypatch):
    monkeypatch.delenv(embeddings.CACHE_VARIABLE, raising=False)
    with pytest.raises(openai.BadRequestError, match="no tokenizer for token arrays") as caught:
        client.embeddings.create(model="lexical-hash-384", input=[5, 6, 7])
    assert caught.value.param == "input"


def test_tokens_are_decoded_offline(client, monkeypatch, tmp_path):
    import tiktoken.registry
    from tiktoken_ext import openai_public

    name = hashlib.sha1(embeddings.ENCODING_URL.encode(), usedforsecurity=False).hexdigest()
    (tmp_path / name).write_bytes(BYTE_TOKENS)
    monkeypatch.setenv(embeddings.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    load = openai_public.load_tiktoken_bpe
    # The test's encoding has another checksum than the real one.
    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", lambda url, expected_hash=None: load(url))
    create = client.embeddings.create
    text = create(model="lexical-hash-384", input="high water", encoding_format="float")
    tokens = create(model="lexical-hash-384", input=list(b"high water"), encoding_format="float")
    assert tokens.data[0].embedding == text.data[0].embedding
    with pytest.raises(openai.BadRequestError, match="does not exist"):
        create(model="lexical-hash-384", input=[5_000_000])


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ([], "input"),
        ([[]], "input.0"),
        ([[5], [-1]], "input.1.0"),
        ([1.5], "input.0"),
        ([-1], "input.0"),
        (["a", 1], "input.1"),
        ([True], "input.0"),
    ],
)
def test_invalid_input_is_refused(client, given, parameter):
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="lexical-hash-384", input=given)
    assert caught.value.param == parameter
