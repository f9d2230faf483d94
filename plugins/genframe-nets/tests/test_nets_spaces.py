from __future__ import annotations

import subprocess
import sys

import pytest

from genframe import Categorical, Mismatch, ModelSpec, Real, SpecError, check
from genframe.types import Conditional
from genframe_nets import (
    MLP,
    SNGAN,
    Conv,
    ConvDecoder,
    DiT,
    Embedding,
    IsotropicDecoder,
    MLPDecoder,
    MLPTied,
    ResNet,
    ResNetDecoder,
    SNGANDecoder,
    Transposable,
    UNet,
    genframe_specs,
)
from genframe_nets.spaces import grids

LABELS = Categorical((), 10)


def mismatch(action, *arguments):
    """Return the text of the Mismatch that ``action`` raises, with its hint."""
    with pytest.raises(Mismatch) as caught:
        action(*arguments)
    return str(caught.value.problem)


def test_specs_do_not_import_torch():
    """The plugin is imported, and spaces are worked out, without torch."""
    code = (
        "import sys, genframe_nets as nets, genframe;"
        "nets.ConvDecoder().accepts(nets.Conv().latent_space(genframe.Real((1, 28, 28))), genframe.Real((1, 28, 28)));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("spec", genframe_specs(), ids=lambda spec: spec.__name__)
def test_specs_round_trip_with_their_defaults(spec):
    """Each spec can be made without arguments and made again from what it dumps."""
    assert spec.model_validate(spec().model_dump()) == spec()


@pytest.mark.parametrize(
    "spec",
    [MLP, MLPDecoder, MLPTied, Conv, ConvDecoder, ResNet, ResNetDecoder, SNGAN, SNGANDecoder, IsotropicDecoder, UNet, DiT],
)
def test_networks_read_the_condition(spec):
    """Every network but the embedding, which makes the context, reads it."""
    assert Conditional in spec().provides
    assert Conditional not in Embedding().provides


@pytest.mark.parametrize(
    ("axes", "stages", "expected"),
    [
        ((28, 28), 2, [(28, 28), (14, 14), (7, 7)]),
        ((28, 20), 3, [(28, 20), (14, 10), (7, 5), (4, 3)]),
        ((65,), 3, [(65,), (33,), (17,), (9,)]),
        ((8, 8), 5, [(8, 8), (4, 4), (2, 2), (1, 1), (1, 1), (1, 1)]),
        ((32, 32, 32), 1, [(32, 32, 32), (16, 16, 16)]),
    ],
)
def test_grids_halve_and_round_up(axes, stages, expected):
    """Axes after each stage are half of those before, rounded up."""
    assert grids(Real((3, *axes)), stages) == expected


def test_latent_spaces():
    """Vectors of ``dim`` where it is given, the last features where it is not."""
    image = Real((1, 28, 20), 0.0, 1.0)
    assert MLP().latent_space(image) == Real((256,))
    assert MLP(hidden=(8,), dim=3).latent_space(image) == Real((3,))
    assert MLP(hidden=(), dim=3).latent_space(Real(())) == Real((3,))
    assert Conv(channels=(4, 8, 6)).latent_space(image) == Real((6, 4, 3))
    assert Conv(dim=5).latent_space(image) == Real((5,))
    assert ResNet(channels=(7,)).latent_space(Real((2, 65))) == Real((7, 33))
    assert SNGAN(channels=(4, 8)).latent_space(image) == Real((8,))
    assert SNGAN(channels=(4, 8), dim=1).latent_space(image) == Real((1,))
    assert SNGAN(channels=(4, 8), pool=False).latent_space(image) == Real((8, 7, 5))
    assert Embedding(dim=6).latent_space(LABELS) == Real((6,))
    assert Embedding(dim=6).latent_space(Categorical((3, 4), 10)) == Real((3, 4, 6))


def test_mlp_without_layers_is_refused():
    """An encoder with neither hidden layers nor ``dim`` is no spec."""
    with pytest.raises(SpecError, match="there is no layer: give 'dim' for a linear map, or sizes in 'hidden'"):
        MLP(hidden=())


@pytest.mark.parametrize("spec", [MLP(), Conv(), ResNet(), SNGAN()], ids=lambda spec: spec.type)
def test_encoders_refuse_classes(spec):
    """Classes are refused with what would encode them."""
    assert mismatch(spec.latent_space, LABELS) == (
        f"{spec.type} needs real values, found Categorical(scalar, 10 values); "
        "encode classes first, with core/one_hot or nets/embedding"
    )


@pytest.mark.parametrize(
    "spec",
    [MLPDecoder(), MLPTied(), ConvDecoder(), ResNetDecoder(), SNGANDecoder(), IsotropicDecoder(), UNet(), DiT()],
    ids=lambda spec: spec.type,
)
def test_decoders_refuse_classes_as_data(spec):
    """Data of classes are refused with the likelihood that would make them."""
    assert mismatch(spec.accepts, Real((4,)), Categorical((1, 8, 8), 17)) == (
        f"{spec.type} makes real values, the data is Categorical(1×8×8, 17 values); "
        f"wrap it: {{type: vae/categorical, network: {spec.type}}}"
    )


def test_embedding_refuses_real_values():
    """Real values have no row in a table."""
    assert mismatch(Embedding().latent_space, Real((2,))) == (
        "nets/embedding needs classes, found Real(2); for real values use nets/mlp, or core/identity as they are"
    )


@pytest.mark.parametrize("shape", [(2,), (2, 2, 2, 2, 2)])
def test_convolutions_need_one_to_three_spatial_axes(shape):
    """Vectors and data of four spatial axes are refused on both sides."""
    expected = f"nets/conv needs channels and 1 to 3 spatial axes, found {Real(shape)}; use nets/mlp, which takes any shape"
    assert mismatch(Conv().latent_space, Real(shape)) == expected
    assert mismatch(ConvDecoder().accepts, Real((4,)), Real(shape)) == expected


@pytest.mark.parametrize(
    ("latent", "hint"),
    [
        ((4, 14, 14), "1 stage in 'channels' would fit"),
        ((4, 4, 4), "3 stages in 'channels' would fit"),
        ((4, 5, 5), "give it a vector: set 'dim' in the encoder"),
        ((4, 7), "give it a vector: set 'dim' in the encoder"),
    ],
)
@pytest.mark.parametrize("spec", [ConvDecoder(), ResNetDecoder(), SNGANDecoder()], ids=lambda spec: spec.type)
def test_decoders_say_which_axes_they_need(spec, latent, hint):
    """Features on another grid are refused with the grid that is needed, and the number of stages that would fit."""
    assert mismatch(spec.accepts, Real(latent), Real((1, 28, 28))) == (
        f"{spec.type} starts from a vector or from features of 7×7, found {Real(latent)}; {hint}"
    )


@pytest.mark.parametrize("latent", [(6,), (4, 14, 14), (4, 28)], ids=str)
def test_isotropic_networks_refuse_another_grid(latent):
    """A latent on another grid than the data's is refused, with the networks that change the grid."""
    assert mismatch(IsotropicDecoder().accepts, Real(latent), Real((1, 28, 28))) == (
        f"nets/isotropic keeps the grid: for data of 28×28 it reads features of 28×28, found {Real(latent)}; "
        "use nets/conv or nets/resnet, which start from vectors and smaller grids, or nets/mlp"
    )


def test_isotropic_networks_refuse_data_without_a_grid():
    """Vectors have no grid to keep."""
    assert mismatch(IsotropicDecoder().accepts, Real((6,)), Real((6,))) == (
        "nets/isotropic needs channels and 1 to 3 spatial axes, found Real(6); use nets/mlp, which takes any shape"
    )


@pytest.mark.parametrize("who", ["encoder", "decoder"])
def test_an_empty_list_of_channels_is_refused(who):
    """A convolutional network has at least one stage."""
    with pytest.raises(SpecError, match="should have at least one item"):
        (Conv if who == "encoder" else ConvDecoder)(channels=())


def test_tied_decoder_needs_a_transposable_encoder():
    """The check refuses tied weights beside a convolutional encoder and names what has weights to tie."""
    spec = ModelSpec(encoder=Conv(dim=4), decoder=MLPTied(), loss="core/nll")
    with pytest.raises(SpecError) as caught:
        check(spec, Real((1, 8, 8)))
    problem = caught.value.problems[0]
    assert (problem.path, problem.message) == ("model.decoder", "needs an encoder with Transposable; 'nets/conv' has none")
    assert problem.hint.startswith("these have: nets/mlp")
    assert Transposable in MLP().provides
