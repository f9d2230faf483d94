"""A run: a model with all that made it, in memory or in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from markupsafe import escape

from ...model.model import Model, build
from ...model.sampling import Samples
from ...model.wrapping import Modules
from ...plugins.discovery import register
from ...roles.data import Dataset
from ...specs.base import ComponentSpec
from ...training.observer import Row
from ...training.reading import Data, as_dataset
from ...types.captions import caption_text, reads_captions
from ...types.errors import DataError, RunError, Unsupported
from ...types.spaces import Categorical
from ...types.text import Tokenizer
from ...types.values import Precision
from ...version import __version__
from ..document.spec import ExperimentSpec
from . import checkpoint as storage
from .folder import RunFolder
from .recorded import DataRecord, change_of, load_data, read_again

__all__ = ["PICTURE_COUNT", "Run", "default_condition", "load", "shown_condition", "tensor_specs"]

PICTURE_COUNT = 64
READ_TOGETHER: Final = 1 << 25


@dataclass
class Run:
    """A trained model with all that made it. ``folder`` is ``None`` for a run that lives in memory only.

    ``checkpoint`` is the digest of the checkpoint that the weights are of; ``notes`` says what was odd about it.
    ``rows`` are the metrics that training logged, where they are in memory; :attr:`metrics` reads them from the folder.
    With ``allow_changed_data`` the run is used on its dataset as it is now, even where that has changed since training.
    """

    experiment: ExperimentSpec
    model: Model
    folder: Path | None = None
    step: int = 0
    checkpoint: str = ""
    notes: tuple[str, ...] = ()
    rows: list[Row] | None = None
    allow_changed_data: bool = False

    @property
    def metrics(self) -> list[Row]:
        """The rows of metrics that training logged; what of the folder's cannot be read is left out."""
        if self.rows is None:
            self.rows = RunFolder(self.folder).log.rows() if self.folder is not None else []
        return self.rows

    def dataset(self, data: Data = None) -> Dataset:
        """Return the dataset that the run was trained on, read again; ``data`` stands in for it, as in :func:`train`.

        :raises DataError: if it cannot be read, has changed since and the run does not allow it, or was handed in at the time.
        """
        if data is not None:
            return as_dataset(data, self.model.composition.data, self.model.composition.condition)
        if self.folder is None:
            return load_data(self.experiment.data)
        files = RunFolder(self.folder)
        record = DataRecord.of_run(files)
        dataset = read_again(files, self.experiment.data, record)
        change_of(files, record, DataRecord.of(dataset, handed_in=False), allowed=self.allow_changed_data)
        return dataset

    def sample(
        self,
        n: int,
        condition: torch.Tensor | int | str | None = None,
        *,
        seed: int = 0,
        compile: bool = False,
        precision: Precision = "float32",
        prompt: str | None = None,
    ) -> Samples:
        """Draw ``n`` samples from the model; see :meth:`genframe.Model.sample`.

        ``condition`` may be the name of a class too, as the data has it. A ``prompt`` is the text with which samples of text
        begin.

        :raises DataError: if the prompt has what no token stands for, or leaves nothing to draw.
        :raises Unsupported: with a prompt, if the model is not of text, or draws all of a sample at once.
        """
        condition = self.condition(condition)
        if prompt is None:
            return self.model.sample(n, condition, seed=seed, compile=compile, precision=precision)
        known = torch.zeros(n, *self.model.composition.code.shape, dtype=torch.int64)
        tokens = self._tokens(prompt)
        known[:, : len(tokens)] = torch.tensor(tokens, dtype=torch.int64)
        mask = torch.arange(known.shape[1]) < len(tokens)
        return self.model.complete(known, mask, condition, seed=seed, precision=precision)

    def tokenizer(self) -> Tokenizer | None:
        """Return what turns samples, which are tokens of text, into text and back; ``None`` where they are none.

        :raises DataError: if it cannot be read.
        """
        return self.experiment.data.tokenizer(self.folder)

    @property
    def of_text(self) -> bool:
        """Whether samples can be shown as text."""
        try:
            return self.tokenizer() is not None
        except DataError:  # what the tokens stand for is gone or damaged, which keeps nobody from drawing them
            return False

    def texts(self, samples: Samples) -> list[str]:
        """Return samples as text.

        :raises Unsupported: if they are none.
        """
        known = self.tokenizer()
        if known is None:
            raise Unsupported(f"{self.model.composition.data} is not text; name a .png or .npz file")
        return [known.decode(row) for row in samples.x.tolist()]

    def _tokens(self, prompt: str) -> list[int]:
        known, composition = self.tokenizer(), self.model.composition
        if known is None or composition.code != composition.data:
            raise Unsupported(f"a prompt begins text, and this model draws {composition.data}; leave it out")
        tokens, most = known.encode(prompt), composition.code.shape[0]
        if len(tokens) >= most:
            raise DataError(
                f"expected a prompt of fewer than the {most} tokens of a sample, found {len(tokens)}; give its end alone"
            )
        return tokens

    def condition(self, condition: torch.Tensor | int | str | None) -> torch.Tensor | int | None:
        """Return a condition, the number of a class in the place of its name.

        :raises Unsupported: if there is no such class; the message names those that there are.
        """
        if isinstance(condition, (int, str)):
            return self._class(condition)
        return condition

    def _class(self, named: int | str) -> int:
        space = self.model.composition.condition
        count = space.size if isinstance(space, Categorical) and not space.shape else 0
        if isinstance(named, int) and 0 <= named < count:
            return named
        names = self.class_names()
        if named not in names:
            raise Unsupported(f"there is no class {named!r}; the classes are {', '.join(names) or 'without names'}")
        return names.index(str(named))

    def class_names(self) -> list[str]:
        """Return the names of the model's classes, in the order of their numbers: the numbers, where nothing says more.

        The names are those that the run keeps, or those of its dataset; none where the model's condition is no class.
        """
        space = self.model.composition.condition
        if not isinstance(space, Categorical) or space.shape:
            return []
        kept = RunFolder(self.folder).class_names(space.size) if self.folder is not None else []
        data = self.experiment.data
        try:
            named = kept or data.attributes().get(data.label_name() or "", ())
        except DataError:  # its files are gone
            named = ()
        return [*named] if len(named) == space.size else [*map(str, range(space.size))]

    def states(
        self,
        n: int,
        condition: torch.Tensor | None = None,
        *,
        seed: int = 0,
        count: int,
        precision: Precision = "float32",
    ) -> list[Samples]:
        """Return states of the walks to ``n`` samples; see :meth:`genframe.Model.states`."""
        return self.model.states(n, condition, seed=seed, count=count, precision=precision)

    def picture_info(self, samples: Samples, condition: torch.Tensor | None = None) -> dict[str, Any]:
        """Return what a picture of ``samples`` carries, so that it can be drawn again; their captions, if they have any."""
        captions: dict[str, Any] = {}
        if condition is not None and reads_captions(self.model.composition.condition):
            captions = {"captions": [caption_text(row) for row in condition.tolist()]}
        return captions | {
            "genframe": __version__,
            "run": str(self.folder.resolve()) if self.folder else None,
            "experiment": self.experiment.model_dump(mode="json"),
            "step": self.step,
            "checkpoint": self.checkpoint,
            "device": self.model.device.type,
            "seed": samples.seed,
            "n": len(samples),
        }

    def __repr__(self) -> str:
        where = f" in {self.folder}" if self.folder else ""
        last = next((row for row in reversed(self.metrics) if "loss" in row), {})
        loss = f", loss {last['loss']:.4g}" if last else ""
        return f"Run({self.experiment.name!r}{where}, step {self.step}{loss}, {self.model.composition.density} density)"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.model._repr_html_()}"


