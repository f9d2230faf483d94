"""The deep Boltzmann machine against enumeration on tiny machines."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor

from genframe import Batch, Model, ModelSpec, Real, SpecError, Split, compose, generator_for, resume, train
from genframe.core import IdentityDecoder, IdentityEncoder
from genframe.testing import checkpoint_tensors, part, train_interrupted
from genframe.testing.drawing import every_value
from genframe_energy import ContrastiveDivergence, Dbm, Gibbs, LogLikelihood
from genframe_energy.annealing import annealed_log_z, betas_of
from genframe_energy.dbm import DeepBoltzmannMachine

BITS = Real((4,), 0, 1, levels=2)
HIDDEN = [(3, 2), (3, 2, 2)]


def model_of(hidden: tuple[int, ...], loss: ContrastiveDivergence | None = None, scale: float = 0.8) -> Model:
    """Return a machine with sizeable random parameters and offsets."""
    prior = Dbm(hidden=hidden, mean_field=50, sweeps=60)
    spec = ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), prior=prior, loss=loss or ContrastiveDivergence())
    model = compose(spec, BITS)
    generator = generator_for("cpu", 7)
    with torch.no_grad():
        for tensor in (*model.prior.parameters(), model.prior.get_buffer("offset")):
            tensor.copy_(scale * torch.randn(tensor.shape, generator=generator))
    return model


def machine_of(model: Model) -> DeepBoltzmannMachine:
    """Return the model's machine."""
    assert isinstance(model.prior, DeepBoltzmannMachine)
    return model.prior


def bits(size: int) -> Tensor:
    """Return every vector of so many bits: (2^size, size)."""
    values = every_value(Real((size,), 0, 1, levels=2))
    assert values is not None
    return values


def joint(machine: DeepBoltzmannMachine) -> tuple[list[Tensor], Tensor]:
    """Return every state of all layers, and -E of each, as the papers write it: sum of b x + sum of x W x."""
    layers = list(bits(sum(machine.sizes)).split(list(machine.sizes), 1))
    total = sum((x @ bias for x, bias in zip(layers, machine.plain_biases(), strict=True)), start=torch.zeros(()))
    for (below, above), weight in zip(pairwise(layers), machine.weights, strict=True):
        total = total + ((below @ weight) * above).sum(1)
    return layers, total


def number_of(x: Tensor) -> Tensor:
    """Return the number that bits write: (B, D) -> (B,)."""
    return (x @ 2.0 ** torch.arange(x.shape[1])).long()


def log_sums(log_weights: Tensor, x: Tensor) -> Tensor:
    """Return the logarithm of the summed weights of each value of ``x``, by its number: (2^D,)."""
    numbers = number_of(x)
    return torch.stack([log_weights[numbers == number].logsumexp(0) for number in range(2 ** x.shape[1])])


@pytest.mark.parametrize("hidden", HIDDEN)
def test_state_energy_is_the_joint_energy_summed_over_odd_layers(hidden: tuple[int, ...]) -> None:
    """-log sum_odd exp(-E) of each state of the even layers."""
    machine = machine_of(model_of(hidden))
    layers, log_weights = joint(machine)
    even = torch.cat(layers[::2], 1)
    states = bits(even.shape[1])
    torch.testing.assert_close(-machine.state_energy(states), log_sums(log_weights, even)[number_of(states)])


@pytest.mark.parametrize("hidden", HIDDEN)
def test_energy_bounds_the_free_energy_from_above(hidden: tuple[int, ...]) -> None:
    """Mean field never says less than -log sum_h exp(-E), and exactly that where upper layers are cut off."""
    machine, codes = machine_of(model_of(hidden)), bits(4)
    layers, log_weights = joint(machine)
    exact = -log_sums(log_weights, layers[0])[number_of(codes)]
    gap = (machine.energy(codes) - exact).detach()
    assert float(gap.min()) > -1e-5
    assert float(gap.max()) > 1e-3
    with torch.no_grad():
        for weight in list(machine.weights)[1:]:
            weight.zero_()
    layers, log_weights = joint(machine)
    torch.testing.assert_close(machine.energy(codes), -log_sums(log_weights, layers[0])[number_of(codes)])


@pytest.mark.parametrize("hidden", HIDDEN)
def test_transition_is_that_of_the_joint_distribution(hidden: tuple[int, ...]) -> None:
    """From a state, sum_odd p(odd | even) p(even' | odd), within sampling error."""
    machine = machine_of(model_of(hidden))
    layers, log_weights = joint(machine)
    even, odd = (torch.cat(layers[first::2], 1) for first in (0, 1))
    table = torch.zeros(2 ** even.shape[1], 2 ** odd.shape[1])
    table[number_of(even), number_of(odd)] = log_weights.detach()
    n, row = 40_000, 5
    state = bits(even.shape[1])[number_of(bits(even.shape[1])) == row]
    after = machine.transition(state.expand(n, -1), None, generator_for("cpu", 1))
    found = torch.bincount(number_of(after), minlength=len(table)) / n
    expected = table.softmax(0) @ table[row].softmax(0)
    error = (expected * (1 - expected) / n).sqrt()
    assert bool(((found - expected).abs() <= 4.5 * error + 1e-4).all())


def test_samples_have_the_marginal_probabilities() -> None:
    """Draws after the spec's sweeps have p(v), the hidden layers summed over."""
    machine = machine_of(model_of((3, 2)))
    layers, log_weights = joint(machine)
    expected = log_sums(log_weights, layers[0]).softmax(0).detach()
    found = torch.bincount(number_of(machine.sample(20_000, generator=generator_for("cpu", 1))), minlength=16) / 20_000
    error = (expected * (1 - expected) / 20_000).sqrt()
    assert bool(((found - expected).abs() <= 4.5 * error + 1e-4).all())


