"""A denoising UNet trained and sampled by genframe, by hand, and by diffusers where it is installed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import ContextSpace, Decoder, DecoderNetwork, DecoderSpec, Encoder, Model, Real, Space, Spaces, TrainSpec, traits
from genframe.types import TimeConditioned, TraitSet

from . import setup
from .pairs import compare

RATE = 1e-3
IMAGE, CHANNELS, BATCH, STEPS, DRAWN, WALK = (3, 32, 32), (32, 64, 64), 16, 3, 64, 4
TINY_STEPS = 200
KEPT = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)
ALPHA, SIGMA = KEPT.sqrt(), (1 - KEPT).sqrt()


class Scale(DecoderSpec):
    """A network of one weight."""

    type: Literal["bench/scale"] = "bench/scale"
    provides: ClassVar[TraitSet] = traits(TimeConditioned)

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept anything."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Build the network."""
        return ScaleDecoder()


class ScaleDecoder(DecoderNetwork):
    """Its input times a weight, whatever the time."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, latent: Tensor, context: Any = None, *, time: Tensor | None = None) -> Tensor:
        """Return the product."""
        return self.weight * latent


UNET = {"type": "nets/unet", "channels": list(CHANNELS), "blocks": 2}


def denoiser(network: object, space: Real) -> Model:
    """Return a model of DDPM's chain that predicts noise."""
    spec = {
        "encoder": {"type": "diffusion/vp", "steps": 1000},
        "decoder": {"type": "diffusion/denoiser", "prediction": "noise", "network": network},
        "loss": {"type": "diffusion/denoising", "low_discrepancy": False},
        "sampler": {"type": "diffusion/ddim", "steps": WALK},
    }
    return setup.model(spec, space)


def noised(clean: Tensor, noise: Tensor, step: Tensor) -> Tensor:
    """Return data of [-1, 1] after some steps of the chain of Ho et al. 2020."""
    shape = (-1, *(1,) * (clean.dim() - 1))
    return ALPHA[step].reshape(shape) * clean + SIGMA[step].reshape(shape) * noise


class ByHand:
    """The chain and the loss of Ho et al. 2020, around a network."""

    def __init__(self, network: Any) -> None:
        self.network = network
        parameters: Iterable[nn.Parameter] = list(network.parameters())
        self.optimizer = torch.optim.AdamW(parameters, lr=RATE, fused=True, weight_decay=0.0)

    def train(self, x: Tensor, batch: int, steps: int, precision: str = "float32") -> float:
        """Train on, and return the seconds of a step."""
        optimizer = self.optimizer
        batches = torch.randperm(len(x)).split(batch)[:steps]
        start = time.perf_counter()
        for indices in batches:
            clean = 2 * x[indices] - 1
            noise, step = torch.randn_like(clean), torch.randint(1000, (len(clean),))
            noisy = noised(clean, noise, step)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                predicted = self.predict(noisy, step)
                loss = F.mse_loss(predicted.float(), noise)
            loss.backward()
            optimizer.step()
            loss.item()
        return (time.perf_counter() - start) / steps

    def predict(self, noisy: Tensor, step: Tensor) -> Tensor:
        """Return the noise in noisy data."""
        predicted: Tensor = self.network(noisy, time=step + 1.0)
        return predicted

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Return data by DDIM."""
        x = torch.randn(n, *IMAGE)
        places = list(range(1000 - 1, 0, -1000 // WALK))
        for here, there in zip(places, [*places[1:], -1], strict=True):
            alpha, sigma = float(ALPHA[here]), float(SIGMA[here])
            next_alpha, next_sigma = (float(ALPHA[there]), float(SIGMA[there])) if there >= 0 else (1.0, 0.0)
            noise = self.predict(x, torch.full((n,), here))
            clean = ((x - sigma * noise) / alpha).clamp(-1, 1)
            x = next_alpha * clean + next_sigma * (x - alpha * clean) / sigma
        return (x + 1) / 2


class Diffusers:
    """The peer's network, scheduler and pipeline, in the loop of its README."""

    def __init__(self) -> None:
        from accelerate import Accelerator
        from diffusers import DDIMPipeline, DDIMScheduler, DDPMScheduler, UNet2DModel

        self.network = UNet2DModel(
            sample_size=32,
            block_out_channels=CHANNELS,
            layers_per_block=2,
            norm_num_groups=8,
            down_block_types=("DownBlock2D",) * 3,
            up_block_types=("UpBlock2D",) * 3,
        )
        self.scheduler, self.accelerator = DDPMScheduler(1000), Accelerator(cpu=True)
        self.pipeline = DDIMPipeline(self.network, DDIMScheduler(1000))
        self.pipeline.set_progress_bar_config(disable=True)
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=0.0)
        self.prepared, self.optimizer = self.accelerator.prepare(self.network, optimizer)

    def train(self, x: Tensor, batch: int, steps: int) -> float:
        """Train on, and return the seconds of a step."""
        network, optimizer = self.prepared, self.optimizer
        chosen = 2 * x[torch.randperm(len(x))[: batch * steps]] - 1
        loader = self.accelerator.prepare(torch.utils.data.DataLoader(chosen, batch_size=batch, shuffle=True))
        start = time.perf_counter()
        for clean in loader:
            noise = torch.randn(clean.shape)
            step = torch.randint(0, 1000, (len(clean),), dtype=torch.int64)
            noisy = self.scheduler.add_noise(clean, noise, step)
            with self.accelerator.accumulate(network):
                predicted = network(noisy, step, return_dict=False)[0]
                loss = F.mse_loss(predicted, noise)
                self.accelerator.backward(loss)
                self.accelerator.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
            loss.detach().item()
        return (time.perf_counter() - start) / steps

    def sample(self, n: int) -> object:
        """Return pictures by DDIM."""
        return self.pipeline(batch_size=n, num_inference_steps=WALK, output_type="np").images


