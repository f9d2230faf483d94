"""What is refused before anything is built, with the path and what would do."""

from __future__ import annotations

from typing import Any

import pytest

from genframe import Categorical, ModelSpec, Real, Space, SpecError, check
from genframe.core import Ancestral, IdentityDecoder, IdentityEncoder, Normal, OneHot
from genframe.experiment.document.loading import experiment_from
from genframe.experiment.document.spec import check_experiment
from genframe_energy import (
    ContrastiveDivergence,
    Gibbs,
    Langevin,
    LogLikelihood,
    Mixing,
    Neural,
    Rbm,
    ScoreMatching,
)

BITS, GREY, PLANE = Real((1, 8, 8), 0, 1, levels=2), Real((1, 8, 8), 0, 1, levels=17), Real((2,))


def model(**parts: Any) -> ModelSpec:
    """Return a machine on the data themselves, but for ``parts``."""
    defaults = {"prior": Rbm(), "loss": ContrastiveDivergence(), "sampler": Gibbs()}
    return ModelSpec(encoder=IdentityEncoder(), decoder=IdentityDecoder(), **{**defaults, **parts})


def problems_of(spec: ModelSpec, data: Space) -> list[str]:
    """Return what is wrong with the model."""
    with pytest.raises(SpecError) as caught:
        check(spec, data)
    return [str(problem) for problem in caught.value.problems]


def test_density_is_unnormalised_and_sampling_a_chain() -> None:
    """An energy of the data themselves is an unnormalised density; its samples are those of chains."""
    for prior, data in ((Rbm(), BITS), (Neural(), PLANE), (Rbm(), Categorical((3,), 4))):
        composition = check(model(prior=prior), data)
        assert (composition.density, composition.sampling) == ("unnormalised", "Markov chain")


def test_grey_data_given_to_a_bernoulli_machine() -> None:
    """Real data within bounds are refused with what makes bits of them."""
    for data in (GREY, Real((1, 8, 8), 0, 1), Real((4,), 0, 1, levels=17, dequantised=True), Real((4,), -1, 1, levels=2)):
        (problem,) = problems_of(model(), data)
        assert problem.startswith("model.prior: a Boltzmann machine has units of 0 and 1, of classes, or of unbounded real")
        assert f"found {data}" in problem
        assert problem.endswith("set binarise: dynamic (or static, or threshold) in the data")


def test_variance_of_units_that_have_none() -> None:
    """A learned variance is of Gaussian units only."""
    (problem,) = problems_of(model(prior=Rbm(variance="learned")), BITS)
    assert problem.startswith("model.prior.variance: Bernoulli units have no variance")
    assert problem.endswith("leave 'variance' out")


def test_chain_sampler_for_a_prior_without_a_kernel() -> None:
    """A sampler that walks by the prior's transition needs one, and the message says which priors have it."""
    problems = problems_of(model(prior=Normal(), loss=ContrastiveDivergence()), PLANE)
    assert any(
        problem.startswith("model.sampler: needs a prior with MarkovKernel; 'core/normal' has none") for problem in problems
    )
    assert any(problem.startswith("model.loss: needs a prior with Energy; 'core/normal' has none") for problem in problems)
    assert all("energy/rbm" in problem for problem in problems)


def test_gradient_of_a_discrete_energy() -> None:
    """Langevin dynamics on bits, and a network as energy of bits, are refused with what would do."""
    (problem,) = problems_of(model(sampler=Langevin()), BITS)
    assert problem.startswith("model.sampler: energy/langevin follows a gradient, and values lie on a grid")
    assert problem.endswith("say sampler: energy/gibbs")
    problems = problems_of(model(prior=Neural(), loss=ScoreMatching()), GREY)
    assert [problem.split(":")[0] for problem in problems] == ["model.prior", "model.loss"]
    assert all(problem.endswith("set dequantise: true in the data") for problem in problems)


def test_persistent_chains_have_no_condition() -> None:
    """Chains that go on from step to step cannot follow each batch's labels."""
    labelled = model(prior=Neural(), loss=ContrastiveDivergence(persistent=True)).model_copy(update={"condition": OneHot()})
    with pytest.raises(SpecError) as caught:
        check(labelled, PLANE, Categorical((), 3))
    (problem,) = caught.value.problems
    assert (problem.path, problem.hint) == ("model.loss.persistent", "say persistent: false")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"loss": {"type": "energy/contrastive_divergence", "chains": 50}}, "say persistent: true, or leave chains out"),
        ({"sampler": {"type": "energy/gibbs", "steps": 10, "burn_in": 10}}, "leaves nothing of steps: 10"),
        ({"sampler": {"type": "energy/tempering", "temperatures": [2, 4]}}, "temperatures rise from 1, found [2.0, 4.0]"),
    ],
)
def test_fields_that_do_not_go_together(fields: dict[str, Any], message: str) -> None:
    """Fields without an effect or without a meaning are refused."""
    parts = {"encoder": "core/identity", "decoder": "core/identity", "prior": "energy/rbm", "loss": "energy/score_matching"}
    with pytest.raises(SpecError) as caught:
        experiment_from({"name": "x", "data": "data/digits", "model": {**parts, **fields}})
    assert message in str(caught.value)


def test_buffer_smaller_than_the_batch() -> None:
    """The replay buffer must have a chain for each datum of a batch."""
    parts = {"encoder": "core/identity", "decoder": "core/identity", "prior": "energy/neural"}
    loss = {"type": "energy/langevin_likelihood", "buffer": 50}
    spec = experiment_from({"name": "x", "data": "data/toy", "model": {**parts, "loss": loss}, "train": {"batch_size": 64}})
    with pytest.raises(SpecError) as caught:
        check_experiment(spec.spec)
    assert str(caught.value).startswith("model.loss.buffer: a batch of 64 needs as many chains, and the buffer keeps 50")


def test_annealing_of_an_energy_without_a_bound() -> None:
    """Annealed importance sampling of a network is refused with the reason; so is that of a model with no energy."""
    metric = LogLikelihood()
    text = metric.refusal(check(model(prior=Neural(), loss=ScoreMatching()), PLANE))
    assert text.startswith("no bound is known of the energy of 'energy/neural', so its integral may be infinite")
    assert "energy/rbm" in text
    assert metric.refusal(check(model(), BITS)) == ""
    with pytest.raises(ValueError, match="rise from 0 to 1"):
        LogLikelihood(betas=((5, 0.5),))


def test_mixing_of_what_is_no_chain() -> None:
    """R-hat needs a sampler that walks."""
    assert Mixing().refusal(check(model(sampler=Ancestral()), BITS)).startswith("'core/ancestral' is no chain")
    assert Mixing().refusal(check(model(), BITS)) == ""
    labelled = model(prior=Neural(), loss=ScoreMatching(), sampler=Langevin()).model_copy(update={"condition": OneHot()})
    assert "has a condition" in Mixing().refusal(check(labelled, PLANE, Categorical((), 3)))
