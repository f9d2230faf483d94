"""What all networks that read a time have in common."""

from __future__ import annotations

import math

import pytest
import torch

from genframe import Categorical, Context, ContextSpace, Mismatch, Real, SpecError, ask
from genframe.testing import part
from genframe.types import Conditional, TimeConditioned
from genframe_nets import DiT, MLPDecoder, UNet
from genframe_nets.time_embedding import frequencies, sinusoids

VECTOR, TOKENS = ContextSpace(Real((3,))), ContextSpace(sequence=Real((4, 6)))
BOTH = ContextSpace(Real((3,)), Real((4, 6)))
CONTEXTS = {"plain": None, "one value": ContextSpace(Real(())), "vector": VECTOR, "tokens": TOKENS, "both": BOTH}
UNETS = {
    "unet": UNet(channels=(8, 12), blocks=1, attention=(1,)),
    "unet deep": UNet(channels=(4, 8, 8, 4), attention=(0, 2), heads=2, activation="relu", dropout=0.1),
}
DITS = {"dit": DiT(dim=16, depth=2), "dit of points": DiT(patch=1, dim=20, depth=1, heads=2, mlp_ratio=2)}
GRIDS = {**UNETS, **DITS}
MLPS = {
    "mlp": MLPDecoder(hidden=(16, 8), time=True),
    "mlp norm": MLPDecoder(hidden=(16,), time=True, norm="layer", dropout=0.1),
}
ALL = {**GRIDS, **MLPS}
ON_GRIDS = [(spec, context) for spec in GRIDS.values() for context in (VECTOR, TOKENS, BOTH)]


def built(spec, latent, data=None, context=None, *, shaken=True):
    """Return the network in evaluation mode, by default with every parameter away from its start."""
    data = latent if data is None else data
    spec.accepts(latent, data, context)
    torch.manual_seed(0)
    net = part(spec, data=data, latent=latent, context=context).eval()
    with torch.no_grad():
        for parameter in net.parameters() if shaken else ():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


def draw(space, n=3, seed=0):
    """Return ``n`` normal draws of the space's shape, a context of them for a context's, ``None`` where there is no space."""
    if isinstance(space, ContextSpace):
        return Context(draw(space.vector, n, seed), draw(space.sequence, n, seed))
    return None if space is None else torch.randn(n, *space.shape, generator=torch.Generator().manual_seed(seed))


def at_time(net, x, time, context=None):
    """Return the output of a network at a time."""
    return ask(net, x, context, time=time)


def at(*times):
    """Return a batch of times."""
    return torch.tensor(times, dtype=torch.float32)


@pytest.mark.parametrize("time", [0.0, 0.5, 37.0, 1000.0, -1553.6])
def test_sinusoids_are_the_closed_form(time):
    """Entry i is the sine, entry i + dims / 2 the cosine, of t / 10000^(2i / dims); times may be negative."""
    (found,) = sinusoids(at(time), frequencies(8)).tolist()
    angles = [at(time).item() / 10_000 ** (2 * i / 8) for i in range(4)]
    assert found == pytest.approx([*map(math.sin, angles), *map(math.cos, angles)], abs=2e-4)


@pytest.mark.parametrize("axes", [(8,), (6, 4), (28, 28), (2, 4, 6)], ids=str)
@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
@pytest.mark.parametrize("spec", GRIDS.values(), ids=GRIDS)
def test_the_grid_is_kept(spec, context, axes):
    """Outputs have the input's axes and the data's channels, for one to three axes and every context."""
    net = built(spec, Real((3, *axes)), Real((2, *axes)), context)
    out = at_time(net, torch.randn(2, 3, *axes), at(3.0, 700.0), draw(context, 2))
    assert out.shape == (2, 2, *axes)
    assert out.dtype == torch.float32


@pytest.mark.parametrize("spec", ALL.values(), ids=ALL)
def test_decoding_is_the_output_at_time_zero(spec):
    """Without a time and with a time of 0 it gives the same; bounded data stay in their bounds."""
    space = Real((2, 4, 4))
    net, x = built(spec, space, context=VECTOR), draw(space)
    assert torch.equal(net.decode(x, draw(VECTOR)), at_time(net, x, at(0, 0, 0), draw(VECTOR)))
    bounded = built(spec, space, Real((2, 4, 4), -1.0, 3.0)).decode(50 * x)
    assert -1 <= bounded.min() < bounded.max() <= 3


