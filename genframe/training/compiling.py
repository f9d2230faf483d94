"""Compiling the step: off, on, or when the steps that remain repay it, decided by measurement."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Final, Literal

import torch

from ..roles import no_compiler
from ..types import LossOutput, Problem, SpecError
from .environment import pick_device
from .objective import Objective
from .settings import TrainSpec

__all__ = ["AutoCompile", "check_compiler", "compiled"]

WARM_UP: Final = 10
MEASURED: Final = 20
LEAST_COST: Final = 30.0  # seconds; the cheapest compilation of a training step that was seen took 28
HOPED_SHARE: Final = 0.5  # of a step's time that compilation may save; the best seen was 0.58


def check_compiler(spec: TrainSpec) -> None:
    """Check that a training that is to be compiled can be, on this machine.

    :raises SpecError: if it cannot, saying why.
    """
    if spec.compile == "on" and (reason := no_compiler(pick_device(spec.device))):
        raise SpecError(Problem("train.compile", reason, "install a compiler, such as g++, or say auto or off"))


def compiled(objective: Objective, device: torch.device, say: Callable[[str], None]) -> Callable[..., LossOutput]:
    """Return the objective compiled, or as it is where nothing can be compiled: a run may continue on another machine."""
    if reason := no_compiler(device):
        say(f"compile: {reason}")
        return objective
    return torch.compile(objective, dynamic=False)


class AutoCompile:
    """Measures steps before and after compilation and keeps the faster; ``say`` gets one line on the decision.

    ``remaining`` is the number of steps left when measuring begins. The decision is part of a
    checkpoint, so that a resumed run computes as the interrupted one did.
    """

    def __init__(self, device: torch.device, remaining: int, say: Callable[[str], None]) -> None:
        self.decision: bool | None = None
        self._device, self._remaining, self._say = device, remaining, say
        self._times: list[float] = []
        self._eager: float | None = None  # seconds of a step before compilation, once measured
        self._last = 0.0

    def before_step(self) -> None:
        """Note the time at which a step begins."""
        self._synchronize()
        self._last = time.perf_counter()

    def after_step(self) -> Literal["keep", "compile", "uncompile"]:
        """Note a step's time and return what to do before the next one."""
        self._synchronize()
        self._times.append(time.perf_counter() - self._last)
        self._remaining -= 1
        if len(self._times) < WARM_UP + MEASURED:
            return "keep"
        typical = median(self._times[WARM_UP:])
        return self._judge_eager(typical) if self._eager is None else self._judge_compiled(typical, self._eager)

    def _judge_eager(self, typical: float) -> Literal["keep", "compile"]:
        hoped = self._remaining * typical * HOPED_SHARE
        reason = f"not worth it; the {self._remaining} steps left take about {self._remaining * typical:.0f} s"
        if hoped < LEAST_COST or (reason := no_compiler(self._device)):
            self.decision = False
            self._say(f"compile: {reason}")
            return "keep"
        self._eager, self._times = typical, []
        return "compile"

    def _judge_compiled(self, typical: float, eager: float) -> Literal["keep", "uncompile"]:
        cost = sum(self._times[:WARM_UP]) - WARM_UP * typical
        self.decision = typical < eager
        verdict = "kept" if self.decision else "dropped"
        self._say(f"compile: {verdict}; a step takes {typical / eager:.2f} of its eager time, compiling took {cost:.0f} s")
        return "keep" if self.decision else "uncompile"

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
