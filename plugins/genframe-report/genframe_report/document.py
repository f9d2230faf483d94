"""A run's report: one HTML page that loads nothing, so that it can be sent, kept and opened anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from genframe import Dataset, Run, load
from genframe.output.files import write_whole
from genframe.types import printable

from .page import page
from .pictures import PICTURES, Drawn

__all__ = ["SEED", "Report", "report"]

SEED = 1  # training's pictures are drawn by seed 0


@dataclass(frozen=True, repr=False)
class Report:
    """The page of a run; ``absent`` says for each section without pictures why it has none."""

    name: str
    html: str
    absent: dict[str, tuple[str, ...]]

    def save(self, path: Path | str) -> Path:
        """Write the page, whole or not at all, and return its path.

        :raises StorageError: if the volume refuses.
        """
        write_whole(Path(path), self.html.encode())
        return Path(path)

    def __repr__(self) -> str:
        return f"Report({self.name!r}, {len(self.html.encode()) / 1e6:.2f} MB)"

    def _repr_html_(self) -> str:
        frame = Markup('<iframe srcdoc="{}" title="{}" sandbox="" width="100%" height="640" frameborder="0"></iframe>')
        return str(frame.format(self.html, f"Report of {self.name}"))


def report(run: Run | Path | str, *, seed: int = SEED, data: Dataset | None = None) -> Report:
    """Return the page of a run, or of the run in a folder. It depends on the run and on ``seed``, which draws fresh samples.

    ``data`` replaces the dataset that the experiment names.

    :raises RunError: if there is no run in the folder.
    :raises CheckpointError: if no checkpoint is valid.
    """
    run = run if isinstance(run, Run) else load(run)
    drawn = Drawn(run, seed, data)
    groups = [draw(drawn) for draw in PICTURES]
    absent = {group.name: group.absent for group in groups if group.absent}
    return Report(run.experiment.name, printable(str(page(drawn, groups))), absent)
