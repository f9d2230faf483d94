from __future__ import annotations

import copy
import itertools

import pytest
import torch

from genframe_nets.initialisation import zeroed
from genframe_nets.masked import MaskedLinear, MaskedPerceptron

ORDERS = {"as they are": None, "reversed": range(5, -1, -1), "shuffled": (3, 0, 5, 1, 4, 2)}


def built(inputs=6, hidden=(64, 48), seed=0, **fields):
    """Return a network of three outputs an input, no parameter of which is zero."""
    torch.manual_seed(seed)
    net = MaskedPerceptron(inputs, 3, hidden, **{"activation": "silu", **fields})
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net.double()


def dependencies(net, inputs, context_dims=0):
    """Return |d out / d in| summed over a batch, (P, D, inputs + context)."""
    torch.manual_seed(1)
    x = torch.randn(16, inputs + context_dims, dtype=torch.float64)

    def summed(v):
        return net(v[:, :inputs], v[:, inputs:] if context_dims else None)

    return torch.autograd.functional.jacobian(lambda v: summed(v).sum(0), x).abs().sum(2)


def before(order, inputs=6):
    """Return whether j comes before i, (i, j)."""
    sequence = list(range(inputs)) if order is None else list(order)
    return torch.tensor([[sequence.index(j) < sequence.index(i) for j in range(inputs)] for i in range(inputs)])


@pytest.mark.parametrize("fields", [{}, {"context_dims": 2}, {"hidden": (48, 48, 48), "residual": True}], ids=str)
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_outputs_depend_on_exactly_the_inputs_before(order, fields):
    """d out_i / d in_j is exactly zero unless j comes before i, and never where it does, for all outputs of i."""
    found = dependencies(built(order=order, **fields), 6, fields.get("context_dims", 0))
    for output in found[..., :6]:
        assert torch.equal(output != 0, before(order))


@pytest.mark.parametrize("hidden", [(1,), (2, 7), (5, 3), (40,)], ids=str)
@pytest.mark.parametrize("context_dims", [0, 2])
def test_narrow_networks_stay_autoregressive(hidden, context_dims):
    """With fewer units than inputs no output reads what it may not, and some dependencies are there."""
    found = dependencies(built(9, hidden, context_dims=context_dims), 9, context_dims)
    assert not found[..., :9][:, ~before(None, 9)].any()
    assert context_dims or found.any()


@pytest.mark.parametrize("inputs", [1, 2, 6])
@pytest.mark.parametrize("hidden", [(3,), (16, 16)])
def test_context_reaches_all_outputs(inputs, hidden):
    """Every output of every input, the first included, changes with every value of the context."""
    found = dependencies(built(inputs, hidden, context_dims=2), inputs, 2)
    assert bool((found[..., inputs:] != 0).all())


def test_a_single_input_has_free_outputs():
    """Of one input, the outputs are constants: no gradient, and the same for all data."""
    net = built(1, (4,))
    assert not dependencies(net, 1).any()
    out = net(torch.randn(5, 1, dtype=torch.float64))
    assert out.shape == (5, 3, 1)
    assert torch.equal(out, out[:1].expand(5, 3, 1))


def test_degrees_are_spread_evenly():
    """Each degree has as many units as another, give or take one; there is no randomness in it."""
    net = MaskedPerceptron(6, 1, (32,), "relu")
    counts = torch.bincount(net.first.mask.sum(1).long(), minlength=6)[1:]
    assert counts.tolist() == [7, 6, 7, 6, 6]
    assert torch.equal(net.first.mask, MaskedPerceptron(6, 1, (32,), "relu").first.mask)


@pytest.mark.parametrize("residual", [False, True])
def test_zero_starts_at_zero(residual):
    """With ``zero`` all outputs are zero at first; without they are not."""
    x = torch.randn(4, 5)
    assert not MaskedPerceptron(5, 2, (8, 8), "relu", residual=residual, zero=True)(x).any()
    assert MaskedPerceptron(5, 2, (8, 8), "relu", residual=residual)(x).any()


def test_signals_keep_unit_scale_whatever_is_masked():
    """Preactivations have a second moment of 1 in each hidden layer, those of low degree as well. He et al. 2015, eq. 7."""
    torch.manual_seed(0)
    net = MaskedPerceptron(50, 1, (490, 490), "relu")
    with torch.no_grad():
        first = net.first(torch.randn(2000, 50))
        second = net.hidden[0](first.relu())
    for preactivation in (first, second):
        lower, upper = preactivation.square().mean(0).chunk(2)
        assert float(lower.mean()) == pytest.approx(1.0, rel=0.25)
        assert float(upper.mean()) == pytest.approx(1.0, rel=0.25)