@pytest.mark.parametrize("spec", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
def test_outputs_start_at_zero(spec, context):
    """U-Net and transformer give exactly zero at first, and the middle of bounded data."""
    space = Real((2, 4, 4))
    net = built(spec, space, context=context, shaken=False)
    assert not at_time(net, draw(space), at(1, 2, 3), draw(context)).any()
    bounded = built(spec, space, Real((1, 4, 4), -1.0, 3.0), context, shaken=False)
    assert torch.equal(bounded.decode(draw(space), draw(context)), torch.ones(3, 1, 4, 4))


@pytest.mark.parametrize("spec", ALL.values(), ids=ALL)
@pytest.mark.parametrize(("one", "other"), [(0, 1), (400, 401), (999, 1000), (-5, 5)])
def test_the_time_matters(spec, one, other):
    """Two times give two outputs, anywhere on the scale, and each example has its own time."""
    space = Real((2, 4, 4))
    net, x = built(spec, space), draw(space).double()
    net.double()
    run = lambda *times: at_time(net, x, at(*times).double())  # noqa: E731
    both = run(one, other, one)
    assert (run(one, one, one) - run(other, other, other)).abs().max() > 1e-4
    torch.testing.assert_close(both[1], run(other, other, other)[1])
    torch.testing.assert_close(both[2], run(one, one, one)[2])


@pytest.mark.parametrize(
    ("spec", "context"), [*ON_GRIDS, *((spec, None) for spec in (*GRIDS.values(), MLPS["mlp"])), (MLPS["mlp"], VECTOR)]
)
def test_gradients_are_those_of_differences(spec, context):
    """Gradients, of input and parameters, equal a finite difference along a random direction."""
    smooth = spec.model_copy(update={"activation": "elu"}) if "activation" in type(spec).model_fields else spec
    net = built(smooth, Real((2, 4)), Real((1, 4)), context).double()
    c = None if context is None else draw(context).map(torch.Tensor.double)
    x = draw(Real((2, 4))).double().requires_grad_()
    run = lambda: (at_time(net, x, at(3, 500, 1000).double(), c) * draw(Real((1, 4)), seed=7)).sum()  # noqa: E731
    tensors = [x, *net.parameters()]
    directions = [torch.randn_like(tensor) for tensor in tensors]
    gradients = torch.autograd.grad(run(), tensors)
    slope = sum((gradient * direction).sum() for gradient, direction in zip(gradients, directions, strict=True))
    ends = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            torch._foreach_add_(tensors, directions, alpha=step)
            ends.append(run())
    torch.testing.assert_close((ends[0] - ends[1]) / 2e-6, slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["unet", "dit", "mlp"])
def test_it_compiles_without_a_break(name):
    """One graph with the same result, with a context."""
    torch.compiler.reset()
    spec, space = ALL[name], Real((2, 4, 4))
    context = VECTOR if name == "mlp" else TOKENS
    net, x, c = built(spec, space, context=context), draw(space), draw(context)
    named = {"context": c.vector} if name == "mlp" else {"sequence": c.sequence, "mask": torch.rand(3, 4) < 2}
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, **named, time=at(1, 2, 3)), at_time(net, x, at(1, 2, 3), c))


@pytest.mark.parametrize("spec", ALL.values(), ids=ALL)
def test_autocast_changes_no_more_than_its_precision(spec):
    """In bfloat16, of 8 bits, outputs are within 3 % of those in float32."""
    space = Real((2, 4, 4))
    context = VECTOR if spec in MLPS.values() else TOKENS
    net, x, c = built(spec, space, context=context), draw(space), draw(context)
    exact = at_time(net, x, at(1, 200, 1000), c)
    with torch.autocast("cpu", torch.bfloat16):
        rough = at_time(net, x, at(1, 200, 1000), c)
    assert 0 < (rough - exact).norm() / exact.norm() < 0.03


@pytest.mark.parametrize("spec", ALL.values(), ids=ALL)
def test_channels_last_is_the_same_network(spec):
    """In another memory format results are the same, and so are those of a batch of none."""
    space = Real((2, 4, 4))
    net, x = built(spec, space), draw(space)
    kept = at_time(net, x, at(1, 2, 3))
    net.to(memory_format=torch.channels_last)
    torch.testing.assert_close(at_time(net, x.to(memory_format=torch.channels_last), at(1, 2, 3)), kept)
    assert net.decode(x[:0]).shape == (0, 2, 4, 4)


