"""How often ``train.on_spike`` warns on healthy recipes, and which planted spikes it finds.

``python -m tests.benchmarks.spikes losses.jsonl`` trains every recipe, made short, with ten seeds, and writes the losses of all
steps; then it judges them. With ``--judge`` it only judges what was written before. From the middle of each training three more
branch off: one at a hundred times the learning rate, and two that see the same damaged batch again and again, which is thirty
times as large, or noise. Some games of two players are also trained at ten times their learning rate from the start: there they
diverge, which is no spike by itself.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Final

import torch

from genframe import Batch, DataError, Dataset, NonFiniteError, build, roles
from genframe.experiment.document.loading import read_experiment
from genframe.experiment.document.spec import ExperimentSpec, check_experiment
from genframe.experiment.run.starting import take_parts
from genframe.training.spike import Spike, SpikeWatch
from genframe.training.trainer import Trainer
from tests.recipes.small import assignments, data_files, prerequisites

BUDGET: Final = 1.0  # seconds for the steps of one training without plants; games and energies get twice as much
FEWEST_STEPS: Final = 240
PLANTED: Final = 20  # steps
PLANTS: Final = ("rate", "large", "noise")
DIVERGING: Final = ("gan-digits", "gan-grid25-plain", "gan-ring8")
DEMANDING: Final = ("aae", "ebm", "gan", "rbm", "vaegan")
OVERRIDDEN: Final = ("train.batch_size", "train.stages", "train.steps", "train.validate_every", "model.", "evaluate.")
ROOT: Final = Path(__file__).parents[2]


class Repeated:
    """A source that gives one batch again and again."""

    def __init__(self, source: Any, batch: Batch) -> None:
        self._source, self._batch = source, batch

    def next(self) -> Batch:
        """Return the batch."""
        return self._batch

    last = next

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


def damaged(batch: Batch, plant: str) -> Batch:
    """Return the batch 30 times as large, or with values drawn at random from those that occur in it."""
    if plant == "large":
        return replace(batch, x=batch.x * 30)
    values = batch.x.unique()
    return replace(batch, x=values[torch.randint(len(values), batch.x.shape)])


def recipes() -> list[str]:
    """Return the names of all recipes."""
    return sorted(path.stem for path in ROOT.glob("plugins/*/*/recipes/*.yaml"))


class Short:
    """A recipe made short: its experiment, its data, its batch size and its number of steps in a stage."""

    def __init__(self, name: str, paths: Mapping[str, Path], folder: Path) -> None:
        folder.mkdir()
        places = {**paths, "mnist": paths["fashion"] if "fashion" in name and "fashion" in paths else paths["mnist"]}
        words = [word for word in assignments(name, places) if not word.startswith(OVERRIDDEN)]
        self.spec = read_experiment(name, words + prerequisites(name, places, folder)).spec
        self.composition, self.data = check_experiment(self.spec), self.spec.data.load()
        self.batch_size, self.steps, self.seconds = self._size(BUDGET * (2 if name.startswith(DEMANDING) else 1))

    def trainer(self, seed: int, **fields: Any) -> Trainer:
        """Return a trainer of the whole recipe that logs each step."""
        spec: ExperimentSpec = self.spec
        settings = spec.train.model_copy(update={"seed": seed, "log_every": 1, "threads": 1, "device": "cpu", **fields})
        model = build(self.composition, seed=seed)
        if spec.train.start is not None:
            take_parts(model, spec.train.start)
        data: Dataset = self.data
        return Trainer(model, data, settings=settings)

    def shortened(self, seed: int, rate: float = 1.0) -> Trainer:
        """Return a trainer of the shortened recipe, stopped before the last stage that takes steps."""
        train = self.spec.train
        fields: dict[str, Any] = {"batch_size": self.batch_size, "lr": train.lr * rate}
        each = max(FEWEST_STEPS, self.steps // max(1, sum(not stage.fit for stage in train.stages)))
        fields["steps"] = min(self.steps, train.steps)
        fields["stages"] = tuple(
            stage if stage.fit else stage.model_copy(update={"steps": min(each, stage.steps or 0)}) for stage in train.stages
        )
        fields["warmup"] = min(train.warmup, self.steps // 10)
        trainer = self.trainer(seed, **fields)
        last = max((number for number, stage in enumerate(trainer.stages) if not stage.fit), default=-1)
        while trainer.progress.stage < last:
            pass_stage(trainer)
        return trainer

    def _size(self, budget: float) -> tuple[int, int, float]:
        """Return the largest batch with which the budget is enough for FEWEST_STEPS, the steps, and the seconds of one."""
        sizes = [size for size in (32, 16, 4) if size < self.spec.train.batch_size]
        for size in (self.spec.train.batch_size, *sizes):
            trainer = self.trainer(0, batch_size=size)
            while trainer.stage.spec.fit and not trainer.in_last_stage:
                pass_stage(trainer)
            if trainer.stage.spec.fit:
                raise LookupError("it has no steps: its parts are fitted at once")
            trainer.advance(2)
            start = time.perf_counter()
            trainer.advance(4)
            seconds = (time.perf_counter() - start) / 4
            if budget / seconds >= FEWEST_STEPS:
                break
        return size, max(FEWEST_STEPS, int(budget / seconds)), seconds


def pass_stage(trainer: Trainer) -> None:
    """Do the steps, or the fit, of the present stage and go to the next."""
    if trainer.stage.spec.fit:
        trainer._fit_prior()
    else:
        trainer.advance(trainer.stage.steps)
    trainer.next_stage()


def losses(trainer: Trainer, start: int = 0) -> list[dict[str, float]]:
    """Return the losses of each step since row ``start``, and its stage."""
    rows = [
        {name: value for name, value in row.items() if name in ("stage", "loss") or name.startswith("loss/")}
        for row in trainer.history.rows[start:]
    ]
    return [row for row in rows if len(row) > 1]


def record(name: str, short: Short, seed: int) -> dict[str, Any]:
    """Train a short recipe and what branches off; return the losses."""
    trainer = short.shortened(seed)
    middle = trainer.stage.steps // 2
    with roles.fork_rng(trainer.device, seed):
        trainer.advance(middle)
        tensors, state = {key: tensor.detach().clone() for key, tensor in trainer.tensors().items()}, trainer.state()
        trainer.advance(trainer.stage.steps)
        found = {"healthy": losses(trainer)}
        for plant in PLANTS:
            trainer.restore(tensors, state)
            mark = len(trainer.history.rows)
            if plant == "rate":
                trainer.progress.lr_scale = 100.0
            else:
                trainer.stage.source = Repeated(trainer.stage.source, damaged(trainer.stage.source.next(), plant))  # type: ignore[assignment]
            found[plant] = advanced(trainer, PLANTED, mark)
        if name in DIVERGING:
            fast = short.shortened(seed, 10.0)
            found["diverging"] = advanced(fast, fast.stage.steps, 0)
    return {"name": name, "seed": seed, "batch_size": short.batch_size, "steps": trainer.stage.steps, "middle": middle, **found}


def advanced(trainer: Trainer, steps: int, mark: int) -> list[dict[str, float]]:
    """Return the losses of more steps; they end early, with a row that says so, where one is not finite or refused."""
    try:
        trainer.advance(steps)
    except NonFiniteError:
        return [*losses(trainer, mark), {"nan": 1.0}]
    except (DataError, IndexError):  # values that the model's data does not have
        return [*losses(trainer, mark), {"refused": 1.0}]
    return losses(trainer, mark)


def spikes(rows: Iterable[Mapping[str, float]]) -> Iterator[Spike]:
    """Yield the spikes that a run with these losses would have been warned of."""
    stage, step, watch = -1.0, 0, SpikeWatch(())
    for row in rows:
        if "stage" not in row:
            return
        if row["stage"] != stage:
            stage, step, watch = row["stage"], 0, SpikeWatch([name for name in row if name != "stage"])
        step += 1
        found = watch.add([row], step)
        if found:
            yield found


def planted(run: Mapping[str, Any], plant: str) -> str:
    """Return how a planted spike ended: found, NaN before it was found, refused by the model, or missed.

    Where the median loss is not above all of the hundred steps before, there was no spike to find.
    """
    healthy: Sequence[Mapping[str, float]] = run["healthy"]
    last = [row for row in healthy if row["stage"] == healthy[-1]["stage"]][: run["middle"]]
    if any(spike.first > run["middle"] - 5 for spike in spikes([*last, *run[plant]])):
        return "found"
    if "stage" not in run[plant][-1]:
        return "NaN" if "nan" in run[plant][-1] else "refused"
    names = [name for name in last[-1] if name != "stage"]
    raised = any(median(row[name] for row in run[plant]) > max(row[name] for row in last[-100:]) for name in names)
    return "missed" if raised else "not raised"


def counted(runs: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Return how many warnings healthy runs had, and how the planted spikes ended."""
    counts = Counter({"warnings": sum(len([*spikes(run["healthy"])]) for run in runs)})
    counts.update(f"{plant} {planted(run, plant)}" for run in runs for plant in PLANTS if plant in run)
    diverging = [run["diverging"] for run in runs if "diverging" in run]
    counts.update("diverging, warned" if [*spikes(rows)] else "diverging, silent" for rows in diverging)
    return counts


