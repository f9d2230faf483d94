"""Slow: char-shakespeare beside a hand-written loop in the manner of nanoGPT, with as many parameters and steps.

``GENFRAME_SHAKESPEARE`` names the text; ``pytest -m slow -s`` prints both figures.
"""

from __future__ import annotations

import math
import os

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genframe import Split, evaluate, train
from genframe.experiment.document.loading import read_experiment

TEXT = os.environ.get("GENFRAME_SHAKESPEARE")
STEPS = os.environ.get("GENFRAME_STEPS")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(TEXT is None, reason="GENFRAME_SHAKESPEARE does not name a text")]

DIM, DEPTH, HEADS, LENGTH, BATCH, RATE, WARMUP = 128, 4, 4, 128, 32, 3e-3, 100


class Block(nn.Module):
    """Attention and a perceptron behind norms, without biases in attention."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.qkv, self.out = nn.Linear(DIM, 3 * DIM, bias=False), nn.Linear(DIM, DIM, bias=False)
        self.up, self.down = nn.Linear(DIM, 4 * DIM), nn.Linear(4 * DIM, DIM)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, dim)."""
        q, k, v = self.qkv(self.first(x)).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.second(x))))


class ByHand(nn.Module):
    """Learned positions, a head tied to the embedding, and one more token to start from; weights N(0, 0.02)."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(values + 1, DIM), nn.Embedding(LENGTH, DIM)
        self.blocks, self.norm = nn.Sequential(*(Block() for _ in range(DEPTH))), nn.LayerNorm(DIM)
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                branch = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * DEPTH) if branch else 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return the nats of each window: (B, T) -> (B,)."""
        start = x.new_full((len(x), 1), len(self.tokens.weight) - 1)
        h = self.tokens(torch.cat((start, x[:, :-1]), 1)) + self.places.weight
        logits = F.linear(self.norm(self.blocks(h)), self.tokens.weight[:-1])
        return F.cross_entropy(logits.flatten(0, 1), x.flatten(), reduction="none").view(x.shape).sum(1)


def trained(net: ByHand, split: Split, steps: int) -> None:
    """Train with AdamW, decay on matrices alone, a cosine after the warm-up and gradients clipped at 1, in bfloat16."""
    groups = [[p for p in net.parameters() if (p.dim() > 1) == matrix] for matrix in (True, False)]
    optimizer = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.1}, {"params": groups[1], "weight_decay": 0.0}], betas=(0.9, 0.99), fused=True
    )
    for step in range(steps):
        rate = min((step + 1) / WARMUP, 0.55 + 0.45 * math.cos(math.pi * max(0, step - WARMUP) / (steps - WARMUP)))
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate
        with torch.autocast("cpu", torch.bfloat16):
            loss = net(split.batch(torch.randint(len(split), (BATCH,))).x).mean() / LENGTH
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()


def test_bits_are_those_of_a_loop_by_hand() -> None:
    """On the same windows the recipe needs at most 2 % more bits for a character than the loop by hand."""
    spec = read_experiment("char-shakespeare", [f"data.path={TEXT}", *([f"train.steps={STEPS}"] if STEPS else [])]).spec
    data = spec.data.load()
    run = train(spec, data=data)
    ours = {result.name: result for result in evaluate(run, data=data).results}["bits_per_character"]
    torch.manual_seed(0)
    net = ByHand(data.space.size)  # type: ignore[union-attr]
    trained(net, data.split("train"), spec.train.steps)
    net.eval()
    with torch.no_grad():
        nats = torch.cat([net(batch.x) for batch in data.split("test").batches(256)])
    theirs = float(nats.mean()) / LENGTH / math.log(2)
    counts = [sum(parameter.numel() for parameter in module.parameters()) for module in (run.model, net)]
    print(f"\ngenframe {ours.value:.4f} ± {ours.standard_error:.4f} bits/character, {counts[0]:,} parameters", end="; ")
    print(f"by hand {theirs:.4f}, {counts[1]:,} parameters; {spec.train.steps} steps of {BATCH} windows of {LENGTH}")
    assert ours.value <= 1.02 * theirs
