"""Quantisers: what they choose, what gradient passes, how codebooks learn."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from genframe_vq import Codebook, Learning, ScalarQuantiser, SignQuantiser, VectorQuantiser
from genframe_vq.codebook import k_means
from genframe_vq.gradients import rotation, straight_through


def rows(n: int, dim: int, seed: int = 0) -> Tensor:
    """Return random rows."""
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def codebook(dim: int = 4, *, size: int = 6, cosine: bool = False, **learning: Any) -> Codebook:
    """Return a codebook."""
    torch.manual_seed(0)
    return Codebook(size, dim, cosine=cosine, learning=Learning(**{"revive": None, **learning}))


def product(*, size: int = 16, dim: int = 4, rule: Any = "ema", **choices: Any) -> VectorQuantiser:
    """Return a quantiser of several codebooks."""
    torch.manual_seed(0)
    return VectorQuantiser(size, dim, learning=Learning(rule, revive=None), **choices)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_moving_averages_are_the_peers(distance: str) -> None:
    """Ten steps of the codebook are those of vector-quantize-pytorch, to 1e-6, indices and vectors alike."""
    peer_module = pytest.importorskip("vector_quantize_pytorch")
    cosine = distance == "cosine"
    ours = codebook(cosine=cosine, decay=0.9)
    peer = peer_module.VectorQuantize(4, 6, decay=0.9, threshold_ema_dead_code=0, use_cosine_sim=cosine, rotation_trick=False)
    peer._codebook.embed.copy_(ours.vectors[None])
    peer._codebook.embed_avg.copy_(ours.sums[None])
    for step in range(10):
        batch = rows(50, 4, step) + 0.3
        near = torch.nn.functional.normalize(batch, dim=1) if cosine else batch
        indices = ours.nearest(near)
        ours.learn(near, indices)
        _, theirs, _ = peer.train()(batch[None])
        assert torch.equal(indices, theirs[0])
        assert torch.allclose(ours.vectors, peer._codebook.embed[0], atol=1e-6, rtol=0)


def test_a_moving_average_by_hand() -> None:
    """Counts and sums decay towards the batch's; a vector is their ratio. van den Oord et al. 2017, eqs. 6-8."""
    book = codebook(dim=1, size=2, decay=0.9)
    book.restart(torch.tensor([True, True]), torch.tensor([[0.0], [10.0]]))
    batch = torch.tensor([[1.0], [2.0], [3.0]])
    book.learn(batch, book.nearest(batch))
    assert torch.allclose(book.counts, torch.tensor([0.9 + 0.3, 0.9]))
    assert torch.allclose(book.weight[:, 0], torch.tensor([0.6 / 1.2, 10.0]), rtol=2e-5)  # Laplace's smoothing moves by 1e-5


def test_straight_through_is_the_identity() -> None:
    """The value is the codebook's to the last bit, the gradient that of the vectors as it is."""
    features = torch.tensor([[1e-8, 2.0], [3.0, -1.0]], requires_grad=True)
    vectors = torch.tensor([[1.0, 1e7], [0.0, 0.1]])
    out = straight_through(features, vectors)
    assert torch.equal(out, vectors)
    out.backward(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert torch.equal(features.grad, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))


def test_rotation_turns_gradients_with_the_vector() -> None:
    """From (2, 0) to (0, 3) it is a quarter turn and 3/2: a vector's gradient (a, b) is the feature's 3/2 (b, -a)."""
    features = torch.tensor([[2.0, 0.0]], requires_grad=True)
    vectors = torch.tensor([[0.0, 3.0]])
    out = rotation(features, vectors)
    assert torch.equal(out, vectors)
    out.backward(torch.tensor([[5.0, 7.0]]))
    assert torch.allclose(features.grad, 1.5 * torch.tensor([[7.0, -5.0]]), atol=1e-6)


def test_rotation_keeps_angles() -> None:
    """The angle between gradient and feature is that between gradient and vector; lengths are as |q| to |e|."""
    features, vectors, gradient = rows(20, 5).requires_grad_(), rows(20, 5, 1), rows(20, 5, 2)
    rotation(features, vectors).backward(gradient)
    cosine = torch.nn.functional.cosine_similarity
    assert torch.allclose(cosine(features.grad, features), cosine(gradient, vectors), atol=1e-5)
    scale = vectors.norm(dim=1) / features.detach().norm(dim=1)
    assert torch.allclose(features.grad.norm(dim=1), scale * gradient.norm(dim=1), rtol=1e-5)


def test_rotation_is_the_peers() -> None:
    """The gradient is that of vector-quantize-pytorch's rotation trick."""
    peer = pytest.importorskip("vector_quantize_pytorch.vector_quantize_pytorch")
    grads = []
    for estimate in (rotation, peer.rotate_to):
        features = rows(20, 5).requires_grad_()
        estimate(features, rows(20, 5, 1)).backward(rows(20, 5, 2))
        grads.append(features.grad)
    assert torch.allclose(*grads, atol=1e-6)


