"""The loss of a vector-quantised autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from torch import Tensor

from genframe import Batch, Categorical, Context, Loss, LossOutput, Model, Spaces
from genframe.traits import Likelihood

from .counting import UseWindow, code_counts, codebooks_of, perplexity, usage
from .traits import VectorQuantised

if TYPE_CHECKING:
    from .specs import VqVae

__all__ = ["VqVaeLoss"]


class VqVaeLoss(Loss):
    """Reconstruction + codebook + beta · commitment + entropy."""

    def __init__(self, spec: VqVae, spaces: Spaces) -> None:
        super().__init__()
        self.beta, self.entropy = spec.beta, spec.entropy
        self.codes = cast(Categorical, spaces.code)
        self.codebooks = codebooks_of(spaces.latent, spaces.code)
        self.use = UseWindow(self.codebooks, self.codes.size, spec.window)

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the loss with its terms before they are weighted, and while training how codes are used."""
        context = model.context(batch.condition)
        found = cast(VectorQuantised, model.encoder).quantised(batch.x, context)
        name, reconstruction = self._reconstruction(model, found.latent, batch.x, context)
        total = reconstruction + found.codebook + self.beta * found.commitment + self.entropy * found.entropy
        metrics = {name: reconstruction, "commitment": found.commitment}
        if self.training:
            counts = self.use.add(code_counts(found.indices, self.codes, self.codebooks), len(batch.x))
            metrics |= {"perplexity": perplexity(counts), "usage": usage(counts)}
        return LossOutput(total, {key: value.detach() for key, value in metrics.items()})

    @staticmethod
    def _reconstruction(model: Model, latent: Tensor, x: Tensor, context: Context | None) -> tuple[str, Tensor]:
        """Return minus the log-likelihood of data, or their squared error, and its name; summed over dimensions."""
        if hasattr(model.decoder, "likelihood"):  # Likelihood, whose isinstance costs 20 µs a step in Python 3.11
            return "distortion", -cast(Likelihood, model.decoder).likelihood(latent, context).log_prob(x).mean()
        return "error", (model.decoder.decode(latent, context) - x).square().sum() / len(x)
