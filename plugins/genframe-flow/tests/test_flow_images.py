"""Flows of images: squeeze, checkerboard couplings, scales, RealNVP and Glow."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian

from genframe import Batch, Context, EncoderSpec, Mismatch, Model, ModelSpec, Real, SpecError, check, compose
from genframe.testing import part
from genframe_flow import (
    ActNorm,
    Affine,
    CheckerboardCoupling,
    Coupling,
    Glow,
    MultiScale,
    NormalisedLinear,
    RealNvp,
    Squeeze,
    convolutions,
)
from genframe_flow.multiscale import FIRST_ROWS
from genframe_nets import IsotropicDecoder

SMALL = IsotropicDecoder(channels=8)
RESIDUAL = IsotropicDecoder(channels=8, residual=True, zero=True)
FLOWS: list[Glow | RealNvp] = [
    Glow(network=SMALL, steps=2),
    Glow(network=SMALL, steps=2, scales=2),
    Glow(network=SMALL, steps=2, scales=2, learned_split=False, scale="tanh", memory="constant"),
    RealNvp(network=SMALL, scales=1),
    RealNvp(network=RESIDUAL, scales=2),
    RealNvp(network=SMALL, scales=2, checkerboards=2, channelwise=2, scale="sigmoid", memory="constant"),
]
NAMES = ["glow-1", "glow-2", "glow-plain", "realnvp-1", "realnvp-2", "realnvp-sigmoid"]
CONVOLUTIONS = convolutions(channels=8, zero=False)
IMAGE, DIGITS = Real((2, 4, 4)), Real((1, 8, 8))


def built(spec: EncoderSpec, data: Real, noise: float = 0.05) -> Any:
    """Return the encoder with noise on its weights, so that no layer is the identity."""
    encoder = part(spec, data=data)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(noise * torch.randn_like(parameter))
    return encoder


def model_of(spec: EncoderSpec, data: Real, sampler: Any = "core/ancestral") -> Model:
    """Return the flow as a model with a standard normal prior."""
    parts = {"encoder": spec, "decoder": "core/inverse", "loss": "core/nll", "sampler": sampler}
    return compose(ModelSpec.model_validate(parts), data)


def digits(rows: int) -> Tensor:
    """Return smooth images with a little noise."""
    wave = torch.linspace(0, 3, 8)
    phases = torch.rand(rows, 2, 1, 1) * 6
    return (torch.sin(wave[:, None] + phases[:, :1]) * torch.cos(wave + phases[:, 1:])) + 0.1 * torch.randn(rows, 1, 8, 8)


@pytest.mark.parametrize("spec", FLOWS, ids=NAMES)
@pytest.mark.parametrize("data", [IMAGE, Real((3, 8)), Real((1, 4, 4, 2))], ids=str)
def test_log_determinant(spec: Glow | RealNvp, data: Real) -> None:
    """In float64 the log-determinant is autograd's slogdet to 1e-9, on images, series and volumes."""
    if spec.scales == 2 and len(data.shape) == 4:
        data = Real((1, 4, 4, 4))
    encoder = built(spec, data).double()
    x = torch.randn(2, *data.shape, dtype=torch.float64)
    matrices: Tensor = jacobian(lambda values: encoder.encode(values).sum(0), x)
    matrices = matrices.flatten(2).transpose(0, 1)
    latent, log_det = encoder.forward_and_log_det(x)
    assert latent.shape == (2, data.dims)
    assert (log_det - torch.linalg.slogdet(matrices).logabsdet).abs().max() < 1e-9
    assert (encoder.inverse(latent) - x).abs().max() < 1e-9


@pytest.mark.parametrize("spec", FLOWS, ids=NAMES)
def test_inverse_after_training(spec: Glow | RealNvp) -> None:
    """In float32 the inverse leads back to 1e-5, at first and after 50 steps of training, which lower the loss."""
    model = model_of(spec, DIGITS)
    model.initialise(digits(64))
    assert _way_back(model) < 1e-5
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, fused=True)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = model.loss(model, Batch(digits(16))).total
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < sum(losses[:5])
    assert _way_back(model) < 1e-5