@pytest.mark.parametrize("hidden", HIDDEN)
def test_log_z_is_that_of_the_enumeration(hidden: tuple[int, ...]) -> None:
    """Exact over the odd layers, and within the interval of annealed importance sampling."""
    machine = machine_of(model_of(hidden))
    _, log_weights = joint(machine)
    exact = float(log_weights.detach().double().logsumexp(0))
    generator = generator_for("cpu", 3)
    states = machine.states(machine.sample(200, generator=generator), None, generator)
    for _ in range(20):
        states = machine.transition(states, None, generator)
    path = machine.annealing_path(states)
    assert path.log_z() == pytest.approx(exact, abs=1e-5)
    estimate = annealed_log_z(path, betas_of([(200, 1.0)]), 200, states, generator)
    assert estimate.low <= exact <= estimate.high
    assert estimate.high - estimate.low < 0.3


@pytest.mark.parametrize("hidden", HIDDEN)
def test_persistent_chains_give_the_gradient_of_the_bound(hidden: tuple[int, ...]) -> None:
    """With enough sweeps the mean gradient is that of the mean-field energy of data plus log Z. Ibid., sec. 2.1."""
    model = model_of(hidden, ContrastiveDivergence(k=30, persistent=True, chains=20_000), 0.6).train()
    machine, x = machine_of(model), bits(4)[:3]
    model.loss.begin(model)
    states = machine.mean_states(x)
    _, log_weights = joint(machine)
    (machine.state_energy(states).mean() + log_weights.logsumexp(0)).backward()
    expected = {name: parameter.grad.clone() for name, parameter in machine.named_parameters() if parameter.grad is not None}
    model.zero_grad()
    torch.manual_seed(0)
    model.loss(model, Batch(x)).total.backward()
    assert expected.keys() == dict(machine.named_parameters()).keys()
    for name, parameter in machine.named_parameters():
        assert parameter.grad is not None
        assert float((parameter.grad - expected[name]).abs().max()) < 0.02, name


def test_offsets_change_no_distribution() -> None:
    """Machines with other offsets, and the parameters that belong to them, are one."""
    machine, other = machine_of(model_of((3, 2))), machine_of(model_of((3, 2)))
    with torch.no_grad():
        other.offset.zero_()
        for bias, own, others in zip(other.biases, machine.plain_biases(), other.plain_biases(), strict=True):
            bias += own - others
    torch.testing.assert_close(machine.energy(bits(4)), other.energy(bits(4)))


def test_first_biases_and_offsets_are_those_of_the_data() -> None:
    """Before the first step each visible unit has its mean's log-odds, where the hidden units are at their offsets."""
    machine = machine_of(model_of((3, 2)))
    x = (torch.rand(98, 4, generator=generator_for("cpu", 0)) < 0.3).float()
    machine.initialise(x)
    torch.testing.assert_close(machine.biases[0].sigmoid(), (x.sum(0) + 1) / 100)
    torch.testing.assert_close(machine.get_buffer("offset"), x.mean(0))


def test_figure_is_said_to_be_a_bound() -> None:
    """The metric's name says so, and it is the mean bound, below the exact mean of log p(v)."""
    model = model_of((3, 2))
    machine = machine_of(model)
    layers, log_weights = joint(machine)
    data = machine.sample(200, generator=generator_for("cpu", 1))
    exact = float((log_sums(log_weights, layers[0])[number_of(data)] - log_weights.logsumexp(0)).mean().detach())
    split = Split("test", data)
    results = {result.name: result for result in part(LogLikelihood()).measure(model, split, train=split)}
    assert results["log_likelihood_bound"].value < exact
    bound = -float(machine.energy(data).mean().detach()) - float(log_weights.logsumexp(0).detach())
    assert results["log_likelihood_bound"].value == pytest.approx(bound, abs=1e-4)
    assert math.isfinite(results["log_z"].value)


def test_interrupted_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """The chains hold all even layers, are part of the checkpoint, and walk on from there."""
    spec = {
        "name": "dbm",
        "data": {"type": "data/digits", "binarise": "dynamic", "limit": 200},
        "model": {
            "encoder": "core/identity",
            "decoder": "core/identity",
            "prior": {"type": "energy/dbm", "hidden": [8, 5]},
            "loss": {"type": "energy/contrastive_divergence", "persistent": True, "chains": 20},
            "sampler": {"type": "energy/gibbs", "steps": 10, "thinning": 5},
        },
        "train": {"steps": 12, "batch_size": 16, "ema": 0.9, "log_every": 1, "threads": 1},
    }
    whole = train(spec, folder=tmp_path / "whole")
    train_interrupted(spec, tmp_path / "parts", (3, 8))
    again = resume(tmp_path / "parts")
    expected, found = checkpoint_tensors(tmp_path / "whole"), checkpoint_tensors(tmp_path / "parts")
    assert [name for name, tensor in expected.items() if not torch.equal(tensor, found[name])] == []
    assert found["model/loss.chains"].shape == (20, 64 + 5)
    assert torch.equal(whole.sample(4).x, again.sample(4).x)


def test_grey_data_are_no_bits() -> None:
    """Refused with what would do."""
    parts = {"loss": ContrastiveDivergence(), "sampler": Gibbs()}
    with pytest.raises(SpecError, match=r"layers of bits, found .*say energy/rbm, or binarise the data"):
        compose(ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), prior=Dbm(), **parts), Real((6,)))
