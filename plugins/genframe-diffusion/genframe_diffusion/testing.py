"""Models whose denoiser is known in closed form: to try processes, samplers and likelihoods against."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from genframe import Context, Model, ModelSpec, Real, compose
from genframe_nets import MLPDecoder

from .choices import Prediction
from .specs import DDIM, EDM, VP, DenoiserDecoder, Denoising, Process, Rectified, Walk

__all__ = ["CHAINS", "PLANE", "PROCESSES", "Mixture", "analytic", "three_modes"]

PLANE = Real((2,))
PROCESSES = {
    "linear": VP(least_time=1e-5),
    "cosine": VP(schedule="cosine", least_time=1e-4),
    "log_snr": VP(schedule="log_snr", log_snr=(14.0, -14.0)),
    "terminal": VP(zero_terminal_snr=True, least_time=1e-5),
    "edm": EDM(),
    "rectified": Rectified(),
}
CHAINS = {
    "chain": VP(steps=1000),
    "cosine chain": VP(steps=100, schedule="cosine"),
    "terminal chain": VP(steps=1000, zero_terminal_snr=True),
}


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians of one deviation with equal weights, and what is known of it: ``means`` (K, D)."""

    means: Tensor
    deviation: float

    def log_prob(self, y: Tensor) -> Tensor:
        """Return the log-density in nats: (B, D) -> (B,)."""
        log_prob: Tensor = self._log_joint(y).logsumexp(1)
        return log_prob

    def sample(self, n: int) -> Tensor:
        """Return draws: (n, D)."""
        return self.means[torch.randint(len(self.means), (n,))] + self.deviation * torch.randn(n, self.means.shape[1])

    def posterior_mean(self, noisy: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Return E[y | alpha y + sigma noise]: (B, D), (B, 1), (B, 1) -> (B, D)."""
        variance = alpha.square() * self.deviation**2 + sigma.square()
        gaps = noisy[:, None] - alpha[..., None] * self.means
        shares = torch.softmax(-0.5 * (gaps.square() / variance[..., None]).sum(-1), 1)
        means = self.means + (alpha * self.deviation**2 / variance)[..., None] * gaps
        return (shares[..., None] * means).sum(1)

    def _log_joint(self, y: Tensor) -> Tensor:
        gaps = y[:, None] - self.means
        normal: Tensor = torch.distributions.Normal(0.0, self.deviation).log_prob(gaps).sum(-1)
        return normal - torch.log(torch.tensor(float(len(self.means))))


def analytic(
    process: Process, mixture: Mixture, *, sampler: Walk | None = None, likelihood: str = "bound", prediction: Prediction = "v"
) -> Model:
    """Return a model of the mixture, whose denoiser gives the posterior mean, in float64."""
    decoder = DenoiserDecoder.model_validate(
        {"network": MLPDecoder(time=True, hidden=(4,)), "likelihood": likelihood, "prediction": prediction}
    )
    spec = ModelSpec(encoder=process, decoder=decoder, loss=Denoising(), sampler=sampler or DDIM())
    model = compose(spec, Real((mixture.means.shape[1],))).double()

    def denoise(noisy: Tensor, time: Tensor, context: Context | None = None) -> Tensor:
        alpha, sigma = model.encoder.alpha_sigma(time.double())  # type: ignore[operator, union-attr]
        return mixture.posterior_mean(noisy, alpha[:, None], sigma[:, None])

    model.decoder.denoise = denoise  # type: ignore[assignment]
    return model


def three_modes(dims: int = 2) -> Mixture:
    """Return three modes about as wide as they are apart."""
    angles = torch.arange(3, dtype=torch.float64)[:, None] * 2.1 + torch.arange(dims, dtype=torch.float64)
    return Mixture(1.2 * torch.cos(angles), 0.4)
