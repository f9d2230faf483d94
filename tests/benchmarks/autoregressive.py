"""Autoregressive models by genframe, by hand and by x-transformers where it is installed: training steps and samples."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Categorical, Model, ModelSpec, Real, compose, generator_for
from genframe.training.settings import TrainSpec
from genframe_autoregressive.sequence import recomputed

from . import setup
from .pairs import compare

DIM, DEPTH, HEADS, LENGTH, VALUES = 128, 4, 4, 784, 2
BATCH, STEPS, RATE, DRAWS, PAIRS = 8, 1, 1e-3, 16, 5
NAIVE_DRAWS, NAIVE_VALUES = 4, 28
"""The naive PixelCNN is timed over so many of its 784 values and taken as often as it must be."""


class Block(nn.Module):
    """A pre-norm transformer block with rotary positions, and a key-value cache of fixed size."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.qkv, self.out = nn.Linear(DIM, 3 * DIM, bias=False), nn.Linear(DIM, DIM, bias=False)
        self.up, self.down = nn.Linear(DIM, 4 * DIM), nn.Linear(4 * DIM, DIM)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, cache: Tensor | None = None, at: int = 0) -> Tensor:
        """Return (B, T, dim); with a cache (2, B, heads, length, head), of the single token at position ``at``."""
        q, k, v = self.qkv(self.first(x)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, T, head) each
        q, k = (torch.addcmul(t * cos, torch.cat(t.chunk(2, -1)[::-1], -1), sin) for t in (q, k))
        if cache is None:
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            cache[0, :, :, at : at + 1], cache[1, :, :, at : at + 1] = k, v
            attended = F.scaled_dot_product_attention(q, cache[0, :, :, : at + 1], cache[1, :, :, : at + 1])
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.second(x))))


class Transformer(nn.Module):
    """A decoder-only transformer with a learned start."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.tokens = nn.Parameter(torch.zeros(1, 1, DIM)), nn.Embedding(VALUES, DIM)
        self.blocks = nn.ModuleList(Block() for _ in range(DEPTH))
        self.norm, self.head = nn.LayerNorm(DIM), nn.Linear(DIM, VALUES)
        head = DIM // HEADS
        angle = torch.outer(torch.arange(LENGTH), 10000 ** (-torch.arange(0, head, 2) / head))
        self.cos, self.sin = torch.cat((angle.cos(),) * 2, -1), torch.cat((-angle.sin(), angle.sin()), -1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of sequences (B, length)."""
        h = torch.cat((self.start.expand(len(x), 1, -1), self.tokens(x[:, :-1])), 1)
        for block in self.blocks:
            h = block(h, self.cos, self.sin)
        return F.cross_entropy(self.head(self.norm(h)).flatten(0, 1), x.flatten(), reduction="sum") / len(x)

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Return sequences (n, length)."""
        cache = torch.empty(DEPTH, 2, n, HEADS, LENGTH, DIM // HEADS)
        drawn = torch.empty(n, LENGTH, dtype=torch.long)
        for t in range(LENGTH):
            h = self.tokens(drawn[:, t - 1 : t]) if t else self.start.expand(n, 1, -1)
            for block, kept in zip(self.blocks, cache, strict=True):
                h = block(h, self.cos[t : t + 1], self.sin[t : t + 1], kept, t)
            drawn[:, t] = torch.multinomial(self.head(self.norm(h[:, 0])).softmax(1), 1)[:, 0]
        return drawn


def model(prior: dict[str, Any], space: Categorical | Real) -> Model:
    """Return a model of the data themselves."""
    parts = {"encoder": "core/identity", "decoder": "core/identity", "loss": "core/nll"}
    return compose(ModelSpec.model_validate({**parts, "prior": prior}), space)


def by_hand(net: Transformer, x: Tensor) -> Callable[[], float]:
    """Return the seconds of a training step by hand."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, fused=True, weight_decay=0.0)

    def seconds() -> float:
        batches = torch.randperm(len(x)).split(BATCH)[:STEPS]
        start = time.perf_counter()
        for indices in batches:
            optimizer.zero_grad()
            loss = net(x[indices])
            loss.backward()
            optimizer.step()
            loss.item()
        return (time.perf_counter() - start) / STEPS

    return seconds


