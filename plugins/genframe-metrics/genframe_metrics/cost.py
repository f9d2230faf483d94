"""What drawing a sample costs: passes through the weights, operations, and seconds."""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from genframe import Metric, MetricResult, Model, Split, evaluating, generator_for, stamp

from .protocol import conditions_in_turn, drawn, prepared

__all__ = ["SamplingCostMetric", "SamplingTimeMetric", "Usage", "processor"]

DRAW: Final = 3


class Usage(TorchDispatchMode):
    """Counts the floating-point operations of matrix products and convolutions, and how often each weight is used in one.

    >>> network = nn.Linear(4, 16, bias=False)
    >>> with Usage(network) as usage:
    ...     y = network(torch.ones(3, 4))
    >>> usage.calls, usage.flops  # 2 * 3 * 4 * 16
    (1, 384)
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0
        self.uses: Counter[int] = Counter()
        self._weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters() if parameter.ndim > 1}

    @property
    def calls(self) -> int:
        """How often the most used weight is used; 0 if no weight is."""
        return max(self.uses.values(), default=0)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Do the operation, and count it."""
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
            storages = {arg.untyped_storage().data_ptr() for arg in args if isinstance(arg, Tensor)}
            self.uses.update(storages & self._weights)
        return out


def _draw(model: Model, n: int, split: Split, seed: int, number: int) -> Tensor:
    """Draw ``n`` samples as one batch, (n, data)."""
    condition = conditions_in_turn(model, n, prepared(drawn(split, n, seed), seed, model.device))
    return model.sampler.draw(model, n, model.context(condition), generator_for(model.device, seed, DRAW, number))


class SamplingCostMetric(Metric):
    """Passes through the network, and operations, to draw a sample.

    :param batch: how many samples are drawn together.

    >>> calls, flops = SamplingCostMetric(batch=8).measure(model, test, train=train)
    >>> calls.value, flops.value  # this model is the prior N(0, I) alone
    (0, 0.0)
    """

    type: ClassVar[str] = "metrics/sampling_cost"

    def __init__(self, batch: int = 64) -> None:
        self.batch = batch

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``network_calls`` and ``flops`` per sample; both are counts, without error."""
        n = self.batch
        with evaluating(model):
            _draw(model, n, split, seed, 0)  # what is computed once for all samples is not counted
            with Usage(model) as usage:
                _draw(model, n, split, seed, 1)
        protocol = stamp(self.type, split, seed, batch=n, torch=torch.__version__)
        return [
            MetricResult("network_calls", usage.calls, "a sample", protocol, note="uses of the weight that is used most often"),
            MetricResult("flops", usage.flops / n, "a sample", protocol, note="of matrix products and convolutions"),
        ]


class SamplingTimeMetric(Metric):
    """Seconds to draw a sample.

    :param batch: how many samples are drawn together.
    :param repeats: how many batches are timed, after one that is not; at least 2.

    >>> (result,) = SamplingTimeMetric(batch=8, repeats=2).measure(model, test, train=train)
    >>> result.unit, result.value > 0
    ('s a sample', True)
    """

    type: ClassVar[str] = "metrics/sampling_time"

    def __init__(self, batch: int = 64, repeats: int = 5) -> None:
        self.batch, self.repeats = batch, repeats

    def measure(self, model: Model, split: Split, *, train: Split, seed: int = 0) -> list[MetricResult]:
        """Return ``sampling_time`` in seconds per sample, with its error over repetitions."""
        n, repeats = self.batch, self.repeats
        seconds = []
        with evaluating(model):
            for number in range(repeats + 1):
                _wait(model.device)
                started = time.perf_counter()
                _draw(model, n, split, seed, number)
                _wait(model.device)
                seconds.append((time.perf_counter() - started) / n)
        measured = seconds[1:]  # the first fills caches
        protocol = stamp(
            self.type,
            split,
            seed,
            batch=n,
            repeats=repeats,
            device=processor(model.device),
            threads=torch.get_num_threads(),
            torch=torch.__version__,
        )
        error = statistics.stdev(measured) / math.sqrt(repeats)
        return [MetricResult("sampling_time", statistics.mean(measured), "s a sample", protocol, error)]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def processor(device: torch.device) -> str:
    """Return the name of the processor behind ``device``, as far as the system tells it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8").splitlines() if described.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
