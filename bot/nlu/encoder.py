"""Texts to vectors: one pass of a small transformer gives a sentence vector and a vector of every layer.

Where there is a branch, a pass through it gives the vectors that the triage reads; who asks for one pays for that one.
Texts of the same number of tokens are run in one pass, without padding: what else is in a batch can't change a single
bit of a result, and a text that was seen lately is answered from memory. The passes are spread over threads.
"""

import json
import logging
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from bot.conversation.errors import ConfigError
from bot.nlu.branch import read_tuned_with, text_number
from bot.nlu.checkpoint import Checkpoint, find_checkpoint
from bot.nlu.export import BRANCH, FORMAT, LAYERS, WORDS, can_export, export, refusal
from bot.nlu.passes import PASS_TOKENS, Pass, Tokens, divide
from bot.whole_files import new_folder

logger = logging.getLogger(__name__)

CACHE = Path(".frontdesk/cache")
CARRIED = "encoder"
"""Folder in a trained model with its encoder, if that is not the packaged one."""
MIN_COSINE = 0.99
"""Least mean cosine between the layers' vectors in int8 and in fp32; below it the weights stay in fp32."""

Floats = NDArray[np.float32]
Run = Callable[[Tokens, str], list[Floats]]
"""Gives `layers`, with the sentence before them, or `branch`, for texts of n tokens, `(n, texts) int64`; each
`(texts, …)`."""

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


class Encoding:
    """What an encoder says of n texts; each part is computed when it is asked for first.

    `texts` are what was encoded.
    """

    def __init__(self, texts: Sequence[str], encoder: "Encoder") -> None:
        """Say of which texts; `Encoder.encode` does."""
        self.texts = tuple(texts)
        self._encoder = encoder

    @property
    def sentence(self) -> Floats:
        """The sentence vectors, `(n, width)`; rows of length 1."""
        return self._own[0]

    @property
    def layers(self) -> Floats:
        """The mean of the token vectors of each layer, `(n, layers, width)`; embeddings first, not normalised."""
        return self._own[1]

    @cached_property
    def upper(self) -> Floats:
        """The upper half of the layers, `(n, upper layers, width)`; twice as many where there is a branch.

        Those of the branch, which was tuned for the triage, come first.
        """
        own = self.layers[:, -max(1, self.layers.shape[1] // 2) :]
        if not self._encoder.branched:
            return own
        return np.concatenate([self._encoder.vectors(self.texts, "branch")[0], own], axis=1)

    @cached_property
    def fresh(self) -> NDArray[np.bool_]:
        """Which texts the encoder was not tuned with, `(n,)`."""
        return np.array([text_number(text) not in self._encoder.tuned_with for text in self.texts], np.bool_)

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def _own(self) -> list[Floats]:
        sentence, layers = self._encoder.vectors(self.texts, "layers")
        return [sentence / np.maximum(np.linalg.norm(sentence, axis=1, keepdims=True), 1e-12), layers]


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
            remember: how many results are kept; a text has two where there is a branch.
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
        self._run = _load_model(folder, meta, threads)
        self._batch_threads = max(1, batch_threads)
        self._remember = remember
        self._seen: OrderedDict[tuple[str, str], list[Floats]] = OrderedDict()
        self._lock = Lock()
        parts = ("layers", "branch") if self.branched else ("layers",)
        tokens = self._tokenize("ok")[:, None]
        self._shapes = {part: [values.shape[1:] for values in self._run(tokens, part)] for part in parts}
        self.depth, self.width = self._shapes["layers"][1]

    def encode(self, texts: Sequence[str]) -> Encoding:
        """Return the vectors of texts, in their order."""
        if self.both_at_once and self.branched and len(texts) == 1 and not self._recall(texts, "branch"):
            branch = self._beside.submit(self.vectors, texts, "branch")
            self.vectors(texts, "layers")
            branch.result()
        return Encoding(texts, self)

    def vectors(self, texts: Sequence[str], part: str) -> list[Floats]:
        """Return what one part of the encoder, `layers` or `branch`, gives for texts; each `(n, …)`."""
        places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        found = [np.empty((len(places), *shape), np.float32) for shape in self._shapes[part]]
        known = self._recall(places, part)
        for text, row in known.items():
            for vectors, value in zip(found, row, strict=True):
                vectors[places[text]] = value
        tokens = {text: self._tokenize(text) for text in places if text not in known}
        passes = divide(tokens, self._pass_tokens, self._batch_threads)
        for one, results in zip(passes, self._run_all(passes, part), strict=True):
            rows = [places[text] for text in one]
            for vectors, values in zip(found, results, strict=True):
                vectors[rows] = values
            self._keep({text: [vectors[places[text]].copy() for vectors in found] for text in one}, part)
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

    @cached_property
    def _beside(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)

    def _run_all(self, passes: Sequence[Pass], part: str) -> Iterator[list[Floats]]:
        def run(one: Pass) -> list[Floats]:
            return self._run(np.stack(list(one.values()), axis=1), part)

        if len(passes) > 1 and self._batch_threads > 1:
            with ThreadPoolExecutor(self._batch_threads) as pool:
                yield from pool.map(run, passes)
        else:
            yield from map(run, passes)

    def _recall(self, texts: Iterable[str], part: str) -> dict[str, list[Floats]]:
        found = {}
        with self._lock:
            for text in texts:
                if (text, part) in self._seen:
                    self._seen.move_to_end((text, part))
                    found[text] = self._seen[text, part]
        return found

    def _keep(self, rows: Mapping[str, list[Floats]], part: str) -> None:
        with self._lock:
            self._seen.update(((text, part), row) for text, row in rows.items())
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
        export(checkpoint, folder)
        exact = folder / "exact"
        exact.mkdir()
        export(checkpoint, exact, int8=False)
        meta["cosine"] = _compare(folder, exact, folder / "tokenizer.json", meta)
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


def _compare(folder: Path, exact: Path, tokenizer: Path, meta: dict[str, Any]) -> float:
    tokenize = load_tokenizer(tokenizer, meta["max_tokens"])
    parts = ("layers", *(("branch",) if meta["branched"] else ()))
    runs = [_load_model(each, meta, threads=1) for each in (folder, exact)]

    def vectors(run: Run, text: str) -> Floats:
        return np.concatenate([run(tokenize(text)[:, None], part)[-1][0] for part in parts])

    first, second = (np.stack([vectors(run, text) for text in _CHECKED_WITH]) for run in runs)
    return cosine(first, second)


def _load_model(folder: Path, meta: dict[str, Any], threads: int) -> Run:
    if meta["own"]:
        return _own_model(_session(folder / _OWN_MODEL, threads), bool(meta["first_token"]))
    words = _session(folder / WORDS, threads)
    parts = {"layers": _session(folder / LAYERS, threads)}
    if meta["branched"]:
        parts["branch"] = _session(folder / BRANCH, threads)

    def run(tokens: Tokens, part: str) -> list[Floats]:
        (embedded,) = words.run(None, {"input_ids": tokens})
        found: list[Floats] = parts[part].run(None, {"embedded": embedded})
        return found

    return run


def _session(file: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
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

    def run(tokens: Tokens, _: str) -> list[Floats]:
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
