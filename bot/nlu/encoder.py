"""Texts to vectors: one pass of a small transformer gives a sentence vector and a vector of every layer.

Where there is a branch, the triage reads its vectors, too; who needs only the topic of texts does not pay for it.
Texts of the same number of tokens are run in one pass, without padding: what else is in a batch can't change a single
bit of a result, and a text that was seen lately is answered from memory. The passes are spread over threads.
"""

import json
import logging
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from bot.conversation.errors import ConfigError
from bot.nlu.branch import read_tuned_with, text_number
from bot.nlu.calibration import largest_inputs
from bot.nlu.checkpoint import Checkpoint, find_checkpoint
from bot.nlu.export import BRANCH, FORMAT, LAYERS, TRUNK, export
from bot.nlu.families import can_export, refusal
from bot.nlu.passes import PASS_TOKENS, Pass, Tokens, divide
from bot.nlu.sessions import open_session
from bot.whole_files import new_folder

logger = logging.getLogger(__name__)

CACHE = Path(".frontdesk/cache")
CARRIED = "encoder"
"""Folder in a trained model with its encoder, if that is not the packaged one."""
MIN_COSINE = 0.99
"""Least mean cosine between the layers' vectors in int8 and in fp32; below it the weights stay in fp32."""

Floats = NDArray[np.float32]
Run = Callable[[Tokens, bool], list[Floats]]
"""Gives the sentence and the layers, and those of the branch if asked for, of texts of n tokens, `(n, texts) int64`;
each `(texts, …)`."""

_OWN_MODEL = "model.onnx"
"""Of somebody else's making."""

_CHECKED_WITH = (
    "where is my order, it was meant to come on tuesday",
    "Charged twice and nobody answers the phone. I want my money back!",
    "thanks so much, that was quick 😊",
    "How do I change the delivery address of LF-123456?",
    "still waiting.",
    "My daughter cut her hand on the broken glass in the parcel and I am furious about it, really.",
    "what time do you open on a sunday",
    "@user is it just me or is the app down again link",
)


