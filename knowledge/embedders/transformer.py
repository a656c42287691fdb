"""Sentence embeddings by BERT models on the CPU with CTranslate2, without PyTorch or downloads."""

import hashlib
import shutil
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from knowledge.embedders.base import EmbeddingError, Vector

MAX_TOKENS, BATCH = 512, 32
LAYER_NORM_EPSILON = 1e-12


class TransformerEmbedder(ABC):
    """Normalized mean of the last layer of a BERT model whose weights come in a Python package.

    The model is loaded on first use. `cache_dir` stores the converted weights for other processes; without it, each
    process converts them. `threads` is the number of CPU threads.
    """

    name: str
    dimensions: int
    # Imported on first use only; the first one contains the weights.
    packages: ClassVar[tuple[str, ...]]
    # Name in error messages, file with the pinned packages, start of the name of the cached folder.
    title: ClassVar[str]
    requirements: ClassVar[str]
    cache_key: ClassVar[str]

    def __init__(
        self, *, cache_dir: Path | None = None, source: Path | None = None, threads: int = 2
    ) -> None:
        if not self.available():
            raise EmbeddingError(f"{self.title} is not installed; see {self.requirements}")
        self.cache_dir = cache_dir
        self.source = source
        self.threads = threads
        self._lock = threading.Lock()

    @classmethod
    def available(cls) -> bool:
        """Return whether all required packages are installed."""
        return all(find_spec(package) for package in cls.packages)

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

        # Threads wait for the first one, because loading a model twice at a time takes twice the memory.
        with self._lock:
            tokenizer, encoder = self._model
        tokens = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        hidden = np.array(encoder.forward_batch(tokens).last_hidden_state)
        pairs = zip(hidden, tokens, strict=True)
        means = np.stack([rows[: len(ids)].mean(axis=0) for rows, ids in pairs])
        return (means / np.linalg.norm(means, axis=1, keepdims=True)).tolist()

    @cached_property
    def _model(self) -> tuple[Any, Any]:
        import ctranslate2

        source = self.source or self._find_package()
        tokenizer = self.load_tokenizer(source)
        with tempfile.TemporaryDirectory() as scratch:
            folder = self._convert_model(source, Path(scratch))
            encoder = ctranslate2.Encoder(str(folder), device="cpu", intra_threads=self.threads)
        return tokenizer, encoder

    @abstractmethod
    def load_tokenizer(self, source: Path) -> Any:
        """Return the tokenizer, which truncates texts; `source` is the folder of the package."""

    @abstractmethod
    def convert(self, source: Path, target: Path) -> None:
        """Write the weights to the new folder `target` in CTranslate2's format."""

    def _find_package(self) -> Path:
        # Do not import the package: only its data is needed.
        spec = find_spec(self.packages[0])
        if not spec or not spec.submodule_search_locations:
            raise EmbeddingError(f"{self.title} is not installed; see {self.requirements}")
        return Path(spec.submodule_search_locations[0])

    def _convert_model(self, source: Path, scratch: Path) -> Path:
        """Return the folder of converted weights, from the cache if configured."""
        kept = self.cache_dir and self.cache_dir / f"{self.name}-{self.cache_key}"
        if kept and kept.is_dir():
            return kept
        folder = scratch / "converted"
        self.convert(source, folder)
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

    def read_verified(self, path: Path, checksum: str) -> bytes:
        """Read a model file; raise EmbeddingError if its checksum is wrong."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise EmbeddingError(f"{self.title}: {path.name} cannot be read ({error.strerror})") from error
        if hashlib.sha256(data).hexdigest() != checksum:
            raise EmbeddingError(f"{self.title}: {path.name} does not have the expected checksum")
        return data


# Returns a tensor by its name in the model that `set_layers` knows.
TensorReader = Callable[[str], Any]


def build_spec(layers: int, heads: int) -> Any:
    """Return CTranslate2's empty specification of a BERT encoder."""
    from ctranslate2.specs import common_spec, transformer_spec

    encoder = transformer_spec.TransformerEncoderSpec(
        layers,
        heads,
        pre_norm=False,
        activation=common_spec.Activation.GELU,
        layernorm_embedding=True,
        num_source_embeddings=2,
        embeddings_merge=common_spec.EmbeddingsMerge.ADD,
    )
    encoder.scale_embeddings = False
    spec = transformer_spec.TransformerEncoderModelSpec(encoder)
    spec.config.layer_norm_epsilon = LAYER_NORM_EPSILON
    return spec


def set_layer(layer: Any, read: TensorReader) -> None:
    """Set the weights of a layer; `read` gets names such as `query.weight`."""
    import numpy as np

    for kind in ("weight", "bias"):
        parts = [read(f"{part}.{kind}") for part in ("query", "key", "value")]
        setattr(layer.self_attention.linear[0], kind, np.concatenate(parts))
    _set_linear(layer.self_attention.linear[1], read, "attention_output")
    set_norm(layer.self_attention.layer_norm, read, "attention_norm")
    _set_linear(layer.ffn.linear_0, read, "intermediate")
    _set_linear(layer.ffn.linear_1, read, "output")
    set_norm(layer.ffn.layer_norm, read, "output_norm")


def _set_linear(spec: Any, read: TensorReader, name: str) -> None:
    spec.weight, spec.bias = read(f"{name}.weight"), read(f"{name}.bias")


def set_norm(spec: Any, read: TensorReader, name: str) -> None:
    """Set the weights of a layer normalization."""
    spec.gamma, spec.beta = read(f"{name}.weight"), read(f"{name}.bias")


def quantize_spec(spec: Any) -> None:
    """Replace the weights of the layers by numbers with 8 bits."""
    spec.validate()
    spec.optimize(quantization="int8")


def set_quantized(embeddings: Any, numbers: Any, factors: Any) -> None:
    """Set embeddings to numbers with 8 bits, which are the values multiplied by the factor of their row."""
    from ctranslate2.specs.model_spec import NumpyVariable

    embeddings.weight, embeddings.weight_scale = NumpyVariable(numbers), NumpyVariable(factors)


def save_spec(spec: Any, target: Path) -> None:
    """Write the validated specification to the new folder `target`."""
    target.mkdir()
    spec.save(str(target))
