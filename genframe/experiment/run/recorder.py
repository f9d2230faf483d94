"""What a run keeps of its training: metrics, checkpoints and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...output import picture
from ...output.files import write_whole
from ...training.observer import Row
from ...training.reporter import Reporter
from ...training.state import Training
from ...types.errors import RunError, StorageError
from ...types.text import listed
from . import checkpoint as storage
from .folder import RunFolder
from .run import PICTURE_COUNT, Run, shown_condition

__all__ = ["Recorder"]


class Recorder:
    """Keeps what training observes, in memory and, where there is one, in the run's folder."""

    def __init__(self, run: Run, described: Mapping[str, Any], reporter: Reporter) -> None:
        self.run, self.described, self.reporter = run, described, reporter
        self.files = RunFolder(run.folder) if run.folder is not None else None

    def log(self, row: Row) -> None:
        """Append the row, to metrics.jsonl too."""
        self.run.metrics.append(row)
        if self.files is not None:
            self.files.log.append(row)

    def checkpoint(self, training: Training) -> None:
        """Commit the training's state."""
        self.run.step = training.progress.step
        if self.files is None:
            return
        spec = self.run.experiment
        made_by = {"spec": spec.digest(), "experiment": spec.model_dump(mode="json"), "environment": dict(self.described)}
        state, keep = {**training.state(), **made_by}, spec.train.keep
        self.run.checkpoint = storage.commit(self.files.checkpoints, self.run.step, training.tensors(), state, keep=keep).digest

    def picture(self, training: Training) -> None:
        """Draw samples into samples/, a picture with what is needed to draw it again, or text; what fails stops nothing."""
        if self.files is None:
            return
        if self.run.step != training.progress.step:  # the last checkpoint is of other weights than the picture
            self.run.step, self.run.checkpoint = training.progress.step, ""
        condition = shown_condition(training.model, training.data, PICTURE_COUNT)
        samples = training.model.sample(PICTURE_COUNT, condition)
        path = self.files.samples / f"step-{self.run.step:08d}.png"
        try:
            self.files.make()
            if self.run.of_text:
                write_whole(path.with_suffix(".txt"), listed(self.run.texts(samples)).encode())
            else:
                picture.save(path, samples.x, samples.space, self.run.picture_info(samples, condition))
        except (RunError, StorageError) as error:
            self.reporter.message(f"no picture at step {self.run.step}: {error}")