@torch.no_grad()
def seconds(draw: Callable[[], object]) -> float:
    """Return the seconds of drawing once."""
    start = time.perf_counter()
    draw()
    return time.perf_counter() - start


def measure() -> dict[str, Any]:
    """Alternate training steps of the transformer, then samplers of it, then samplers of a PixelCNN."""
    return {**_transformer(), "pixelcnn": _pixelcnn()}


def _transformer() -> dict[str, Any]:
    space = Categorical((LENGTH,), VALUES)
    composed = model({"type": "autoregressive/transformer", "dim": DIM, "depth": DEPTH, "heads": HEADS}, space)
    hand, x = Transformer(), torch.randint(VALUES, (64, LENGTH))
    counts = {"genframe": composed, "by hand": hand, **({"x-transformers": peer()} if has_peer() else {})}
    parameters = {name: sum(p.numel() for p in module.parameters()) for name, module in counts.items()}
    print("transformer: parameters " + ", ".join(f"{name} {count:,}" for name, count in parameters.items()))
    settings = {"steps": STEPS, "batch_size": BATCH, "lr": RATE, "log_every": 1, "device": "cpu"}
    framework = setup.Framework(TrainSpec.model_validate(settings), composed, setup.dataset(space, x))
    training = compare({"genframe": framework.seconds, "by hand": by_hand(hand, x)}, "by hand", 15)
    draws: dict[str, Callable[[], object]] = {
        "genframe": lambda: composed.prior.sample(DRAWS),
        "by hand": lambda: hand.sample(DRAWS),
    }
    if has_peer():
        other = counts["x-transformers"]
        draws["x-transformers"] = lambda: other.generate(torch.zeros(DRAWS, 1, dtype=torch.long), LENGTH, cache_kv=True)  # type: ignore[operator]
    ways = {name: (lambda draw=draw: seconds(draw)) for name, draw in draws.items()}
    return {"parameters": parameters, "training": training, "sampling": compare(ways, "by hand", PAIRS)}


def has_peer() -> bool:
    """Return whether x-transformers is installed."""
    return importlib.util.find_spec("x_transformers") is not None


def peer() -> nn.Module:
    """Return x-transformers' decoder as its README makes it, with the sizes of ours; flash attention, as we have it."""
    from x_transformers import AutoregressiveWrapper, Decoder, TransformerWrapper

    layers = Decoder(dim=DIM, depth=DEPTH, heads=HEADS, attn_dim_head=DIM // HEADS, rotary_pos_emb=True, attn_flash=True)
    return AutoregressiveWrapper(TransformerWrapper(num_tokens=VALUES, max_seq_len=LENGTH + 1, attn_layers=layers)).eval()


def _pixelcnn() -> dict[str, Any]:
    space = Real((1, 28, 28), 0, 1, levels=2)
    prior: Any = model({"type": "autoregressive/pixelcnn", "channels": 32, "layers": 7}, space).prior.eval()

    @torch.no_grad()
    def naive() -> float:
        step = recomputed(prior, NAIVE_DRAWS, None)
        start = time.perf_counter()
        for _ in range(NAIVE_VALUES):
            step(torch.zeros(NAIVE_DRAWS, dtype=torch.long))
        return (time.perf_counter() - start) * LENGTH / NAIVE_VALUES

    generator = generator_for("cpu", 0)
    print(f"pixelcnn: {NAIVE_DRAWS} images; the naive time is {NAIVE_VALUES} values' times {LENGTH / NAIVE_VALUES:g}")
    ways = {"cached": lambda: seconds(lambda: prior.sample(NAIVE_DRAWS, None, generator)), "naive": naive}
    return compare(ways, "naive", PAIRS)
