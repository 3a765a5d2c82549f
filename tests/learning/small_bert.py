"""A BERT of two narrow layers, made up for tests, in the format of transformers."""

import json
import shutil
from pathlib import Path

import numpy as np

from bot.nlu.checkpoint import find_checkpoint

WIDTH, INNER, DEPTH = 32, 64, 2


def write_small_bert(folder: Path, kind: str = "bert") -> Path:
    """Write the checkpoint, a BERT or an MPNet, into a new folder and return it."""
    from safetensors.numpy import save_file

    folder.mkdir()
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": 4, "max_position_embeddings": 64}
    config = {"model_type": kind, "hidden_act": "gelu", "intermediate_size": INNER, **sizes}
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copyfile(find_checkpoint().folder / "tokenizer.json", folder / "tokenizer.json")
    save_file(_weights() if kind == "bert" else _as_mpnet(_weights()), folder / "model.safetensors")
    return folder


def _weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    dense = {f"attention.self.{name}": (WIDTH, WIDTH) for name in ("query", "key", "value")}
    dense |= {"attention.output.dense": (WIDTH, WIDTH), "intermediate.dense": (INNER, WIDTH)}
    dense |= {"output.dense": (WIDTH, INNER)}
    names = {"embeddings.word_embeddings.weight": (30522, WIDTH), "embeddings.position_embeddings.weight": (64, WIDTH)}
    norms = ["embeddings.LayerNorm"]
    for layer in range(DEPTH):
        names |= {f"encoder.layer.{layer}.{name}.weight": shape for name, shape in dense.items()}
        norms += [f"encoder.layer.{layer}.{name}.LayerNorm" for name in ("attention.output", "output")]
    weights = {name: random.normal(0, 0.2, shape) for name, shape in names.items()}
    biases = [name.replace("weight", "bias") for name in names if name.startswith("encoder.")]
    weights |= {name: random.normal(0, 0.1, weights[name.replace("bias", "weight")].shape[0]) for name in biases}
    for name in norms:
        weights |= {f"{name}.weight": np.ones(WIDTH), f"{name}.bias": np.zeros(WIDTH)}
    return {f"bert.{name}": value.astype(np.float32) for name, value in weights.items()}


def _as_mpnet(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = {".self.query.": ".attn.q.", ".self.key.": ".attn.k.", ".self.value.": ".attn.v."}
    names |= {".attention.output.dense.": ".attention.attn.o.", ".attention.output.LayerNorm.": ".attention.LayerNorm."}
    found = {
        "encoder.relative_attention_bias.weight": np.random.default_rng(1).normal(0, 2, (32, 4)).astype(np.float32)
    }
    for name, value in weights.items():
        for old, new in names.items():
            name = name.replace(old, new)
        found[name.removeprefix("bert.")] = np.pad(value, ((2, 0), (0, 0))) if "position" in name else value
    return found
