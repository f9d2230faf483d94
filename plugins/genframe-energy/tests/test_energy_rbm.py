"""The restricted Boltzmann machine against enumeration on tiny machines."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Batch, Categorical, Model, ModelSpec, Real, Space, compose, generator_for
from genframe.core import IdentityDecoder, IdentityEncoder
from genframe.testing.drawing import every_value
from genframe_energy import ContrastiveDivergence, Rbm
from genframe_energy.rbm import RestrictedBoltzmannMachine

BITS, CLASSES, REALS = Real((5,), 0, 1, levels=2), Categorical((3,), 4), Real((2,))
HIDDEN = every_value(Real((4,), 0, 1, levels=2))
assert HIDDEN is not None


def model_of(space: Space, loss: ContrastiveDivergence | None = None, variance: str = "unit") -> Model:
    """Return a machine with four hidden units and sizeable random parameters."""
    prior = Rbm.model_validate({"hidden": 4, "variance": variance, "sweeps": 60})
    spec = ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), prior=prior, loss=loss or ContrastiveDivergence())
    model = compose(spec, space)
    generator = generator_for("cpu", 5)
    with torch.no_grad():
        for parameter in model.part_parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator))
    return model


def machine_of(model: Model) -> RestrictedBoltzmannMachine:
    """Return the model's machine."""
    assert isinstance(model.prior, RestrictedBoltzmannMachine)
    return model.prior


def joint_energy(machine: RestrictedBoltzmannMachine, code: Tensor) -> Tensor:
    """Return E(v, h) = -b v - c h - v W h of every state of the hidden units, as the papers write it: (B, 16)."""
    h = HIDDEN
    v = F.one_hot(code, machine.space.size).float().flatten(1) if isinstance(machine.space, Categorical) else code.flatten(1)
    alone, drive = -(v @ machine.visible_bias), v
    if machine.space == REALS:
        variance = getattr(machine.units, "log_variance", None)
        variance = torch.ones(2) if variance is None else variance.exp()
        alone, drive = ((v - machine.visible_bias).square() / (2 * variance)).sum(1), v / variance
    return alone[:, None] - h @ machine.hidden_bias - drive @ machine.weight @ h.T


@pytest.mark.parametrize(("space", "variance"), [(BITS, "unit"), (CLASSES, "unit"), (REALS, "unit"), (REALS, "learned")])
def test_energy_is_the_joint_energy_summed_over_hidden_units(space: Space, variance: str) -> None:
    """F(v) = -log sum_h exp(-E(v, h)), and p(h = 1 | v) is that of the joint distribution."""
    machine = machine_of(model_of(space, variance=variance))
    values = every_value(space)
    code = values if values is not None else torch.randn(20, 2)
    joint = joint_energy(machine, code)
    torch.testing.assert_close(machine.energy(code), -(-joint).logsumexp(1))
    torch.testing.assert_close(machine.hidden_mean(code), (-joint).softmax(1) @ HIDDEN)


def kernel(machine: RestrictedBoltzmannMachine, codes: Tensor) -> Tensor:
    """Return the exact probability of each transition between codes, by enumeration: (N, N)."""
    joint = joint_energy(machine, codes)  # (N, 16)
    hidden_given_visible, visible_given_hidden = (-joint).softmax(1), (-joint).softmax(0)
    return hidden_given_visible @ visible_given_hidden.T


@pytest.mark.parametrize("space", [BITS, CLASSES])
def test_transition_is_that_of_the_joint_distribution(space: Space) -> None:
    """A sweep's transition probabilities are sum_h p(h|v) p(v'|h), within sampling error, from each of several codes."""
    machine, codes = machine_of(model_of(space)), every_value(space)
    assert codes is not None
    expected, n = kernel(machine, codes), 20_000
    for row in (0, 7, len(codes) - 1):
        after = machine.transition(codes[row].expand(n, *space.shape), None, generator_for("cpu", row))
        places = (after[:, None] == codes).flatten(2).all(2).float().argmax(1)
        found = torch.bincount(places, minlength=len(codes)) / n
        error = (expected[row] * (1 - expected[row]) / n).sqrt()
        assert bool(((found - expected[row]).abs() <= 4.5 * error + 1e-4).all())


def test_gaussian_units_given_hidden_ones_are_normal() -> None:
    """From any code, a sweep gives the mixture over h of N(b + W h, variance): its mean and variance are exact."""
    model = model_of(REALS, variance="learned")
    machine, n = machine_of(model), 40_000
    start = torch.tensor([[0.5, -1.0]])
    share = (-joint_energy(machine, start)).softmax(1)[0]
    means = machine.visible_bias + HIDDEN @ machine.weight.T
    mean = share @ means
    variance = share @ (means - mean).square() + machine.units.log_variance.exp()  # type: ignore[union-attr]
    drawn = machine.transition(start.expand(n, 2), None, generator_for("cpu", 0))
    assert bool(((drawn.mean(0) - mean).abs() < 5 * (variance / n).sqrt()).all())
    assert bool(((drawn.var(0) / variance - 1).abs() < 0.05).all())