@torch.no_grad()
def _way_back(model: Model) -> float:
    x = digits(8)
    return float((model.decode(model.encode(x)) - x).abs().max())


@pytest.mark.parametrize("spec", FLOWS, ids=NAMES)
@pytest.mark.parametrize("data", [IMAGE, DIGITS], ids=str)
def test_levels(spec: Glow | RealNvp, data: Real) -> None:
    """The sizes of the levels add up to D; each level but the last has half of what the one before left."""
    sizes = spec.levels(data)
    assert sum(sizes) == data.dims
    assert len(sizes) == spec.scales
    flow = built(spec, data).flow
    assert isinstance(flow, MultiScale)
    assert flow.level_sizes == sizes


def test_three_levels() -> None:
    """Three scales of 8×8 leave 32, 16 and 16 values. Dinh et al. 2017, eq. 13 to 16."""
    assert Glow(scales=3).levels(DIGITS) == (32, 16, 16)
    assert RealNvp(scales=3).levels(DIGITS) == (32, 16, 16)


@pytest.mark.parametrize("spec", [FLOWS[1], FLOWS[4]], ids=["glow", "realnvp"])
def test_temperature_by_level(spec: Glow | RealNvp) -> None:
    """With temperature near 0 for the fine level, samples are those whose fine code is zero, and depend on the coarse one."""
    model = model_of(spec, IMAGE, {"type": "core/ancestral", "temperature": [1e-12, 1.0]})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        fine, _ = spec.levels(IMAGE)
        samples = model.sample(4).x
        codes = model.encode(samples)
        assert codes[:, :fine].abs().max() < 1e-5
        assert codes[:, fine:].std() > 0.5
        assert torch.allclose(model.decode(torch.cat((torch.zeros(4, fine), codes[:, fine:]), 1)), samples, atol=1e-5)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_squeeze(axes: int) -> None:
    """Blocks of 2^axes positions become channels, of which each half holds every channel; the inverse puts them back."""
    x = torch.arange(2 * 3 * 4**axes).reshape(2, 3, *(4,) * axes).float()
    squeeze = Squeeze(axes)
    y, log_det = squeeze(x)
    assert y.shape == (2, 3 * 2**axes, *(2,) * axes)
    assert torch.equal(squeeze.inverse(y), x)
    assert log_det == 0
    assert torch.equal(y[:, :3], x[(slice(None), slice(None), *(slice(0, None, 2),) * axes)])
    last = (slice(None), slice(None), *(slice(1, None, 2),) * axes)
    assert torch.equal(y[:, -3:], x[last])


def test_squeeze_holds_the_values_of_pixel_unshuffle() -> None:
    """In two dimensions it is torch's pixel_unshuffle, with positions before channels."""
    x = torch.randn(2, 3, 4, 6)
    peer = nn.functional.pixel_unshuffle(x, 2).unflatten(1, (3, 4)).transpose(1, 2).flatten(1, 2)
    assert torch.equal(Squeeze(2)(x)[0], peer)


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("shape", [(2, 6), (2, 4, 3), (1, 2, 3, 2)])
def test_checkerboard(shape: tuple[int, ...], flipped: bool) -> None:
    """Positions of one parity pass, the others change by what these say, and by themselves value by value only."""
    coupling = CheckerboardCoupling(Real(shape), Affine("tanh", 2.0), CONVOLUTIONS, flipped=flipped)
    x = torch.randn(1, *shape)
    grid = torch.cartesian_prod(*map(torch.arange, shape[1:])).reshape(-1, len(shape) - 1)
    passes = (grid.sum(1) % 2 == int(flipped)).repeat(shape[0])
    matrix: Tensor = jacobian(lambda values: coupling(values)[0], x)
    matrix = matrix.reshape(passes.numel(), passes.numel())
    assert torch.equal(matrix[passes], torch.eye(passes.numel())[passes])
    changed = matrix[~passes][:, ~passes]
    assert torch.equal(changed, torch.diag(changed.diagonal()))
    assert matrix[~passes][:, passes].abs().sum() > 0
    assert torch.allclose(coupling(x)[1], changed.diagonal().log().sum(), atol=1e-5)