def judge(path: Path) -> None:
    """Print a line for each recipe, each warning of a healthy run, and the totals."""
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    for name in sorted({run["name"] for run in runs}):
        own = [run for run in runs if run["name"] == name]
        counts = ", ".join(f"{key}: {value}" for key, value in counted(own).items())
        print(f"{name}: {len(own)} seeds, {len(own[0]['healthy'])} steps of {own[0]['batch_size']}: {counts}")
        for run in own:
            for spike in spikes(run["healthy"]):
                print(f"    seed {run['seed']}: {spike}")
    print("all:", ", ".join(f"{key}: {value}" for key, value in sorted(counted(runs).items())))


def main() -> None:
    """Record unless told not to, and judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.spikes", description=__doc__)
    parser.add_argument("file", type=Path, help="the recorded losses, a line for each training; more are appended")
    parser.add_argument("--judge", action="store_true", help="train nothing")
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 10), help="the first seed, and the one after the last")
    parser.add_argument("--recipes", nargs="*", help="which; all if left out")
    parser.add_argument("--path", nargs="*", default=[], help="real data, NAME=PATH as in tests/recipes/small.py; else made up")
    options = parser.parse_args()
    if not options.judge:
        torch.set_num_threads(1)
        own = {name: Path(path) for name, _, path in (word.partition("=") for word in options.path)}
        record_all(options.file, range(*options.seeds), options.recipes or recipes(), own)
    judge(options.file)


def record_all(path: Path, seeds: Iterable[int], names: Sequence[str], own: Mapping[str, Path]) -> None:
    """Append the losses of each recipe with each seed to the file, except for those that it has."""
    path.touch()
    done = {(run["name"], run["seed"]) for run in map(json.loads, path.read_text().splitlines())}
    with tempfile.TemporaryDirectory() as name, path.open("a") as file:
        folder = Path(name)
        paths = {**data_files(folder), **own}

        @cache
        def short(name: str) -> Short | str:
            try:
                return Short(name, paths, folder / f"of-{name}")
            except LookupError as error:
                return str(error)

        for seed, recipe in product(seeds, names):
            if (recipe, seed) not in done:
                found, start = short(recipe), time.perf_counter()
                if isinstance(found, str):
                    print(f"{recipe}: not run: {found}", flush=True)
                    continue
                print(json.dumps(record(recipe, found, seed)), file=file, flush=True)
                print(f"{recipe}, seed {seed}: {time.perf_counter() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