def test_samples_have_the_probabilities_of_the_energy() -> None:
    """Draws after the spec's sweeps have p(v) = exp(-F(v)) / Z."""
    machine, codes = machine_of(model_of(BITS)), every_value(BITS)
    assert codes is not None
    expected = (-machine.energy(codes)).softmax(0)
    drawn = machine.sample(20_000, generator=generator_for("cpu", 1))
    found = torch.bincount((drawn @ 2.0 ** torch.arange(5)).long(), minlength=32) / len(drawn)
    order = (codes @ 2.0 ** torch.arange(5)).long()
    error = (expected * (1 - expected) / len(drawn)).sqrt()
    assert bool(((found[order] - expected).abs() <= 4.5 * error + 1e-4).all())


def gradients(model: Model, x: Tensor, repeats: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the mean gradient of the loss in each parameter of the machine."""
    model.zero_grad()
    torch.manual_seed(0)
    for _ in range(repeats):
        (model.loss(model, Batch(x)).total / repeats).backward()
    for name, parameter in model.prior.named_parameters():
        assert parameter.grad is not None
        yield name, parameter.grad


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("space", [BITS, CLASSES])
def test_gradient_is_contrastive_divergence(space: Space, k: int) -> None:
    """In the mean it is dF/d(theta) over data minus that over the distribution after exactly k sweeps. Hinton 2002, eq. 5."""
    model, codes = model_of(space, ContrastiveDivergence(k=k)), every_value(space)
    machine = machine_of(model)
    assert codes is not None
    x = codes[torch.tensor([0, 3, 3, 9])]
    with torch.no_grad():
        places = (x[:, None] == codes).flatten(2).all(2).float()
        after = (places @ torch.linalg.matrix_power(kernel(machine, codes), k)).mean(0)
    machine.zero_grad()
    (machine.energy(x).mean() - (after * machine.energy(codes)).sum()).backward()
    expected = {name: parameter.grad.clone() for name, parameter in machine.named_parameters() if parameter.grad is not None}
    for name, found in gradients(model, x.repeat(500, *[1] * (x.dim() - 1)), 20):
        assert float((found - expected[name]).abs().max()) < 0.015, name
        assert float(expected[name].abs().max()) > 0.05, name


def test_persistent_chains_give_the_gradient_of_the_likelihood() -> None:
    """With enough sweeps, PCD's mean gradient is that of -log p: dF/d(theta) over data minus that under the model."""
    model = model_of(BITS, ContrastiveDivergence(k=30, persistent=True, chains=20_000)).train()
    machine, codes = machine_of(model), every_value(BITS)
    assert codes is not None
    x = codes[:3]
    machine.zero_grad()
    (machine.energy(x).mean() + (-machine.energy(codes)).logsumexp(0)).backward()
    expected = {name: parameter.grad.clone() for name, parameter in machine.named_parameters() if parameter.grad is not None}
    for name, found in gradients(model, x, 2):
        assert float((found - expected[name]).abs().max()) < 0.015, name


def test_persistent_chains_move_in_training_only() -> None:
    """A step of training leaves the chains where they went; validation leaves them as they were."""
    model = model_of(BITS, ContrastiveDivergence(persistent=True, chains=50)).eval()
    before = model.loss.get_buffer("chains").clone()
    model.loss(model, Batch(torch.ones(4, 5)))
    assert torch.equal(model.loss.get_buffer("chains"), before)
    model.train().loss(model, Batch(torch.ones(4, 5)))
    assert not torch.equal(model.loss.get_buffer("chains"), before)


def test_weight_decay_leaves_biases_alone() -> None:
    """The gradient that weight decay adds is weight_decay * W, and nothing on the biases."""
    plain, decayed = (
        dict(gradients(model_of(BITS, ContrastiveDivergence(weight_decay=d)), torch.ones(4, 5), 1)) for d in (0.0, 0.3)
    )
    added = {name: decayed[name] - plain[name] for name in plain}
    torch.testing.assert_close(added.pop("weight"), 0.3 * machine_of(model_of(BITS)).weight.detach())
    assert all(float(each.abs().max()) < 1e-6 for each in added.values())


def test_sparsity_pulls_mean_activities_to_their_target() -> None:
    """Under a strong penalty the hidden units of random bits come to be active as often as the target says."""
    loss = ContrastiveDivergence(sparsity_cost=50.0, sparsity_target=0.1)
    model = model_of(BITS, loss).train()
    x = torch.randint(2, (200, 5), generator=generator_for("cpu", 2)).float()
    optimizer = torch.optim.SGD(model.prior.parameters(), lr=0.05)
    torch.manual_seed(0)
    for _ in range(150):
        optimizer.zero_grad()
        model.loss(model, Batch(x)).total.backward()
        optimizer.step()
    active = machine_of(model).hidden_mean(x).mean(0)
    assert bool(((active - 0.1).abs() < 0.03).all())


def test_first_biases_are_those_of_the_data() -> None:
    """Before the first step, each visible unit has the log-odds of its mean, with a datum more of either value."""
    model = model_of(BITS)
    x = torch.zeros(98, 5)
    x[:48, 1] = 1.0
    model.initialise(x, roles=("prior",))
    bias = machine_of(model).visible_bias.detach()
    torch.testing.assert_close(bias[:2], torch.tensor([math.log(1 / 99), math.log(49 / 51)]))


def centred_machine(space: Space, variance: str = "unit") -> RestrictedBoltzmannMachine:
    """Return a centred machine with random parameters and offsets."""
    model = compose(
        ModelSpec(
            encoder=IdentityEncoder(),
            decoder=IdentityDecoder(),
            prior=Rbm.model_validate({"hidden": 4, "centred": True, "variance": variance}),
            loss=ContrastiveDivergence(),
        ),
        space,
    )
    machine, generator = machine_of(model), generator_for("cpu", 5)
    with torch.no_grad():
        for tensor in (*machine.parameters(), machine.get_buffer("offset")):
            tensor.copy_(0.7 * torch.randn(tensor.shape, generator=generator))
    return machine


@pytest.mark.parametrize(("space", "variance"), [(BITS, "unit"), (CLASSES, "unit"), (REALS, "unit"), (REALS, "learned")])
def test_centred_machine_is_a_machine_with_other_biases(space: Space, variance: str) -> None:
    """With the biases that it says, a plain machine has the same energies, hidden means and transitions."""
    centred, plain = centred_machine(space, variance), machine_of(model_of(space, variance=variance))
    with torch.no_grad():
        plain.weight.copy_(centred.weight)
        plain.visible_bias.copy_(centred.visible)
        plain.hidden_bias.copy_(centred.hidden)
        plain.units.load_state_dict(centred.units.state_dict())
    values = every_value(space)
    code = values if values is not None else torch.randn(20, 2)
    torch.testing.assert_close(centred.energy(code), plain.energy(code))
    torch.testing.assert_close(centred.hidden_mean(code), plain.hidden_mean(code))
    after = [machine.transition(code, None, generator_for("cpu", 1)) for machine in (centred, plain)]
    torch.testing.assert_close(after[0], after[1])
    assert centred.annealing_path(code).log_z() == pytest.approx(plain.annealing_path(code).log_z(), abs=1e-5)


def test_centred_gradient_is_of_units_less_their_offsets() -> None:
    """The weights' gradient is <(v - mu)(h - 1/2)> of chains less that of data. Montavon & Müller 2012, sec. 2."""
    machine = centred_machine(BITS)
    data, chains = (torch.rand(9, 5, generator=generator_for("cpu", seed)).round() for seed in (0, 1))
    (machine.energy(data).mean() - machine.energy(chains).mean()).backward()

    def correlation(v: Tensor) -> Tensor:
        return (v - machine.get_buffer("offset")).T @ (machine.hidden_mean(v) - 0.5) / len(v)

    assert machine.weight.grad is not None
    torch.testing.assert_close(machine.weight.grad, correlation(chains) - correlation(data))


def test_offset_is_the_mean_of_the_data() -> None:
    """The first state of a centred machine has the data's mean as offset, and the same marginals as one that is not."""
    machine = centred_machine(BITS)
    data = (torch.rand(50, 5, generator=generator_for("cpu", 3)) < 0.3).float()
    machine.initialise(data)
    torch.testing.assert_close(machine.get_buffer("offset"), data.mean(0))
    torch.testing.assert_close(machine.visible_bias.sigmoid(), (data.sum(0) + 1) / 52)


def test_bfloat16_products_keep_energies_and_noise_in_float32() -> None:
    """Under autocast only matrix products are shorter: energies stay near, and rare bits are drawn as often as they should."""
    model = model_of(BITS)
    machine = machine_of(model)
    x = torch.randint(2, (50, 5), generator=generator_for("cpu", 3)).float()
    with torch.autocast("cpu", torch.bfloat16):
        energy = machine.energy(x)
    assert energy.dtype == torch.float32
    torch.testing.assert_close(energy, machine.energy(x), rtol=0.0, atol=0.05)
    with torch.no_grad():
        machine.weight.zero_()
        machine.visible_bias.fill_(-7.0)  # a bit in a thousand, where bfloat16 noise would have steps of four
    with torch.autocast("cpu", torch.bfloat16):
        drawn = machine.transition(torch.zeros(100_000, 5), None, generator_for("cpu", 1))
    assert float(drawn.mean()) == pytest.approx(1 / (1 + math.exp(7)), rel=0.2)
