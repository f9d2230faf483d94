"""Every network keeps what a component promises."""

from __future__ import annotations

from typing import ClassVar

from genframe import Real
from genframe.testing import Example, PluginConformance
from genframe_nets import (
    MLP,
    SNGAN,
    Conv,
    ConvDecoder,
    DiT,
    IsotropicDecoder,
    MLPDecoder,
    ResNet,
    ResNetDecoder,
    SNGANDecoder,
    UNet,
)

SMALL = (8, 16)
TOKENS = Real((4, 3))


class TestNets(PluginConformance):
    """The conformance kit."""

    plugin = "nets"
    examples: ClassVar = {
        "nets/mlp": [
            *(MLP(), MLP(hidden=(8,), norm="layer", dim=3), MLP(hidden=(8,), norm="batch", dropout=0.5)),
            *(
                MLPDecoder(),
                MLPDecoder(hidden=(8,), norm="layer", zero=True),
                MLPDecoder(hidden=(8,), norm="batch", dropout=0.5),
                MLPDecoder(hidden=(8,), time=True),
            ),
        ],
        "nets/conv": [
            *(Conv(channels=SMALL), Conv(channels=SMALL, norm="batch", dim=3), Conv(channels=SMALL, norm="group")),
            *(ConvDecoder(channels=SMALL), ConvDecoder(channels=SMALL[::-1], norm="batch")),
            *(ConvDecoder(channels=SMALL, norm="group"), Conv(channels=SMALL, norm="batch", norm_first=False, kernel=5, dim=1)),
        ],
        "nets/sngan": [
            *(SNGAN(channels=SMALL), SNGAN(channels=SMALL, dim=3, blocks=0), SNGAN(channels=SMALL, pool=False, norm="group")),
            *(SNGANDecoder(channels=SMALL), SNGANDecoder(channels=SMALL[::-1], norm="group")),
            SNGANDecoder(channels=SMALL, norm="none"),
        ],
        "nets/resnet": [
            *(ResNet(channels=SMALL), ResNet(channels=SMALL, blocks=1, dim=3)),
            *(ResNetDecoder(channels=SMALL), ResNetDecoder(channels=SMALL[::-1], blocks=1)),
        ],
        "nets/isotropic": [
            *(IsotropicDecoder(channels=8), IsotropicDecoder(channels=8, blocks=0, norm="group", zero=True)),
            *(
                IsotropicDecoder(channels=8, residual=True),
                IsotropicDecoder(channels=8, residual=True, norm="group", zero=True),
            ),
        ],
        "nets/unet": [
            *(UNet(channels=SMALL, blocks=1), UNet(channels=SMALL, blocks=1, attention=(1,), dropout=0.5)),
            Example(UNet(channels=SMALL, blocks=1, attention=(1,)), context=TOKENS),
        ],
        "nets/dit": [
            *(DiT(dim=16, depth=2), DiT(dim=12, depth=1, heads=2, patch=1)),
            Example(DiT(dim=16, depth=2), context=TOKENS),
        ],
    }
