"""``genframe report``: a run as one HTML page that loads nothing, so that it can be sent, kept and opened anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...data import Dataset
from ...files import write_whole
from ...markup import Markup, tag
from ..run import Run, load
from .page import page
from .pictures import PICTURES, Drawn

__all__ = ["SEED", "Report", "report"]

SEED = 1  # not training's 0, whose samples the pictures of training show already


@dataclass(frozen=True, repr=False)
class Report:
    """A run's page; ``absent`` says of each section without pictures why it has none."""

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
        return tag(
            "iframe", srcdoc=self.html, title=f"Report of {self.name}", sandbox="", width="100%", height="640", frameborder="0"
        )


def report(run: Run | Path | str, *, seed: int = SEED, data: Dataset | None = None) -> Report:
    """Return the page of a run, or of the run in a folder: a function of the run and of ``seed``, which draws fresh samples.

    ``data`` stands in for the data set that the experiment names.

    :raises RunError: if there is no run in the folder.
    :raises CheckpointError: if no checkpoint is valid.
    """
    run = run if isinstance(run, Run) else load(run)
    drawn = Drawn(run, seed, data)
    groups = [draw(drawn) for draw in PICTURES]
    html: Markup = page(drawn, groups)
    return Report(run.experiment.name, html, {group.name: group.absent for group in groups if group.absent})
