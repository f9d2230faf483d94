"""The mixture of normals and its fit."""

from __future__ import annotations

import pytest
import torch
from sklearn.mixture import GaussianMixture as Reference
from torch import Tensor
from torch import distributions as td

from genframe import Real, generator_for
from genframe_vae.mixture import EmFit, Mixture, fit_mixture
from genframe_vae.priors import GaussianMixturePrior

CENTRES = torch.tensor([[4.0, 0.0], [-4.0, 1.0], [0.0, -5.0]])


def separated(n: int = 600) -> Tensor:
    """Return codes of three clusters."""
    generator = generator_for("cpu", 3)
    component = torch.multinomial(torch.tensor([0.5, 0.3, 0.2]), n, replacement=True, generator=generator)
    return CENTRES[component] + torch.randn(n, 2, generator=generator) * torch.tensor([0.5, 0.8])


def overlapping() -> Tensor:
    """Return codes of no clusters at all."""
    return torch.randn(400, 3, generator=generator_for("cpu", 5)).pow(3).clamp(-3, 3)


def fitted(codes: Tensor, components: int, *, full: bool = True, steps: int = 200, seed: int = 0) -> EmFit:
    """Fit with a tight tolerance."""
    generator = generator_for("cpu", seed)
    return fit_mixture(codes, components, full=full, steps=steps, tolerance=1e-7, floor=1e-6, generator=generator)


@pytest.mark.parametrize("full", [True, False])
def test_log_prob_is_that_of_torch(full: bool) -> None:
    """The prior's density is torch.distributions' mixture of the same components."""
    prior = GaussianMixturePrior(Real((2,)), components=3, covariance="full" if full else "diagonal")
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, generator=generator_for("cpu", 1))
    mixture = prior.mixture
    factor = mixture.factor if full else torch.diag_embed(mixture.factor)
    reference = td.MixtureSameFamily(
        td.Categorical(logits=prior.logits), td.MultivariateNormal(mixture.means, scale_tril=factor)
    )
    codes = separated(50)
    assert torch.allclose(prior.log_prob(codes), reference.log_prob(codes), rtol=1e-4)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_likelihood_never_falls(full: bool, seed: int) -> None:
    """Each step of EM gains, up to rounding in float64, also with more components than the data have clusters."""
    history = torch.tensor(fitted(overlapping(), 8, full=full, steps=60, seed=seed).log_likelihoods, dtype=torch.float64)
    assert history.diff().min() > -1e-9


def test_em_recovers_a_separated_mixture() -> None:
    """Weights, means and variances of three separate clusters are found within sampling error."""
    mixture = fitted(separated(3000), 3).mixture
    order = [int((mixture.means - centre).square().sum(1).argmin()) for centre in CENTRES]
    assert sorted(order) == [0, 1, 2]
    assert torch.allclose(mixture.means[order], CENTRES.double(), atol=0.1)
    assert torch.allclose(mixture.log_weights.exp()[order], torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64), atol=0.03)
    assert torch.allclose(
        (mixture.factor @ mixture.factor.mT)[order[0]].diag().sqrt().float(), torch.tensor([0.5, 0.8]), atol=0.05
    )


@pytest.mark.parametrize("full", [True, False])
def test_em_agrees_with_scikit_learn(full: bool) -> None:
    """On separated clusters the mean log-likelihood is scikit-learn's to five digits."""
    codes = separated()
    reference = Reference(3, covariance_type="full" if full else "diag", tol=1e-7, max_iter=500, random_state=0).fit(
        codes.numpy()
    )
    assert fitted(codes, 3, full=full).log_likelihoods[-1] == pytest.approx(reference.score(codes.numpy()), rel=1e-5)


@pytest.mark.parametrize("full", [True, False])
def test_components_that_get_no_codes_stay_finite(full: bool) -> None:
    """Five components on codes with two distinct values leave finite parameters, density and draws."""
    codes = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).repeat(10, 1)
    prior = GaussianMixturePrior(Real((2,)), components=5, covariance="full" if full else "diagonal")
    figures = prior.fit(codes, generator=generator_for("cpu", 0))
    assert all(parameter.isfinite().all() for parameter in prior.parameters())
    assert prior.log_prob(codes).isfinite().all()
    drawn = prior.sample(50, generator=generator_for("cpu", 1))
    assert torch.cdist(drawn, codes[:2]).min(1).values.max() < 0.1
    assert figures["converged"]


def test_fit_reports_what_the_fitted_prior_gives() -> None:
    """The figure that fit returns is the mean log-density of the codes under the prior afterwards."""
    codes = separated()
    prior = GaussianMixturePrior(Real((2,)), components=4)
    figures = prior.fit(codes, generator=generator_for("cpu", 0))
    assert float(prior.log_prob(codes).detach().mean()) == pytest.approx(figures["log_likelihood"], abs=1e-4)


def test_memory_is_bounded_by_chunks_without_changing_the_fit() -> None:
    """More codes than one chunk holds give the fit of the same codes seen once: every code ten times changes nothing."""
    codes = separated()
    start = generator_for("cpu", 4)
    once = fit_mixture(codes, 1, full=True, steps=1, tolerance=0, floor=1e-6, generator=start)
    many = fit_mixture(codes.repeat(10, 1), 1, full=True, steps=1, tolerance=0, floor=1e-6, generator=start)
    assert torch.allclose(once.mixture.means, many.mixture.means)
    assert once.log_likelihoods[-1] == pytest.approx(many.log_likelihoods[-1])


def test_too_few_and_broken_codes_are_refused() -> None:
    """Fewer codes than components, and codes with NaN, are refused with what was expected and found."""
    with pytest.raises(ValueError, match=r"expected at least 5 codes.*found shape \(3, 2\)"):
        fitted(torch.zeros(3, 2), 5)
    with pytest.raises(ValueError, match="finite"):
        fitted(torch.full((9, 2), torch.nan), 5)


def test_draws_have_the_mixture_s_moments() -> None:
    """Mean and covariance of 50,000 draws are those of the mixture."""
    mixture = fitted(separated(), 3).mixture
    drawn = mixture.sample(50_000, generator_for("cpu", 2))
    weights, factor = mixture.log_weights.exp(), mixture.factor
    mean = weights @ mixture.means
    second = torch.einsum("k,kij->ij", weights, factor @ factor.mT + mixture.means.unsqueeze(2) * mixture.means.unsqueeze(1))
    assert torch.allclose(drawn.mean(0), mean, atol=0.06)
    assert torch.allclose(torch.cov(drawn.T), second - torch.outer(mean, mean), rtol=0.03, atol=0.06)


def test_the_prior_learns_by_gradient() -> None:
    """Every parameter of a full mixture gets a gradient, and following it lowers the negative log-likelihood."""
    torch.manual_seed(0)
    prior, codes = GaussianMixturePrior(Real((2,)), components=3), separated()
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.05)
    first = prior.objective(codes).total
    first.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in prior.parameters())
    for _ in range(50):
        optimizer.zero_grad()
        last = prior.objective(codes).total
        last.backward()
        optimizer.step()
    assert float(last.detach()) < float(first.detach()) - 2


def test_log_joint_of_one_component_is_its_normal() -> None:
    """With one component the joint is the normal's density."""
    mixture = Mixture(torch.zeros(1), torch.ones(1, 2), torch.full((1, 2), 0.5))
    codes = separated(5)
    assert torch.allclose(mixture.log_joint(codes).squeeze(1), td.Normal(1.0, 0.5).log_prob(codes).sum(1))
