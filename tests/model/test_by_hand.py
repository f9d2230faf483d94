"""Models of parts that were made by hand, without specs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from genframe import Model, Real, SpecError, fit
from genframe.core.parts import ExactNll, Identity, IdentityAsDecoder, StandardNormal
from genframe.types import EncoderInverse
from genframe.types import Identity as LeavesDataAlone
from genframe_vae import BernoulliDecoder, ElboLoss, GaussianEncoder

BITS = Real((6,), 0, 1, levels=2)


def autoencoder() -> Model:
    """Return a variational autoencoder of plain modules."""
    torch.manual_seed(0)
    encoder = GaussianEncoder(nn.Linear(6, 5), features=Real((5,)), dim=3)
    return Model.of(BITS, encoder=encoder, decoder=BernoulliDecoder(nn.Linear(3, 6), data=BITS), loss=ElboLoss())


def test_spaces_and_kinds_follow_from_the_parts() -> None:
    """The latent is found by a trial, the traits by methods, and with them the kinds of density and sampling."""
    composition = autoencoder().composition
    assert (composition.latent, composition.code) == (Real((3,)), Real((3,)))
    assert (composition.density, composition.sampling, composition.players) == ("lower bound", "direct", ("model",))


def test_it_trains_samples_and_tells_likelihoods() -> None:
    """It is a model like any other."""
    model = autoencoder()
    x = (torch.rand(64, 6, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    losses = fit(model, x, steps=40, lr=0.05, log_every=20)["loss"]
    assert losses[-1] < losses[0]
    assert model.sample(4).x.shape == (4, 6)
    assert model.log_prob(x, samples=5).nats.shape == (64,)


def test_traits_without_methods_are_named() -> None:
    """An identity is said to be one; then the density is exact."""
    parts = {"encoder": Identity(), "decoder": IdentityAsDecoder(), "prior": StandardNormal(Real((2,))), "loss": ExactNll()}
    marks = {"encoder": [LeavesDataAlone], "decoder": [EncoderInverse]}
    assert Model.of(Real((2,)), **parts, provides=marks).composition.density == "exact"  # type: ignore[arg-type]
    assert Model.of(Real((2,)), **{**parts, "encoder": Identity()}).composition.density != "exact"  # type: ignore[arg-type]


def test_classes_have_to_be_said() -> None:
    """How many classes a code has cannot be seen from two rows."""

    class Signs(Identity):
        def code(self, latent: torch.Tensor) -> torch.Tensor:
            return (latent > 0).long()

    with pytest.raises(SpecError, match="the code is of classes; say how many"):
        Model.of(Real((2,)), encoder=Signs(), decoder=IdentityAsDecoder(), loss=ExactNll())


def test_entry_points_are_those_of_role_and_traits() -> None:
    """Whatever calls a part does so by one of them, and the part has them all."""
    model = autoencoder()
    assert model.entry_points("encoder") == ("forward", "encode", "codes", "posterior")
    assert model.entry_points("decoder") == ("forward", "decode", "likelihood")
    assert model.entry_points("prior")[:4] == ("forward", "sample", "objective", "expected_log_prob")
    for role in ("encoder", "decoder", "prior"):
        assert [name for name in model.entry_points(role) if not hasattr(getattr(model, role), name)] == []  # type: ignore[arg-type]