def test_residual_layers_start_as_the_identity():
    """Before training, more residual layers change nothing; afterwards they do."""
    x = torch.randn(4, 5)
    deep, shallow = (MaskedPerceptron(5, 2, (8,) * depth, "relu", residual=True) for depth in (4, 1))
    deep.first, deep.last = shallow.first, shallow.last
    assert torch.equal(deep(x), shallow(x))
    with torch.no_grad():
        deep.hidden[0].weight.add_(0.1)
    assert not torch.allclose(deep(x), shallow(x))


CHANGES = {
    "in place": lambda net: net.first.weight.add_(1.0),
    "loaded": lambda net: net.load_state_dict(zeroed(copy.deepcopy(net)).state_dict()),
    "replaced": lambda net: setattr(net.first, "weight", torch.nn.Parameter(net.first.weight + 1)),
    "behind autograd's back, then a mode set": lambda net: (net.first.weight.data.add_(1.0), net.eval()),
    "rounded": lambda net: net.half().double(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@torch.no_grad()
def test_a_kept_weight_follows_every_change(change):
    """Evaluation without gradients, which keeps masked weights, gives what training gives, before a change and after."""
    net, x = built().eval(), torch.randn(3, 6, dtype=torch.float64)
    for _ in range(2):
        before = net(x)
        with torch.enable_grad():
            assert torch.equal(before, net(x))
    change(net)
    after = net(x)
    with torch.enable_grad():
        assert torch.equal(after, net(x))
    assert not torch.equal(before, after)


@torch.no_grad()
def test_copies_keep_nothing_of_the_original():
    """A copy made while weights are kept, changed as often as the original was, computes by its own weights."""
    net, x = built().eval(), torch.randn(3, 6, dtype=torch.float64)
    before = net(x)
    other = copy.deepcopy(net)
    for _ in range(net.first.weight._version + 1):
        other.first.weight.add_(1.0)
        assert not torch.equal(other(x), before)
    assert torch.equal(net(x), before)


@torch.no_grad()
def test_weights_are_masked_once_while_they_stand_still():
    """Two evaluations use one masked weight, so that sampling does not mask again for each input."""
    layer = MaskedLinear(torch.ones(2, 3).tril(), None).eval()
    assert layer._masked() is layer._masked()
    layer.train()
    assert layer._masked() is not layer._masked()


def test_masks_are_no_state():
    """The state holds weights and biases only."""
    keys = built(context_dims=2).state_dict()
    assert all(key.endswith(("weight", "bias")) for key in keys)


@pytest.mark.parametrize(("hidden", "residual"), [((), False), ((8, 7), True)])
def test_sizes_that_do_not_fit_are_refused(hidden, residual):
    """No hidden layer, or residual layers of unequal size, are refused."""
    with pytest.raises(ValueError, match="expected sizes of hidden layers"):
        MaskedPerceptron(3, 1, hidden, "relu", residual=residual)


@pytest.mark.parametrize("order", [(0, 1), (0, 1, 1), (1, 2, 3)], ids=str)
def test_an_order_that_is_no_permutation_is_refused(order):
    """An order names each input once."""
    with pytest.raises(ValueError, match="expected a permutation of 0 to 2 as order"):
        MaskedPerceptron(3, 1, (8,), "relu", order=order)


def test_it_compiles_without_a_break():
    """One graph, with the same result, with gradients and without."""
    torch.manual_seed(0)
    net = MaskedPerceptron(6, 3, (16, 16), "relu", context_dims=2)
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    x, c = torch.randn(4, 6), torch.randn(4, 2)
    torch.testing.assert_close(compiled(x, c), net(x, c))
    with torch.no_grad():
        net.eval()
        torch.testing.assert_close(compiled(x, c), net(x, c))


def test_probabilities_of_all_bits_sum_to_one():
    """As a model of 4 bits, the probabilities of the 16 vectors sum to 1. Germain et al. 2015, eq. 5."""
    net = MaskedPerceptron(4, 1, (16,), "silu", order=(2, 0, 3, 1)).double()
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)), dtype=torch.float64)
    with torch.no_grad():
        log_prob = -torch.nn.functional.binary_cross_entropy_with_logits(net(x)[:, 0], x, reduction="none").sum(1)
    assert float(log_prob.exp().sum()) == pytest.approx(1.0, abs=1e-12)
