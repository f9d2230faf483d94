"""The moving average of weights, against a float64 loop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from genframe.training.ema import WeightAverage


def module() -> nn.Module:
    """Return a module with parameters and running statistics."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def weights(of: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the parameters."""
    return {name: parameter.detach().clone() for name, parameter in of.named_parameters()}


def walk(of: nn.Module, average: WeightAverage, steps: int) -> list[dict[str, Tensor]]:
    """Move the weights at random, updating the average each time; return where they went."""
    path = []
    for step in range(steps):
        with torch.no_grad():
            for parameter in of.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step)))
        average.update()
        path.append(weights(of))
    return path


@pytest.mark.parametrize("decay", [0.3, 0.9, 0.9999])
def test_formula_with_its_warm_up(decay: float) -> None:
    """a <- d a + (1 - d) w with d = min(decay, (1 + n) / (10 + n)), by a float64 loop over thirty updates."""
    live = module()
    expected = {name: value.double() for name, value in weights(live).items()}
    average = WeightAverage(live, decay)
    for n, now in enumerate(walk(live, average, 30)):
        d = min(decay, (1 + n) / (10 + n))
        expected = {name: d * value + (1 - d) * now[name].double() for name, value in expected.items()}
    for name, value in average.tensors().items():
        torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-5)
    assert average.updates == 30


def test_updates_keep_no_graph() -> None:
    """The average is no function of the weights for autograd: memory does not grow with the steps."""
    live = module()
    average = WeightAverage(live, 0.9)
    walk(live, average, 3)
    assert not any(tensor.requires_grad for tensor in average.tensors().values())


def test_applied_swaps_and_restores() -> None:
    """Inside, the module has the average; afterwards its own weights to the bit, and the average is as it was."""
    live = module()
    average = WeightAverage(live, 0.9)
    walk(live, average, 4)
    own, averaged = weights(live), {name: tensor.clone() for name, tensor in average.tensors().items()}
    with average.applied():
        inside = weights(live)
    assert all(torch.equal(inside[name], averaged[name]) for name in own)
    assert not any(torch.equal(inside[name], own[name]) for name in own)
    assert all(torch.equal(now, own[name]) for name, now in weights(live).items())
    assert all(torch.equal(now, averaged[name]) for name, now in average.tensors().items())


def test_applied_restores_after_an_error() -> None:
    """An error inside leaves the module with its own weights."""
    live = module()
    average = WeightAverage(live, 0.9)
    walk(live, average, 2)
    own = weights(live)
    with pytest.raises(ZeroDivisionError), average.applied():
        1 / 0  # noqa: B018
    assert all(torch.equal(now, own[name]) for name, now in weights(live).items())


def test_adopted_weights_are_the_average_and_stay_apart_from_it() -> None:
    """After adopting, the module has the averages as weights of its own: moving them leaves the average alone."""
    live = module()
    average = WeightAverage(live, 0.9)
    walk(live, average, 3)
    averaged = {name: tensor.clone() for name, tensor in average.tensors().items()}
    average.adopt()
    assert all(torch.equal(now, averaged[name]) for name, now in weights(live).items())
    with torch.no_grad():
        for parameter in live.parameters():
            parameter.add_(1)
    assert all(torch.equal(now, averaged[name]) for name, now in average.tensors().items())


def test_restarted_average_begins_at_the_present_weights_with_a_new_warm_up() -> None:
    """What was averaged before a restart has no weight any more."""
    live = module()
    average = WeightAverage(live, 0.999)
    walk(live, average, 5)
    average.restart()
    assert average.updates == 0
    assert all(torch.equal(now, weights(live)[name]) for name, now in average.tensors().items())
    fresh = WeightAverage(live, 0.999)
    with torch.no_grad():
        for parameter in live.parameters():
            parameter.add_(1)
    for each in (average, fresh):
        each.update()
    assert all(torch.equal(now, fresh.tensors()[name]) for name, now in average.tensors().items())


def test_buffers_are_taken_as_they_are() -> None:
    """Running statistics are not averaged: the module has its present ones with the average applied too."""
    live = module()
    average = WeightAverage(live, 0.9)
    live(torch.randn(8, 3))
    average.update()
    running = live.get_buffer("1.running_mean").clone()
    assert not torch.equal(running, torch.zeros(2))
    with average.applied():
        assert torch.equal(live.get_buffer("1.running_mean"), running)
    assert set(average.tensors()) == set(weights(live))


def test_restored_average_goes_on_bit_for_bit() -> None:
    """The saved averages and number of updates are all that is needed."""
    live = module()
    average = WeightAverage(live, 0.9)
    walk(live, average, 3)
    other = WeightAverage(live, 0.9)
    other.load({name: tensor.clone() for name, tensor in average.tensors().items()}, average.updates)
    with torch.no_grad():
        for parameter in live.parameters():
            parameter.mul_(2)
    average.update()
    other.update()
    assert all(torch.equal(now, other.tensors()[name]) for name, now in average.tensors().items())
