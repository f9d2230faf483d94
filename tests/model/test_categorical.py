"""The categorical prior: probabilities of classes, and classifiers that are models of labels."""

from __future__ import annotations

import math

import pytest
import torch

from genframe import Categorical, Context, ContextSpace, Mismatch, ModelSpec, Real, check, compose
from genframe.core import CategoricalPrior
from genframe.core.parts import IndependentClasses

CLASSIFIER = ModelSpec.model_validate(
    {
        "condition": "core/identity",
        "encoder": "core/identity",
        "decoder": "core/identity",
        "prior": "core/categorical",
        "loss": "core/nll",
    }
)


def test_first_probabilities_are_equal() -> None:
    """Before training, each of ``size`` values of each dimension has the probability 1 / size."""
    prior = IndependentClasses(Categorical((2, 3), 5), None)
    codes = torch.randint(5, (4, 2, 3))
    assert prior.log_prob(codes).tolist() == pytest.approx([-6 * math.log(5)] * 4, rel=1e-6)


def test_dimensions_have_logits_of_their_own() -> None:
    """log p(c) is the sum over dimensions of each one's log-softmax at its class."""
    prior = IndependentClasses(Categorical((2,), 3), None)
    with torch.no_grad():
        prior.logits.copy_(torch.tensor([[0.1, 2.0], [0.0, -1.0], [-0.3, 0.5]]))  # (size, dimension)
        first, second = prior.logits.T.log_softmax(1)
        assert float(prior.log_prob(torch.tensor([[2, 0]]))) == pytest.approx(float(first[2] + second[0]))


def test_logits_are_linear_in_the_context() -> None:
    """Under a context c of any shape, the logits of the single class are W c + b."""
    prior = IndependentClasses(Categorical((), 4), ContextSpace(Real((3, 2, 1))))
    context = torch.randn(5, 3, 2, 1)
    expected = (context.flatten(1) @ prior.head.weight.T + prior.head.bias).log_softmax(1)
    for one in range(4):
        torch.testing.assert_close(prior.log_prob(torch.full((5,), one), Context(context)), expected[:, one])


@pytest.mark.parametrize("context", [None, ContextSpace(Real((3,)))])
def test_draws_have_the_probabilities(context: ContextSpace | None) -> None:
    """Of 20,000 draws, each class has its share, and the generator alone decides them."""
    n, torch_seed = 20_000, 1
    torch.manual_seed(torch_seed)
    prior = IndependentClasses(Categorical((), 3), context)
    given = None if context is None else Context(torch.randn(1, 3).expand(n, 3))
    if context is None:
        torch.nn.init.normal_(prior.logits)
    drawn, again = (prior.sample(n, given, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(drawn, again)
    for one in range(3):
        p = float(prior.log_prob(torch.full((n,), one), given)[0].detach().exp())
        assert float((drawn == one).double().mean()) == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / n))


def test_a_classifier_is_a_model_of_labels() -> None:
    """With labels as data and points as the condition, the density is an exact probability."""
    composition = check(CLASSIFIER, Categorical((), 3), Real((2,)))
    assert (composition.density, composition.mass, composition.sampling) == ("exact", True, "direct")
    log_prob = compose(CLASSIFIER, Categorical((), 2), Real((2,))).log_prob(torch.tensor([0, 1]), torch.zeros(2, 2))
    assert float(log_prob.nats.detach().exp().sum()) == pytest.approx(1)


def test_maximum_likelihood_is_the_share_of_each_class() -> None:
    """Without a condition, minimising core/nll leads to the entropy of the data's shares."""
    model = compose(CLASSIFIER.model_copy(update={"condition": None}), Categorical((), 3))
    x = torch.tensor([0, 0, 0, 1, 1, 2])
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        nll: torch.Tensor = -model.log_prob(x).nats.mean()
        nll.backward()
        return nll

    optimizer.step(closure)  # type: ignore[arg-type]
    entropy = -sum(share * math.log(share) for share in (3 / 6, 2 / 6, 1 / 6))
    assert float(closure().detach()) == pytest.approx(entropy, abs=1e-5)


def test_real_codes_are_refused() -> None:
    """A categorical prior of real values is refused with what was found."""
    with pytest.raises(Mismatch, match=r"a categorical prior is of classes, found Real\(4\)"):
        CategoricalPrior().accepts(Real((4,)))
