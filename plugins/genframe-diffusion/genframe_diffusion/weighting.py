"""The weights of errors at different noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genframe.types import NoiseProcess

from .choices import Weight
from .times import log_snr_range

__all__ = ["Weighting"]


@dataclass(frozen=True)
class Weighting:
    """Weights on the squared error of clean data, with snr = alpha² / sigma².

    ``simple`` weighs the network's own target evenly (Ho et al. 2020, eq. 14). ``min_snr``: min(snr, ``gamma``) (Hang et al.
    2023, sec. 3.4). ``edm``: snr + 1 / deviation² (Karras et al. 2022, table 1, at alpha 1). ``sigmoid``: snr times
    sigmoid(``bias`` - log snr) (Hoogeboom et al. 2024, sec. 3.1). ``likelihood``: snr / 2 over log-SNR, so that the sum over
    dimensions is the diffusion term of the variational bound in nats (Kingma et al. 2021, eq. 17).

    >>> from genframe_diffusion import LinearVP
    >>> alpha, sigma, out = torch.tensor([0.8]), torch.tensor([0.6]), torch.tensor([1.0])
    >>> Weighting("min_snr", gamma=1.5)(LinearVP(), alpha, sigma, out)
    tensor([1.5000])
    """

    kind: Weight = "simple"
    gamma: float = 5.0
    bias: float = 2.0

    def __call__(self, process: NoiseProcess, alpha: Tensor, sigma: Tensor, out: Tensor) -> Tensor | None:
        """Return the weight on the error of the network's prediction, which is the error of clean data over ``out``²: (B,).

        ``None`` is even weights of 1.
        """
        if self.kind == "simple":
            return None
        snr = (alpha / sigma).square()
        match self.kind:
            case "min_snr":
                weight = snr.clamp(max=self.gamma)
            case "edm":
                weight = snr + process.data_deviation**-2
            case "sigmoid":
                weight = snr * torch.sigmoid(self.bias - torch.log(snr))
            case "likelihood":
                low, high = log_snr_range(process)
                weight = 0.5 * (high - low) * snr
        return weight * out.square()
