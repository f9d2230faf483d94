"""Whether the loops of the benchmark ``diffusion`` learn the same: their loss on held-out pictures while they train."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from statistics import mean, stdev
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from genframe import Model, Real
from genframe_data.shapes import Shapes

from . import setup
from .diffusion import BATCH, IMAGE, UNET, ByHand, Diffusers, denoiser, noised, settings

MARKS, SEEDS, HELD_OUT = (50, 100, 200), 2, 512
Advance: TypeAlias = Callable[[int], object]
Predict: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def measure() -> dict[str, Any]:
    """Return each loop's mean squared error of the noise after some steps, with the standard error of the mean over seeds.

    Pictures are drawn shapes; the times and the noise of the held-out ones are the same for all.
    """
    split = Shapes(n=BATCH * MARKS[-1] + HELD_OUT, test=HELD_OUT).load().split
    train, test = split("train"), split("test")
    x, clean = train.batch(slice(None)).x, 2 * test.batch(slice(None)).x - 1
    torch.manual_seed(0)
    noise, step = torch.randn_like(clean), torch.randint(1000, (len(clean),))
    found: dict[str, list[list[float]]] = {}
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        for name, (advance, predict) in _loops(x).items():
            curve = found.setdefault(name, [])
            curve.append([])
            for before, mark in zip((0, *MARKS), MARKS, strict=False):
                advance(mark - before)
                curve[-1].append(_loss(predict, clean, noise, step))
            print(f"seed {seed}, {name:<28} " + "  ".join(f"{loss:.4f}" for loss in curve[-1]), flush=True)
    table: dict[str, Any] = {"steps": MARKS, "seeds": SEEDS}
    for name, curves in found.items():
        table[name] = [{"loss": mean(ends), "error": stdev(ends) / SEEDS**0.5} for ends in zip(*curves, strict=True)]
        print(f"{name:<28} " + "  ".join(f"{mark['loss']:.4f} ± {mark['error']:.4f}" for mark in table[name]))
    return table


def _loops(x: Tensor) -> dict[str, tuple[Advance, Predict]]:
    space = Real(IMAGE, 0, 1, levels=256)
    data = setup.dataset(space, x)

    def framework(**options: object) -> tuple[Advance, Predict]:
        model = denoiser(UNET, space)
        training = setup.Framework(settings(1, **options), model, data)
        return training.advance, _predicted_by(model)

    hand = ByHand(denoiser(UNET, space).decoder.network)
    loops = {
        "genframe": framework(),
        "genframe, compiled, bfloat16": framework(compile="on", precision="bfloat16"),
        "by hand": (lambda steps: hand.train(x, BATCH, steps), hand.predict),
    }
    if find_spec("diffusers") and find_spec("accelerate"):
        peer = Diffusers()
        loops["diffusers"] = (lambda steps: peer.train(x, BATCH, steps), lambda noisy, step: peer.network(noisy, step).sample)
    return loops


def _predicted_by(model: Model) -> Predict:
    """Return how the model predicts noise, whose network sees noisy data at unit scale."""
    decoder: Any = model.decoder

    def predict(noisy: Tensor, step: Tensor) -> Tensor:
        time = (step + 1) / 1000
        return decoder.predict(noisy, time, decoder.coefficients(*decoder.process.alpha_sigma(time)).scale)  # type: ignore[no-any-return]

    return predict


@torch.no_grad()
def _loss(predict: Predict, clean: Tensor, noise: Tensor, step: Tensor) -> float:
    parts = zip(noised(clean, noise, step).split(64), step.split(64), strict=True)
    return float(F.mse_loss(torch.cat([predict(noisy, when) for noisy, when in parts]), noise))