def default_condition(model: Model, n: int) -> torch.Tensor | None:
    """Return ``n`` conditions to draw under: the classes in turn, or zeros; ``None`` for an unconditional model."""
    space = model.composition.condition
    if space is None:
        return None
    if not isinstance(space, Categorical):
        return torch.zeros(n, *space.shape, device=model.device)
    return (torch.arange(n, device=model.device) % space.size).reshape(n, *(1,) * len(space.shape)).expand(n, *space.shape)


def load(
    folder: Path | str,
    *,
    device: str = "cpu",
    modules: Modules | None = None,
    specs: Sequence[type[ComponentSpec]] = (),
    allow_changed_data: bool = False,
) -> Run:
    """Return the run in ``folder``, its model as the newest valid checkpoint has it, with averaged weights if there are any.

    Nothing in the folder is executed, and the dataset is not needed. ``modules`` are those of one's own, by their places; they
    get the weights that the run has trained. ``specs`` are component classes that no plugin has registered.

    :raises RunError: if there is no run.
    :raises CheckpointError: if no checkpoint is valid or it is of another model.
    """
    register(*specs)
    files = RunFolder(folder)
    spec = files.experiment()
    found = storage.latest(files.checkpoints)
    if found is None:
        raise RunError(f"{folder} has no checkpoint yet; train it first: genframe resume {folder}")
    model = build(files.composition(spec), modules=modules)
    weights, averages = model.state_dict(), dict(model.named_parameters())
    expect, optional = tensor_specs("model/", weights), tensor_specs("ema/", averages)
    with storage.reading(found.path, expect=expect, optional=optional, prefixes=("model/", "ema/")) as saved:
        averaged = {*saved.names} & optional.keys()
        for names in _groups(weights):
            stored = ((name, f"ema/{name}" if f"ema/{name}" in averaged else f"model/{name}") for name in names)
            model.load_state_dict({name: saved.tensor(place) for name, place in stored}, strict=False)
    notes = tuple(f"{damaged.path.name} is damaged: {damaged.reason}" for damaged in found.damaged)
    return Run(spec, model.to(device).eval(), files.path, saved.step, saved.digest, notes, None, allow_changed_data)


def _groups(weights: Mapping[str, torch.Tensor]) -> Iterator[list[str]]:
    """Yield the names of weights that are read together, so that no second copy of all of them is in memory."""
    group: list[str] = []
    size = 0
    for name, weight in weights.items():
        group.append(name)
        size += weight.nbytes
        if size > READ_TOGETHER:
            yield group
            group, size = [], 0
    yield group


def tensor_specs(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, storage.TensorSpec]:
    """Return what a checkpoint says of ``tensors``, which it holds under ``prefix``."""
    return {prefix + name: (tuple(tensor.shape), tensor.dtype) for name, tensor in tensors.items()}


def shown_condition(model: Model, data: Dataset, n: int) -> torch.Tensor | None:
    """Return ``n`` conditions to draw a picture under: held-out captions of the data, or :func:`default_condition`."""
    split = data.splits.get("validation", data.splits["train"])
    if not reads_captions(model.composition.condition) or split.condition is None:
        return default_condition(model, n)
    return split.condition[torch.arange(n) % len(split)].to(model.device)