def test_the_nearest_vector_is_found() -> None:
    """The index is that of the least distance, computed one by one."""
    book, batch = codebook(), rows(100, 4)
    exact = (batch[:, None].double() - book.weight.double()).norm(dim=2).argmin(1)
    assert torch.equal(book.nearest(batch), exact)


def test_k_means_finds_clusters() -> None:
    """Means of clusters far apart are found; distortion falls to the spread within them."""
    centres = 20 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    data = centres.repeat(200, 1) + 0.1 * rows(800, 2)
    torch.manual_seed(1)
    means = k_means(data, 8)
    gap = torch.cdist(centres, means).amin(1)
    assert bool((gap < 0.3).all())


def test_initialisation_improves_distortion() -> None:
    """Codebooks that start from k-means are nearer to their data than ones that start on data, and two layers than one."""
    batch = 3 * rows(2000, 4) + 1
    on_data, one, two = product(), product(), product(layers=2)
    on_data.groups[0].codebooks[0].weight.copy_(batch[:16])
    one.initialise(batch)
    two.initialise(batch)
    distortions = [float(quantiser(batch).commitment) for quantiser in (on_data, one)]
    distortions.append(float((batch - two(batch).latent).square().sum(1).mean()))
    assert distortions[1] < 0.9 * distortions[0]
    assert distortions[2] < 0.6 * distortions[1]


@pytest.mark.parametrize("kind", ["ema", "gradient"])
def test_dead_codes_revive(kind: str) -> None:
    """After so many batches without use, and not before, a vector lies on a row of the batch; others stay."""
    book = codebook(rule=kind, revive=3, decay=0.9999)
    vectors = torch.full((6, 4), 100.0)
    vectors[0] = 0.0
    book.restart(torch.ones(6, dtype=torch.bool), vectors)
    for number in range(3):
        batch = 0.01 * rows(20, 4, number)
        assert bool((book.weight[1:] > 50).all())
        book.learn(batch, book.nearest(batch))
    assert bool((torch.cdist(book.weight[1:], batch).amin(1) < 1e-6).all())
    assert float(book.weight[0].detach().abs().max()) < 0.1
    assert len(book.nearest(batch).unique()) > 1


def test_codes_that_are_used_do_not_restart() -> None:
    """A code that is used now and then is never put elsewhere; without revival none is."""
    for revive, far in ((3, False), (None, True)):
        book = codebook(dim=1, size=2, revive=revive, rule="gradient")
        with torch.no_grad():
            book.weight.copy_(torch.tensor([[0.0], [100.0]]))
        for step in range(12):
            batch = torch.tensor([[0.1], [99.0]])[: 2 if step % 2 and not far else 1]
            book.learn(batch, book.nearest(batch))
        assert torch.equal(book.weight.detach(), torch.tensor([[0.0], [100.0]]))


@pytest.mark.parametrize("fields", [{}, {"groups": 2}, {"distance": "cosine"}, {"groups": 4, "rule": "gradient"}])
def test_codes_of_vectors_are_the_codes(fields: dict[str, Any]) -> None:
    """Without layers, every code is found again from its vectors."""
    quantiser = product(**fields)
    codes = torch.randint(16, (300, len(quantiser.groups)), generator=torch.Generator().manual_seed(0))
    assert torch.equal(quantiser.search(quantiser.vectors(codes)), codes)


def test_codes_of_sums_are_found() -> None:
    """The codes that data were given are found again from the sums of two vectors; greedily a tenth would not be."""
    quantiser = product(layers=2, size=64, dim=8)
    quantiser.initialise(rows(4000, 8))
    found = quantiser(rows(4000, 8, 1))
    assert torch.equal(quantiser.search(found.latent), found.indices)
    again = quantiser(found.latent).indices
    assert float((again == found.indices).all(1).float().mean()) < 0.95


def test_residual_layers_sum() -> None:
    """A latent is the sum of the vectors of its codes, and each layer's is nearest to what those before it left."""
    quantiser = product(layers=3)
    batch = rows(50, 4)
    found = quantiser(batch)
    books = quantiser.groups[0].codebooks
    rest = batch
    for layer, book in enumerate(books):
        assert torch.equal(found.indices[:, layer], torch.cdist(rest, book.weight).argmin(1))
        rest = rest - book.weight[found.indices[:, layer]]
    assert torch.allclose(found.latent, batch - rest, atol=1e-6)
    assert torch.allclose(quantiser.vectors(found.indices), found.latent, atol=1e-6)