def test_checkerboard_rebuild() -> None:
    """The step made again from its result has the same result and, through its leaves, the same gradients."""
    coupling = CheckerboardCoupling(IMAGE, Affine("tanh", 2.0), CONVOLUTIONS).double()
    x = torch.randn(3, *IMAGE.shape, dtype=torch.float64, requires_grad=True)
    y, log_det = coupling(x)
    (expected,) = torch.autograd.grad(y.pow(3).sum() + log_det.sum(), x)
    step = coupling.rebuild(y.detach())
    found = torch.autograd.grad(step.y.pow(3).sum() + step.log_det.sum(), step.leaves)
    assert torch.allclose(step.y, y)
    assert torch.allclose(step.log_det, log_det)
    assert torch.allclose(coupling.joined(step.leaves), x)
    assert torch.allclose(coupling.joined(found), expected)


@pytest.mark.parametrize("spec", FLOWS, ids=NAMES)
def test_memory_changes_no_gradient(spec: Glow | RealNvp) -> None:
    """With constant memory, gradients are the ordinary ones."""
    gradients = []
    for memory in ("ordinary", "constant"):
        torch.manual_seed(0)
        encoder = built(spec.model_copy(update={"memory": memory}), IMAGE).double()
        latent, log_det = encoder.forward_and_log_det(torch.randn(4, *IMAGE.shape, dtype=torch.float64))
        gradients.append(torch.autograd.grad(latent.square().sum() - log_det.sum(), list(encoder.parameters())))
    for ordinary, constant in zip(*gradients, strict=True):
        assert torch.allclose(ordinary, constant, rtol=1e-7, atol=1e-9)


def test_first_state() -> None:
    """Each actnorm of each scale takes its state from data, from no more rows than it needs, and keeps it in the state."""
    encoder = built(Glow(network=SMALL, steps=2, scales=2), DIGITS, noise=0)
    x = 3 + 2 * digits(FIRST_ROWS + 8)
    seen: list[Tensor] = []
    norms = [layer.norm for scale in encoder.flow.scales for layer in scale.layers if isinstance(layer, NormalisedLinear)]
    for norm in norms:
        norm.register_forward_hook(lambda *args: seen.append(args[-1][0]))
    encoder.initialise(x)
    assert len(seen) == 4
    assert {len(y) for y in seen} == {FIRST_ROWS}
    for y in seen:
        deviation, mean = torch.std_mean(y, (0, 2, 3), correction=0)
        assert torch.allclose(mean, torch.zeros_like(mean), atol=1e-4)
        assert torch.allclose(deviation, torch.ones_like(deviation), atol=1e-4)
    other = part(Glow(network=SMALL, steps=2, scales=2), data=DIGITS)
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(other.encode(x[:3]), encoder.encode(x[:3]))


def test_learned_split() -> None:
    """The half that leaves is normalised by what stays, which is unchanged; at first by nothing."""
    encoder = built(Glow(network=SMALL, steps=1, scales=2), IMAGE, noise=0)
    *_, split = encoder.flow.scales[0].layers
    assert isinstance(split, Coupling)
    x = torch.randn(2, 8, 2, 2)
    y, log_det = split(x)
    assert torch.equal(y, x)
    assert torch.equal(log_det, torch.zeros(2))
    nn.init.normal_(next(split.network.parameters()))
    y = split(x)[0]
    assert torch.equal(y[:, :4], x[:, :4])
    assert not torch.allclose(y[:, 4:], x[:, 4:], atol=0.1)
    plain = built(Glow(network=SMALL, steps=1, scales=2, learned_split=False), IMAGE)
    assert len(plain.flow.scales[0].layers) == len(encoder.flow.scales[0].layers) - 1


def test_layers_of_the_paper() -> None:
    """Each scale of RealNVP has 3 checkerboard and 3 channel-wise couplings, the last 4 of the former. Dinh et al. 2017."""
    flow = built(RealNvp(scales=2, network=SMALL), DIGITS).flow
    kinds = [[type(layer).__name__ for layer in scale.layers if not isinstance(layer, ActNorm)] for scale in flow.scales]
    assert kinds == [["CheckerboardCoupling"] * 3 + ["Squeeze"] + ["Coupling"] * 3, ["CheckerboardCoupling"] * 4]
    assert [layer.flipped for layer in flow.scales[0].layers if isinstance(layer, Coupling)] == [False, True, False]


