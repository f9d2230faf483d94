"""The loss of a vector-quantised autoencoder."""

from __future__ import annotations

from torch import Tensor

from genframe import Batch, Context, Loss, LossOutput, Model
from genframe.types import Likelihood

from .counting import UseWindow, code_counts, perplexity, usage
from .traits import Quantisation, VectorQuantised

__all__ = ["VqVaeLoss"]


class VqVaeLoss(Loss):
    """Reconstruction + codebook + beta · commitment + entropy. van den Oord et al. 2017, eq. 3.

    ``size`` and ``columns`` are those of the quantiser: the values of an index, and the indices of a position.

    >>> import torch
    >>> from genframe_vq import VectorQuantiser
    >>> _ = torch.manual_seed(0)
    >>> loss = VqVaeLoss(size=32, beta=0.25)
    >>> found = VectorQuantiser(size=32, dim=4)(torch.randn(8, 4))
    >>> loss.total(torch.tensor(1.5), found).shape
    torch.Size([])
    """

    def __init__(self, size: int, columns: int = 1, *, beta: float = 0.25, entropy: float = 0.1, window: int = 10_000) -> None:
        super().__init__()
        self.beta, self.entropy = beta, entropy
        self.use = UseWindow(columns, size, window)

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the loss with its terms before they are weighted, and in training mode how codes are used."""
        context = model.context(batch.condition)
        found = model.part("encoder", VectorQuantised).quantised(batch.x, context)
        name, reconstruction = self._reconstruction(model, found.latent, batch.x, context)
        metrics = {name: reconstruction, "commitment": found.commitment}
        if self.training:
            counts = self.use.add(code_counts(found.indices, *self.use.present.shape), len(batch.x))
            metrics |= {"perplexity": perplexity(counts), "usage": usage(counts)}
        total = self.total(reconstruction, found)
        return LossOutput(total, {key: value.detach() for key, value in metrics.items()})

    def total(self, reconstruction: Tensor, found: Quantisation) -> Tensor:
        """Return the sum of a reconstruction's error (a scalar) and the weighted terms of quantisation."""
        return reconstruction + found.codebook + self.beta * found.commitment + self.entropy * found.entropy

    @staticmethod
    def _reconstruction(model: Model, latent: Tensor, x: Tensor, context: Context | None) -> tuple[str, Tensor]:
        """Return minus the log-likelihood of data in nats, or their squared error, and its name; summed over dimensions."""
        if hasattr(model.decoder, "likelihood"):  # Likelihood, whose isinstance costs 20 µs a step in Python 3.11
            return "distortion", -model.part("decoder", Likelihood).likelihood(latent, context).log_prob(x).mean()
        return "error", (model.decoder.decode(latent, context) - x).square().sum() / len(x)
