"""A loss that jumps: found by comparing its latest steps with those just before.

The losses of a stage are cut into blocks of :data:`BLOCK` steps, whatever ``train.log_every`` is, and a block is judged by
its median, so that a single batch is no spike. Where a loss adds some terms only in every n-th step, a block has the next
multiple of n steps, so that all blocks hold these steps equally often. A block is one if it lies above the last
:data:`RECENT` blocks by more than half of their range, and rises above the median of the last :data:`LATEST` by

- more than three times the largest rise from one of these blocks to the next,
- more than seven robust deviations of these rises,
- more than a hundredth of that median; in a game of several players, whose losses wander, a quarter.

A loss may so be negative, or a thousand times as large. Neither the first :data:`FEWEST` blocks of a stage are judged nor those
after a spike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, Final

__all__ = ["BLOCK", "FEWEST", "LATEST", "RECENT", "LossTrack", "Spike", "SpikeWatch"]

BLOCK: Final = 5
RECENT: Final = 20
FEWEST: Final = 15
LATEST: Final = 4
RANGE: Final = 0.5
RISES: Final = 3.0
DEVIATIONS: Final = 7.0
SHARE: Final = 0.01
SHARE_OF_GAME: Final = 0.25
NORMAL: Final = 1.4826  # the standard deviation of normal values, as a multiple of their median absolute deviation


@dataclass(frozen=True)
class Spike:
    """A jump of the loss ``name`` in the block of ``size`` steps from ``first``: to ``value``, from a level of ``before``."""

    name: str
    first: int
    value: float
    before: float
    size: int = BLOCK

    @property
    def earliest(self) -> int:
        """The step in which it may have begun: the last of the block before can be high without moving its median."""
        return self.first - self.size // 2

    def __str__(self) -> str:
        usual = f"{self.before:.4g}, its median over the {LATEST * self.size} steps before"
        advice = "lower train.lr, set train.clip, or look for damaged examples"
        return f"step {self.first}: {self.name} jumped to {self.value:.4g} from {usual}; {advice}"


@dataclass
class LossTrack:
    """The medians of a loss's recent blocks, and the steps of the block that is not yet full; ``first`` is its first step."""

    blocks: list[float] = field(default_factory=list)
    block: list[float] = field(default_factory=list)
    first: int = 0

    def add(self, value: float, step: int, size: int = BLOCK) -> float | None:
        """Take in the loss of a step; return the block's median if it now has ``size`` steps."""
        if not self.block:
            self.first = step
        self.block.append(value)
        if len(self.block) < size:
            return None
        middle, self.block = median(self.block), []
        return middle

    @property
    def level(self) -> float:
        """The median of the latest blocks."""
        return median(self.blocks[-LATEST:])

    def jumps(self, value: float, share: float) -> bool:
        """Return whether the next block has a spike; its rise must be more than ``share`` of the level."""
        if len(self.blocks) < FEWEST:
            return False
        highest, lowest = max(self.blocks), min(self.blocks)
        rises = [after - before for before, after in pairwise(self.blocks)]
        middle = median(rises)
        deviation = NORMAL * median(abs(each - middle) for each in rises)
        least = max(RISES * max(rises), DEVIATIONS * deviation, share * abs(self.level))
        return value - highest > RANGE * (highest - lowest) and value - self.level > least

    def keep(self, value: float) -> None:
        """Append a block to the recent ones."""
        self.blocks = [*self.blocks, value][-RECENT:]


class SpikeWatch:
    """Follows the losses of a stage, called ``names``, and finds their spikes; after a spike it starts afresh.

    ``period``: the number of steps after which the losses have all of their terms again. ``state`` is what :meth:`state`
    gave: a watch made of it finds what the former one would have found.
    """

    def __init__(self, names: Iterable[str], period: int = 1, state: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.size = -(-BLOCK // period) * period
        self._tracks = {name: LossTrack(**deepcopy((state or {}).get(name, {}))) for name in names}

    def add(self, entries: Sequence[Mapping[str, float]], step: int) -> Spike | None:
        """Take in the metrics of each of the steps that end at ``step``; return the first spike among them."""
        share = SHARE if len(self._tracks) == 1 else SHARE_OF_GAME
        found: Spike | None = None
        for number, entry in enumerate(entries, step - len(entries) + 1):
            for name, track in self._tracks.items():
                value = track.add(entry[name], number, self.size) if name in entry else None
                if value is None:
                    continue
                if track.jumps(value, share):
                    found = found or Spike(name, track.first, value, track.level, self.size)
                    self._forget()
                track.keep(value)
        return found

    def state(self) -> dict[str, dict[str, Any]]:
        """Return everything that the judgement of later steps depends on, as JSON."""
        return {name: asdict(track) for name, track in self._tracks.items()}

    def _forget(self) -> None:
        """Start afresh at the level after a spike, so that one spike is told once."""
        for track in self._tracks.values():
            track.blocks = []
