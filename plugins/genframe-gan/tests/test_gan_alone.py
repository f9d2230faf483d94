"""The parts without their specs: the examples of their docstrings, a loop over two plain networks, and the exports."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
import torch
from torch import nn

import genframe_gan
import genframe_nets
from genframe import Real
from genframe.testing import check_docstrings, require_conformance
from genframe_gan import AdversarialTerms, Critic, Evidence, Rules

NETWORKS = {name: getattr(genframe_nets, name) for name in genframe_nets.__all__}


def test_docstrings_are_true() -> None:
    """Each example prints what it shows, given the networks of genframe_nets too, and each public class shows its use."""
    require_conformance(check_docstrings(genframe_gan, NETWORKS))


@pytest.mark.parametrize("module", sorted(set(genframe_gan._MODULE_OF.values())))
def test_every_class_is_exported(module: str) -> None:
    """Each public name can be imported from the package."""
    implementation = import_module(f"genframe_gan.{module}")
    assert all(getattr(genframe_gan, name) is getattr(implementation, name) for name in implementation.__all__)


def test_parts_are_loaded_when_they_are_used() -> None:
    """Importing the package, or making rules, imports no torch; asking for a critic does; a misspelled name is an error."""
    code = (
        "import sys, genframe_gan as gan; gan.Rules(r1=1.0); assert 'torch' not in sys.modules;"
        "gan.Critic; assert 'torch' in sys.modules; assert not hasattr(gan, 'Critik')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def networks() -> tuple[nn.Module, Critic]:
    """Return a user's own generator of points in the plane, and a critic on a user's own network."""
    generator = nn.Sequential(nn.Linear(4, 32), nn.SiLU(), nn.Linear(32, 2))
    return generator, Critic(nn.Sequential(nn.Linear(2, 32), nn.SiLU()), features=Real((32,)))


@pytest.mark.parametrize("rules", [Rules(r1=0.2), Rules("hinge", r1=0.2), Rules("wasserstein", clip_weights=0.3)], ids=str)
def test_two_plain_networks_play_in_a_loop_of_ones_own(rules: Rules) -> None:
    """Without a model, a generator's points move from around 0 to the data around 2."""
    torch.manual_seed(0)
    generator, critic = networks()
    game = AdversarialTerms(critic, rules)
    first, second = (torch.optim.Adam(each.parameters(), lr=5e-3, betas=(0.5, 0.9)) for each in (critic, generator))
    for _ in range(200):
        x = 2 + 0.5 * torch.randn(64, 2)
        first.zero_grad()
        game.critic_terms(x, generator(torch.randn(64, 4))).total.backward()
        first.step()
        second.zero_grad()
        game.generator_terms(generator(torch.randn(64, 4)), x).total.backward()
        second.step()
    assert bool((generator(torch.randn(500, 4)).mean(0) > 1).all())


def test_no_gradient_crosses_to_the_other_player() -> None:
    """The critic's terms leave the generator alone and the generator's the critic, also where fakes have a graph."""
    generator, critic = networks()
    game, x = AdversarialTerms(critic, Rules(r1=1.0, r2=1.0)), torch.randn(8, 2)
    game.critic_terms(x, generator(torch.randn(8, 4))).total.backward()
    assert all(parameter.grad is None for parameter in generator.parameters())
    assert all(parameter.grad is not None for parameter in critic.parameters())
    critic.zero_grad()
    game.generator_terms(generator(torch.randn(8, 4)), x).total.backward()
    assert all(parameter.grad is not None for parameter in generator.parameters())
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_a_tensor_is_evidence_without_a_context() -> None:
    """Tensors and their evidence give the same terms."""
    game, x, fakes = AdversarialTerms(networks()[1], Rules("hinge")), torch.randn(8, 2), torch.randn(8, 2)
    found, expected = game.critic_terms(x, fakes), game.critic_terms(Evidence(x), Evidence(fakes))
    assert torch.equal(found.total, expected.total)
    assert found.metrics.keys() == {"critic_real", "critic_fake", "critic_accuracy", "spread"}


def test_a_paired_game_needs_both_sides() -> None:
    """The generator of a relativistic game is refused without real data; that of another does without."""
    generator, critic = networks()
    fakes = generator(torch.randn(8, 4))
    with pytest.raises(ValueError, match="compares fakes with real data: give generator_terms both"):
        AdversarialTerms(critic).generator_terms(fakes)
    assert AdversarialTerms(critic, Rules("non_saturating")).generator_terms(fakes).total.isfinite()


def test_any_module_can_be_the_critic() -> None:
    """A critic without a head of ours gives scores as it is."""

    class Mean(nn.Module):
        def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
            return x.mean(1, keepdim=True)

    terms = AdversarialTerms(Mean(), Rules("wasserstein"))
    assert terms.critic_terms(torch.full((4, 2), 3.0), torch.ones(4, 2)).total.item() == pytest.approx(1 - 3)


def test_rules_that_do_not_go_together_are_refused() -> None:
    """Without a spec the same words: laziness of nothing."""
    with pytest.raises(ValueError, match="penalty_every needs a penalty; give r1, r2 or gradient_penalty"):
        Rules(penalty_every=4)