@pytest.mark.parametrize("spec", ALL.values(), ids=ALL)
def test_wrong_inputs_are_named(spec):
    """An input on another grid, and a context that is missing, are refused by what is expected."""
    space = Real((2, 4, 4))
    with pytest.raises(ValueError, match=r"expected \(B, 2, 4, 4\), found \(3, 2, 4, 5\)"):
        built(spec, space).decode(torch.zeros(3, 2, 4, 5))
    with pytest.raises(ValueError, match="built to read a context of 3 values, found none"):
        built(spec, space, context=VECTOR).decode(draw(space))


@pytest.mark.parametrize("spec", GRIDS.values(), ids=GRIDS)
def test_missing_tokens_are_named(spec):
    """A network that was built to read tokens says so when there are none."""
    space = Real((2, 4, 4))
    with pytest.raises(ValueError, match="built to read a context of tokens of 6 values, found none"):
        built(spec, space, context=TOKENS).decode(draw(space))


def mismatch(action, *arguments):
    """Return the text of the Mismatch that ``action`` raises, with its hint."""
    with pytest.raises(Mismatch) as caught:
        action(*arguments)
    return str(caught.value.problem)


@pytest.mark.parametrize("spec", [UNet(), DiT()], ids=lambda spec: spec.type)
def test_other_grids_are_refused(spec):
    """A latent on another grid, and data without a grid, are refused with the network that takes any shape."""
    hint = "use {type: nets/mlp, time: true}, which takes any shape"
    assert mismatch(spec.accepts, Real((4, 14, 14)), Real((1, 28, 28))) == (
        f"{spec.type} keeps the grid: for data of 28×28 it reads features of 28×28, found Real(4×14×14); {hint}"
    )
    for shape in ((6,), (2, 2, 2, 2, 2)):
        assert mismatch(spec.accepts, Real(shape), Real(shape)) == (
            f"{spec.type} needs channels and 1 to 3 spatial axes, found {Real(shape)}; {hint}"
        )
    MLPDecoder(time=True).accepts(Real((4, 14, 14)), Real((1, 28, 28)))


@pytest.mark.parametrize("spec", [UNet(), DiT()], ids=lambda spec: spec.type)
def test_contexts_that_cannot_be_read_are_refused(spec):
    """Classes are refused. A context of three axes is a vector, and flattened."""
    space = Real((1, 8, 8))
    with pytest.raises(Mismatch, match="a context needs real values"):
        part(spec, data=space, latent=space, context=Categorical((), 10))
    assert part(spec, data=space, latent=space, context=Real((2, 3, 4))).embedding.context_dims == 24


def test_a_perceptron_reads_a_time_only_if_told():
    """Without ``time`` it has neither the trait nor the argument nor any layer for it."""
    plain, timed = MLPDecoder(hidden=(8,)), MLPDecoder(hidden=(8,), time=True)
    assert plain.provides == {Conditional}
    assert timed.provides == {Conditional, TimeConditioned}
    nets = [built(spec, Real((2,)), shaken=False) for spec in (plain, timed)]
    assert nets[1](torch.zeros(1, 2), time=at(1)).shape == (1, 2)
    with pytest.raises(TypeError, match="unexpected keyword argument 'time'"):
        nets[0](torch.zeros(1, 2), time=at(1))
    assert [name for name, _ in nets[0].named_parameters()] == [
        f"layers.{i}.{name}" for i in (0, 2) for name in ("weight", "bias")
    ]


def test_a_perceptron_can_start_at_zero_and_yet_read_the_time():
    """With ``zero`` it gives zero at first; without, the time matters from the start."""
    x = draw(Real((2,)))
    zero = built(MLPDecoder(time=True, zero=True), Real((2,)), shaken=False)
    assert not at_time(zero, x, at(1, 2, 3)).any()
    free = built(MLPDecoder(time=True), Real((2,)), shaken=False)
    assert (at_time(free, x, at(1, 1, 1)) - at_time(free, x, at(900, 900, 900))).abs().min() > 1e-4


def test_a_time_without_hidden_layers_is_refused():
    """A linear map has no layer into which the time could enter."""
    with pytest.raises(SpecError, match="a time enters hidden layers and there is none: give sizes in 'hidden'"):
        MLPDecoder(hidden=(), time=True)