@dataclass(frozen=True, eq=False)
class Encoding:
    """What an encoder says of n texts.

    Attributes:
        texts: what was encoded.
        sentence: the sentence vectors, `(n, width)`; rows of length 1.
        layers: the mean of the token vectors of each layer, `(n, layers, width)`; embeddings first, not normalised.
        branch: the same of the upper half of the branch's layers, `(n, upper layers, width)`; None if there is none, or
            it was not asked for.
        fresh: which texts the encoder was not tuned with, `(n,)`.
    """

    texts: tuple[str, ...]
    sentence: Floats
    layers: Floats
    branch: Floats | None
    fresh: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def upper(self) -> Floats:
        """The upper half of the layers, `(n, upper layers, width)`; those of the branch, if it has any, come first."""
        own = self.layers[:, -max(1, self.layers.shape[1] // 2) :]
        return own if self.branch is None else np.concatenate([self.branch, own], axis=1)


class Encoder:
    """A transformer that is ready to run. Safe to use from several threads."""

    both_at_once: ClassVar[bool] = False
    """Whether a single text goes through both sets of layers at once; for a process that has a second core."""

    def __init__(self, folder: Path, threads: int = 1, batch_threads: int = 2, remember: int = 512) -> None:
        """Load what `prepare_encoder` wrote.

        Args:
            folder: with ONNX files, `tokenizer.json` and `meta.json`.
            threads: for one pass; more than one makes the workers of one machine fight for cores.
            batch_threads: how many passes of a batch run at once.
            remember: of how many texts the results are kept.
        """
        self.folder = folder
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        self.digest: str = meta["digest"]
        self.cosine: float | None = meta["cosine"]
        # Only products in int8 are exact, and so the same however many rows they have.
        self._pass_tokens = PASS_TOKENS if self.cosine is not None else 0
        self.tuned_with = frozenset(meta["tuned_with"])
        self.branched: bool = meta["branched"]
        self._tokenize = load_tokenizer(folder / "tokenizer.json", meta["max_tokens"])
        self._run = _load_model(folder, meta, threads, lambda: self.both_at_once)
        self._batch_threads = max(1, batch_threads)
        self._remember = remember
        self._seen: OrderedDict[str, list[Floats]] = OrderedDict()
        self._lock = Lock()
        self._shapes = [values.shape[1:] for values in self._run(self._tokenize("ok")[:, None], self.branched)]
        self.depth, self.width = self._shapes[1]

    def encode(self, texts: Sequence[str], triage: bool = True) -> Encoding:
        """Return the vectors of texts, in their order; without those of the branch if they are not for the `triage`."""
        branch = triage and self.branched
        found = self._vectors(texts, branch)
        sentence = found[0] / np.maximum(np.linalg.norm(found[0], axis=1, keepdims=True), 1e-12)
        fresh = np.array([text_number(text) not in self.tuned_with for text in texts], np.bool_)
        return Encoding(tuple(texts), sentence, found[1], found[2] if branch else None, fresh)

    def _vectors(self, texts: Sequence[str], branch: bool) -> list[Floats]:
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        found = [np.empty((len(places), *shape), np.float32) for shape in self._shapes[: 3 if branch else 2]]
        known = self._recall(places, len(found))
        for text, row in known.items():
            for vectors, value in zip(found, row, strict=False):
                vectors[places[text]] = value
        tokens = {text: self._tokenize(text) for text in places if text not in known}
        passes = divide(tokens, self._pass_tokens, self._batch_threads)
        for one, results in zip(passes, self._run_all(passes, branch), strict=True):
            rows = [places[text] for text in one]
            for vectors, values in zip(found, results, strict=True):
                vectors[rows] = values
            self._keep({text: [vectors[places[text]].copy() for vectors in found] for text in one})
        if len(places) == len(texts):
            return found
        return [vectors[[places[text] for text in texts]] for vectors in found]

    def forget(self) -> None:
        """Drop the results that are kept."""
        with self._lock:
            self._seen.clear()

    def fingerprint(self) -> str:
        """Return what a model that was trained on these vectors must find again."""
        return self.digest

    def _run_all(self, passes: Sequence[Pass], branch: bool) -> Iterator[list[Floats]]:
        def run(one: Pass) -> list[Floats]:
            return self._run(np.stack(list(one.values()), axis=1), branch)

        if len(passes) > 1 and self._batch_threads > 1:
            with ThreadPoolExecutor(self._batch_threads) as pool:
                yield from pool.map(run, passes)
        else:
            yield from map(run, passes)

    def _recall(self, texts: Iterable[str], parts: int) -> dict[str, list[Floats]]:
        found = {}
        with self._lock:
            for text in texts:
                if len(self._seen.get(text, ())) >= parts:
                    self._seen.move_to_end(text)
                    found[text] = self._seen[text]
        return found

    def _keep(self, rows: Mapping[str, list[Floats]]) -> None:
        with self._lock:
            for text, row in rows.items():
                self._seen[text] = row
                self._seen.move_to_end(text)
            while len(self._seen) > self._remember:
                self._seen.popitem(last=False)


@lru_cache(maxsize=4)
def shared_encoder(model: str | None = None, cache: Path = CACHE, threads: int = 1) -> Encoder:
    """Return this process's one encoder for a setting, exported first if need be."""
    return Encoder(prepare_encoder(find_checkpoint(model), cache), threads)


def configured_encoder(config: Mapping[str, Any]) -> Encoder:
    """Return this process's one encoder for the settings of a component: `encoder` and `cache`."""
    return shared_encoder(config.get("encoder"), Path(config.get("cache") or CACHE))


def carried_encoder(folder: Path) -> Encoder:
    """Return this process's one encoder for what a trained model carries in a folder, which may go away after that."""
    digest = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["digest"]
    with _carried_lock:
        encoder = _carried.get(digest)
        if encoder is None:
            _carried[digest] = encoder = Encoder(folder)
        return encoder


_carried: WeakValueDictionary[str, Encoder] = WeakValueDictionary()
_carried_lock = Lock()


def prepare_encoder(checkpoint: Checkpoint, cache: Path) -> Path:
    """Return the folder under `cache` from which `Encoder` loads the checkpoint; written once for each digest.

    Raises:
        ConfigError: the checkpoint can neither be exported nor brings its own ONNX file.
    """
    folder = cache / f"encoder-{FORMAT}-{checkpoint.digest[:16]}"
    if folder.is_dir():
        return folder
    if not can_export(checkpoint) and not checkpoint.own_onnx:
        raise refusal(checkpoint)
    try:
        with new_folder(folder) as new:
            _write(checkpoint, new)
    except OSError as error:
        raise ConfigError(f"encoder: {cache} can't be written: {error.strerror}") from error
    return folder


def cosine(one: Floats, other: Floats) -> float:
    """Return the mean cosine of rows that belong together, over all but the last axis."""
    product = (one * other).sum(-1)
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    return float((product / np.maximum(lengths, 1e-12)).mean())


def write_tokenizer(checkpoint: Checkpoint, file: Path) -> None:
    """Write a checkpoint's `tokenizer.json`.

    Raises:
        ConfigError: it has no tokenizer that can be used.
    """
    source = checkpoint.folder / "tokenizer.json"
    if source.is_file():
        shutil.copyfile(source, file)
        return
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(checkpoint.folder), local_files_only=True)
        tokenizer.backend_tokenizer.save(str(file))
    except Exception as error:
        raise ConfigError(f"encoder: the tokenizer in {checkpoint.folder} can't be used: {error}") from error


def load_tokenizer(file: Path, max_tokens: int) -> Callable[[str], Tokens]:
    """Return what turns a text into the numbers of its tokens, `(n,) int64`.

    Raises:
        ConfigError: the file can't be read.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:
        raise ConfigError(f"encoder: {file} can't be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)

    def tokenize(text: str) -> Tokens:
        return np.array(tokenizer.encode(text).ids, np.int64)

    return tokenize


def _write(checkpoint: Checkpoint, folder: Path) -> None:
    meta: dict[str, Any] = {"digest": f"{FORMAT}-{checkpoint.digest}", "max_tokens": checkpoint.max_tokens}
    meta |= {"own": False, "first_token": checkpoint.pools_first_token, "cosine": None}
    meta |= {"branched": False, "tuned_with": []}
    if checkpoint.branch:
        meta |= {"branched": True, "tuned_with": read_tuned_with(checkpoint.branch).tolist()}
    write_tokenizer(checkpoint, folder / "tokenizer.json")
    if can_export(checkpoint):
        exact = folder / "exact"
        exact.mkdir()
        export(checkpoint, exact)
        tokenize = load_tokenizer(folder / "tokenizer.json", checkpoint.max_tokens)
        texts = [tokenize(text) for text in _CHECKED_WITH]
        export(checkpoint, folder, largest_inputs(checkpoint, texts))
        meta["cosine"] = _compare(folder, exact, texts, meta)
        if meta["cosine"] < MIN_COSINE:
            logger.warning("encoder_stays_in_fp32 cosine=%.4f", meta["cosine"])
            for file in exact.iterdir():
                file.replace(folder / file.name)
            meta["cosine"] = None
        shutil.rmtree(exact)
    elif checkpoint.own_onnx:
        meta["own"] = True
        shutil.copyfile(checkpoint.own_onnx, folder / _OWN_MODEL)
        for data in checkpoint.own_onnx.parent.glob("*.onnx[_.]data"):
            shutil.copyfile(data, folder / data.name)
        _load_model(folder, meta, threads=1)
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def _compare(folder: Path, exact: Path, texts: Sequence[Tokens], meta: dict[str, Any]) -> float:
    runs = [_load_model(each, meta, threads=1) for each in (folder, exact)]

    def vectors(run: Run, tokens: Tokens) -> Floats:
        return np.concatenate([values[0] for values in run(tokens[:, None], meta["branched"])[1:]])

    first, second = (np.stack([vectors(run, tokens) for tokens in texts]) for run in runs)
    return cosine(first, second)


def _load_model(
    folder: Path, meta: dict[str, Any], threads: int, both_at_once: Callable[[], bool] = lambda: False
) -> Run:
    if meta["own"]:
        return _own_model(_session(folder / _OWN_MODEL, threads), bool(meta["first_token"]))
    names = (TRUNK, LAYERS, BRANCH) if meta["branched"] else (TRUNK, LAYERS)
    sessions = {name: _session(folder / name, threads) for name in names}
    beside = ThreadPoolExecutor(1)

    def run(tokens: Tokens, branch: bool) -> list[Floats]:
        hidden, lower = sessions[TRUNK].run(["hidden", "lower"], {"input_ids": tokens})
        given = {"hidden": hidden}
        at_once = branch and both_at_once() and tokens.shape[1] == 1
        pending = beside.submit(sessions[BRANCH].run, ["branch"], given) if at_once else None
        sentence, upper = sessions[LAYERS].run(["sentence", "layers"], given)
        found = [sentence, np.concatenate([lower, upper], axis=1)]
        if pending:
            found += pending.result()
        elif branch:
            found += sessions[BRANCH].run(["branch"], given)
        return found

    return run


def _session(file: Path, threads: int) -> Any:
    try:
        return open_session(str(file), threads)
    except Exception as error:
        raise ConfigError(f"encoder: {file} can't be loaded; delete its folder, it is made again: {error}") from error


def _own_model(session: Any, first_token: bool) -> Run:
    """Run an ONNX file of somebody else's making; it has one layer, its last."""
    names = {each.name for each in session.get_inputs()}
    known = {"input_ids", "attention_mask", "token_type_ids"}
    if "input_ids" not in names or names - known:
        asked, able = (", ".join(sorted(each)) for each in (names, known))
        raise ConfigError(f"encoder: the ONNX file asks for {asked}; known: {able}")

    outputs = {each.name: len(each.shape) for each in session.get_outputs()}
    wanted = ("sentence_embedding", "last_hidden_state", "token_embeddings", *outputs)
    output = next((name for name in wanted if outputs.get(name) in (2, 3)), None)
    if output is None:
        raise ConfigError("encoder: the ONNX file gives neither token vectors nor a sentence vector")

    def run(tokens: Tokens, _: bool) -> list[Floats]:
        texts = tokens.T
        given = {
            "input_ids": texts,
            "attention_mask": np.ones_like(texts),
            "token_type_ids": np.zeros_like(texts),
        }
        (found,) = session.run([output], {name: value for name, value in given.items() if name in names})
        vectors = np.asarray(found, np.float32)
        if vectors.ndim == 2:
            return [vectors, vectors[:, None]]
        mean = vectors.mean(axis=1)
        return [vectors[:, 0] if first_token else mean, mean[:, None]]

    return run