def test_terms_are_squared_distances() -> None:
    """Commitment moves features only and the codebook's term vectors only; moving averages have no such term."""
    for kind in ("ema", "gradient"):
        quantiser = product(rule=kind)
        batch = rows(50, 4).requires_grad_()
        found = quantiser(batch)
        book = quantiser.groups[0].codebooks[0]
        distance = (batch - book.weight[found.indices[:, 0]]).square().sum(1).mean()
        assert torch.allclose(found.commitment, distance)
        if kind == "ema":
            assert float(found.codebook) == 0
            continue
        assert torch.allclose(found.codebook, distance)
        (found.commitment + 10 * found.codebook).backward()
        assert batch.grad is not None
        assert book.weight.grad is not None
        features = batch.detach()
        used = features - book.weight.detach()[found.indices[:, 0]]
        assert torch.allclose(batch.grad, 2 * used / 50, atol=1e-6)
        expected = torch.zeros_like(book.weight).index_add_(0, found.indices[:, 0], -20 * used / 50)
        assert torch.allclose(book.weight.grad, expected, atol=1e-5)


def test_scalars_are_the_papers() -> None:
    """With levels 3, 5 and 4, (0.25, 0.6, -7) becomes (0, 0.5, -1): the example of the authors' notebook."""
    scalars = ScalarQuantiser((3, 5, 4))
    found = scalars(torch.tensor([[0.25, 0.6, -7.0]]))
    assert torch.equal(found.latent, torch.tensor([[0.0, 0.5, -1.0]]))
    assert found.indices.tolist() == [[1 + 3 * 3 + 0]]


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 8])
def test_bounds_are_the_papers(levels: int) -> None:
    """bound(z) = tanh(z + tan(o / h)) h - o with h = (L - 1)(1 - 1e-3) / 2 and o = 1/2 for even L; L whole numbers result."""
    scalars = ScalarQuantiser((levels,))
    half, offset = (levels - 1) * (1 - 1e-3) / 2, 0.0 if levels % 2 else 0.5
    for z in (-9.0, -1.3, 0.0, 0.4, 9.0):
        expected = math.tanh(z + math.tan(offset / half)) * half - offset
        assert float(scalars.bound(torch.tensor([[z]]))) == pytest.approx(expected, abs=1e-6)
    reached = scalars.bound(torch.linspace(-9, 9, 2001)[:, None]).round().unique()
    assert reached.tolist() == [float(k - levels // 2) for k in range(levels)]


def test_scalars_pass_the_gradient_of_the_bound() -> None:
    """The gradient is that of tanh, scaled into [-1, 1]."""
    scalars = ScalarQuantiser((5,))
    row = torch.tensor([[0.7]], requires_grad=True)
    scalars(row).latent.sum().backward()
    assert float(row.grad) == pytest.approx(2 * (1 - 1e-3) * (1 - math.tanh(0.7) ** 2) / 2, rel=1e-5)


@pytest.mark.parametrize("levels", [(4, 3, 2), (2, 2, 2, 5), (7,)])
def test_scalar_codes_are_a_bijection(levels: tuple[int, ...]) -> None:
    """Every index is the code of its vector, no two vectors are alike, and all lie between -1 and 1."""
    scalars = ScalarQuantiser(levels)
    codes = torch.arange(math.prod(levels))[:, None]
    vectors = scalars.vectors(codes)
    assert torch.equal(scalars.search(vectors), codes)
    assert len(vectors.unique(dim=0)) == len(codes)
    assert bool((vectors.abs() <= 1).all())


def test_scalar_codes_of_data_are_their_vectors() -> None:
    """What encoding gives, vectors and indices, belongs together."""
    scalars = ScalarQuantiser((8, 5, 3))
    found = scalars(3 * rows(500, 3))
    assert torch.equal(scalars.vectors(found.indices), found.latent)
    assert torch.equal(scalars.search(found.latent), found.indices)


def test_signs_are_bits() -> None:
    """The index of (+, -, +) is 1 + 4; 0 counts as negative; all indices come back from their vectors."""
    signs = SignQuantiser(3)
    found = signs(torch.tensor([[0.2, -5.0, 1.0], [0.0, 0.0, 0.0]]))
    assert found.indices.tolist() == [[5], [0]]
    assert found.latent.tolist() == [[1, -1, 1], [-1, -1, -1]]
    codes = torch.arange(8)[:, None]
    assert torch.equal(signs.search(signs.vectors(codes)), codes)
    assert float(signs(torch.tensor([[0.5, -1.0, 1.0]])).commitment) == pytest.approx(0.25)


@pytest.mark.parametrize("bits", [1, 2, 5])
def test_the_entropy_term_is_enumerated(bits: int) -> None:
    """It is the mean entropy of softmax(-|z - c|² / T) over all codes c, less the entropy of its mean."""
    signs = SignQuantiser(bits, temperature=1.7)
    batch = rows(40, bits).double()
    codes = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=bits)), dtype=torch.float64)
    shares = torch.softmax(-torch.cdist(batch, codes).square() / 1.7, 1)
    own, mean = -(shares * shares.log()).sum(1).mean(), shares.mean(0)
    assert float(signs.entropy(batch)) == pytest.approx(float(own + (mean * mean.log()).sum()), abs=1e-9)


def test_the_entropy_term_has_its_gradient() -> None:
    """It agrees with finite differences."""
    signs = SignQuantiser(3)
    assert torch.autograd.gradcheck(signs.entropy, rows(6, 3).double().requires_grad_())