def measure() -> dict[str, Any]:
    """Alternate whole steps and walks of the UNet, and steps with a network of one weight."""
    space, tiny = Real(IMAGE, 0, 1, levels=256), Real((2,), 0, 1)
    x, points = torch.rand(BATCH * STEPS, *IMAGE), torch.rand(BATCH * TINY_STEPS, 2)
    plain, fast = denoiser(UNET, space), denoiser(UNET, space)
    hand = ByHand(denoiser(UNET, space).decoder.network)
    peer = Diffusers() if find_spec("diffusers") and find_spec("accelerate") else None
    counts = {"genframe": _count(plain.decoder), "by hand": _count(hand.network)}
    if peer is not None:
        counts["diffusers"] = _count(peer.network)
    print("parameters " + ", ".join(f"{way} {count:,}" for way, count in counts.items()))
    return {
        "parameters": counts,
        "loop": compare(_loop(tiny, points), "by hand"),
        "training": compare(_training(plain, fast, hand, peer, x, space), "by hand"),
        "sampling": compare(_sampling(plain, hand, peer), "by hand"),
    }


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def settings(steps: int, **fields: object) -> TrainSpec:
    """Return how genframe trains here."""
    found = {"steps": steps, "batch_size": BATCH, "lr": RATE, "log_every": steps, "device": "cpu", **fields}
    return TrainSpec.model_validate(found)


def _loop(space: Real, points: Tensor) -> dict[str, Callable[[], float]]:
    framework = setup.Framework(settings(TINY_STEPS), denoiser(Scale(), space), setup.dataset(space, points))
    hand = ByHand(ScaleDecoder())
    return {"genframe": framework.seconds, "by hand": lambda: hand.train(points, BATCH, TINY_STEPS)}


def _training(
    plain: Model, fast: Model, hand: ByHand, peer: Diffusers | None, x: Tensor, space: Real
) -> dict[str, Callable[[], float]]:
    data = setup.dataset(space, x)
    compiled = settings(STEPS, compile="on", precision="bfloat16")
    ways = {
        "genframe": setup.Framework(settings(STEPS), plain, data).seconds,
        "genframe, compiled, bfloat16": setup.Framework(compiled, fast, data).seconds,
        "by hand": lambda: hand.train(x, BATCH, STEPS),
        "by hand, bfloat16": lambda: hand.train(x, BATCH, STEPS, "bfloat16"),
    }
    if peer is not None:
        ways["diffusers"] = lambda: peer.train(x, BATCH, STEPS)
    return ways


def _sampling(plain: Model, hand: ByHand, peer: Diffusers | None) -> dict[str, Callable[[], float]]:
    ways: dict[str, Callable[[], object]] = {
        "genframe": lambda: plain.sample(DRAWN),
        "genframe, compiled": lambda: plain.sample(DRAWN, compile=True),
        "genframe, compiled, bfloat16": lambda: plain.sample(DRAWN, compile=True, precision="bfloat16"),
        "by hand": lambda: hand.sample(DRAWN),
    }
    if peer is not None:
        ways["diffusers"] = lambda: peer.sample(DRAWN)
    return {way: lambda draw=draw: _seconds(draw) for way, draw in ways.items()}  # type: ignore[misc]


@torch.no_grad()
def _seconds(draw: Callable[[], object]) -> float:
    start = time.perf_counter()
    draw()
    return time.perf_counter() - start
