"""The same VAE trained by pythae's own trainer: same sizes, same batch, same optimizer settings."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import time
from typing import Any

from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn, zeros

__all__ = ["Peer"]


class Encoder(BaseEncoder):
    """784-512-512, then mean and log-variance."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(784, 512), nn.SiLU(), nn.Linear(512, 512), nn.SiLU())
        self.mean, self.log_variance = nn.Linear(512, dim), nn.Linear(512, dim)

    def forward(self, x: Tensor) -> ModelOutput:
        """Return what pythae's VAE reads."""
        features = self.features(x.flatten(1))
        return ModelOutput(embedding=self.mean(features), log_covariance=self.log_variance(features))


class Decoder(BaseDecoder):
    """512-512-784 and a sigmoid."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, 512), nn.SiLU(), nn.Linear(512, 512), nn.SiLU(), nn.Linear(512, 784), nn.Sigmoid()
        )

    def forward(self, z: Tensor) -> ModelOutput:
        """Return what pythae's VAE reads."""
        return ModelOutput(reconstruction=self.layers(z).reshape(-1, 1, 28, 28))


class Peer:
    """Epochs of pythae's trainer over as many batches as the other loops make steps."""

    def __init__(self, images: Tensor, steps: int, batch: int, dim: int, rate: float) -> None:
        logging.disable(logging.INFO)
        config = VAEConfig(input_dim=(1, 28, 28), latent_dim=dim, reconstruction_loss="bce")
        self.model = VAE(config, encoder=Encoder(dim), decoder=Decoder(dim))
        self.parameters = sum(parameter.numel() for parameter in self.model.parameters())
        self.steps = steps
        self.trainer = self._trainer(images[: steps * batch].float() / 255, batch, rate)

    def _trainer(self, x: Tensor, batch: int, rate: float) -> Any:
        settings = BaseTrainerConfig(
            output_dir=tempfile.mkdtemp(prefix="pythae-"),
            per_device_train_batch_size=batch,
            num_epochs=1,
            optimizer_cls="AdamW",
            optimizer_params={"weight_decay": 0.0},
            learning_rate=rate,
            no_cuda=True,
        )
        data = BaseDataset(x, zeros(len(x)))
        with contextlib.redirect_stdout(io.StringIO()):
            trainer = BaseTrainer(self.model, data, training_config=settings)
            trainer.prepare_training()
        return trainer

    def seconds(self) -> float:
        """Train one epoch and return the seconds of a step."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            start = time.perf_counter()
            self.trainer.train_step(epoch=1)
            return (time.perf_counter() - start) / self.steps