@pytest.mark.parametrize(
    "spec", [Glow(network=SMALL, steps=1, scales=2), RealNvp(network=SMALL, scales=2)], ids=["glow", "realnvp"]
)
def test_reads_the_context(spec: Glow | RealNvp) -> None:
    """Another context gives another latent, and the inverse with the same context leads back."""
    encoder: Any = part(spec, data=IMAGE, context=Real((3,)))
    x, context = torch.randn(2, *IMAGE.shape), Context(torch.randn(2, 3))
    latent = encoder.encode(x, context)
    assert not torch.allclose(latent, encoder.encode(x, context.map(lambda tensor: tensor + 1)), atol=1e-3)
    assert torch.allclose(encoder.inverse(latent, context), x, atol=1e-5)


def test_glow_of_vectors() -> None:
    """Vectors have one scale, whose steps have a matrix and a coupling of halves."""
    spec = Glow(steps=2)
    encoder = built(spec, Real((5,))).double()
    x = torch.randn(3, 5, dtype=torch.float64)
    assert (encoder.inverse(encoder.encode(x)) - x).abs().max() < 1e-9
    assert spec.levels(Real((5,))) == (5,)
    with pytest.raises(Mismatch, match="one scale"):
        Glow(scales=2).latent_space(Real((5,)))


@pytest.mark.parametrize(
    ("spec", "data", "message", "hint"),
    [
        (Glow(), Real((3, 7, 8)), "1×", "multiples of 2$"),
        (Glow(scales=3), Real((3, 12, 8)), "3×", "multiples of 8, or set 'scales' to at most 2"),
        (RealNvp(scales=3), Real((3, 6, 6)), "2×", "multiples of 4, or set 'scales' to at most 2"),
        (RealNvp(scales=2), Real((3, 7, 7)), "1×", "at most 1"),
        (RealNvp(scales=2), Real((6,)), "spatial axes", "leave 'scales' out"),
    ],
)
def test_refused_grids(spec: EncoderSpec, data: Real, message: str, hint: str) -> None:
    """A grid that cannot be halved as often as the scales do is refused, with what would do, at the field."""
    parts = ModelSpec.model_validate({"encoder": spec, "decoder": "core/inverse", "loss": "core/nll"})
    with pytest.raises(SpecError, match=message) as caught:
        check(parts, data)
    problem = caught.value.problems[0]
    assert problem.path == "model.encoder.scales"
    assert re.search(hint, problem.hint)


@pytest.mark.parametrize("fields", [{"checkerboards": 2}, {"scales": 2, "order": "linear"}, {"scales": 2, "couplings": 4}])
def test_fields_of_the_other_form(fields: dict[str, Any]) -> None:
    """A field that the form with, or without, scales does not have is refused by name."""
    with pytest.raises(SpecError, match=next(reversed(fields))):
        RealNvp.model_validate(fields)
    RealNvp.model_validate(RealNvp(scales=fields.get("scales")).model_dump())


def test_a_network_that_leaves_the_grid_is_refused() -> None:
    """A network that cannot keep the grid is refused at its field."""
    with pytest.raises(Mismatch) as caught:
        RealNvp.model_validate({"scales": 2, "network": {"type": "nets/conv", "channels": [8]}}).latent_space(DIGITS)
    assert caught.value.path[0] == "network"


@pytest.mark.parametrize("spec", [FLOWS[1], FLOWS[4]], ids=["glow", "realnvp"])
def test_one_graph(spec: Glow | RealNvp) -> None:
    """In training, the loss is one graph for torch.compile, without a break."""
    model = model_of(spec, IMAGE)
    x = torch.randn(2, *IMAGE.shape)
    compiled = torch.compile(lambda values: model.loss(model, Batch(values)).total, fullgraph=True, backend="eager")
    assert torch.allclose(compiled(x), model.loss(model, Batch(x)).total, atol=1e-5)
