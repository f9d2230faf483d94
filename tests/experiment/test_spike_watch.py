"""The rule that finds a jump of a loss: what is one, what is none, at any scale and however the log is cut."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence

import pytest

from genframe.training.spike import BLOCK, FEWEST, Spike, SpikeWatch

STEPS = 400


def noisy(level: Callable[[int], float], *, noise: float = 1.0, seed: int = 0) -> list[float]:
    """Return the losses of STEPS steps: a level, which may depend on the step, and normal noise."""
    draw = random.Random(seed)
    return [level(step) + draw.gauss(0, noise) for step in range(STEPS)]


def found(losses: Sequence[float], *, every: int = 1, period: int = 1) -> list[Spike]:
    """Return the spikes in losses that are read every so many steps."""
    watch = SpikeWatch(["loss"], period)
    spikes = (
        watch.add([{"loss": loss} for loss in losses[start : start + every]], min(start + every, len(losses)))
        for start in range(0, len(losses), every)
    )
    return [spike for spike in spikes if spike is not None]


@pytest.mark.parametrize(
    "level",
    [
        lambda step: 0.0,
        lambda step: 500 * math.exp(-step / 30),
        lambda step: 0.1 * step,  # a weight that grows slowly, such as beta in an ELBO
        lambda step: 5 * math.sin(step / 20),
        lambda step: 50.0 if step < 200 else 20.0,  # a sudden fall
    ],
    ids=["noise", "decay", "rise", "waves", "fall"],
)
def test_noise_trends_waves_and_falls_are_no_spikes(level: Callable[[int], float]) -> None:
    """Forty seeds of each are silent."""
    assert [seed for seed in range(40) if found(noisy(level, seed=seed))] == []


@pytest.mark.parametrize("scale", [-1000.0, 0.0, 1000.0])
def test_a_jump_is_found_whatever_the_level(scale: float) -> None:
    """Twenty deviations above are found in the block in which they begin, below zero and far above it."""
    for seed in range(40):
        losses = noisy(lambda step: scale + (20.0 if step >= 300 else 0.0), seed=seed)
        [spike] = found(losses)
        assert spike.first == 301
        assert spike.value == pytest.approx(scale + 20, abs=3)
        assert spike.before == pytest.approx(scale, abs=2)


def test_scaled_losses_have_the_same_spikes() -> None:
    """A factor of 1024 changes nothing but the numbers."""
    losses = noisy(lambda step: 6.0 if step % 150 > 140 else 0.0)
    assert [spike.first for spike in found([1024 * loss for loss in losses])] == [spike.first for spike in found(losses)] != []


def test_rounding_is_no_spike() -> None:
    """A loss that stands still may move in its last digits, and by little more."""
    assert found([math.log(2)] * 200 + [math.log(2) + 1e-4] * 50) == []
    assert len(found([math.log(2)] * 200 + [math.log(2) + 1e-1] * 50)) == 1


@pytest.mark.parametrize("every", [3, 7, 100, 400])
def test_the_spike_does_not_depend_on_how_often_is_logged(every: int) -> None:
    """Blocks have their own length."""
    losses = noisy(lambda step: 90.0 if step >= 250 else 0.0)
    assert found(losses, every=every) == found(losses) != []


def lazy(seed: int, period: int) -> list[float]:
    """Return losses that are skewed, and far higher in every n-th step, as a GAN's are by a penalty that is seldom added."""
    return [
        math.exp(loss) + (0.0 if step % period else 40.0)
        for step, loss in enumerate(noisy(lambda _: 0.0, noise=0.5, seed=seed))
    ]


@pytest.mark.parametrize("period", [4, 16])
def test_a_term_that_is_added_now_and_then_is_no_spike(period: int) -> None:
    """Blocks are longer there; some blocks of five steps would hold it twice, and one more high step would be their median."""
    losses = [lazy(seed, period) for seed in range(200)]
    assert [seed for seed in range(200) if found(losses[seed], period=period)] == []
    assert any(found(some) for some in losses)
    for some in losses[:40]:
        [spike] = found([loss + (60.0 if step >= 300 else 0.0) for step, loss in enumerate(some)], period=period)
        assert 300 - spike.size < spike.earliest <= 301 < spike.first + spike.size


def test_the_first_steps_are_not_judged() -> None:
    """A jump before there is a history is none."""
    few = FEWEST * BLOCK
    assert found([1.0] * (few - BLOCK) + [100.0] * 50) == []
    assert [spike.first for spike in found([1.0] * few + [100.0] * 50)] == [few + 1]


def test_a_game_needs_a_greater_jump() -> None:
    """Of two players a jump by a fifth of the level is none, and one by a half is; it is told once, and by name."""
    calm = [10.0 + 0.01 * (step % 10 < 5) for step in range(200)]
    assert len(found([*calm, *[12.0] * 50])) == 1
    for jump, expected in ((12.0, []), (15.0, ["loss/critic"])):
        watch = SpikeWatch(["loss/critic", "loss/generator"])
        losses = [*calm, *[jump] * 50]
        spikes = [watch.add([{"loss/critic": loss, "loss/generator": loss}], step) for step, loss in enumerate(losses, 1)]
        assert [spike.name for spike in spikes if spike] == expected


def test_a_watch_goes_on_from_its_state() -> None:
    """Wherever it is stored, as JSON, the later steps are judged alike."""
    losses = noisy(lambda step: 30.0 if step >= 200 else 0.0)
    for cut in range(0, 300, 13):
        first = SpikeWatch(["loss"])
        spikes = [first.add([{"loss": loss}], step) for step, loss in enumerate(losses[:cut], 1)]
        second = SpikeWatch(["loss"], state=json.loads(json.dumps(first.state())))
        spikes += [second.add([{"loss": loss}], step) for step, loss in enumerate(losses[cut:], cut + 1)]
        assert [spike for spike in spikes if spike] == found(losses)
