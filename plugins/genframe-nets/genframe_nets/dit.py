"""The diffusion transformer, as decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from genframe import ContextSpace, DecoderNetwork, Real, into_space

from .activations import activation
from .attention import CrossAttention, SelfAttention
from .initialisation import initialised, zeroed
from .inputs import checked
from .specs.dit import DiT
from .specs.timed import context_sizes
from .time_embedding import TimeEmbedding, frequencies, sinusoids

__all__ = ["DiffusionTransformer"]


class DiffusionTransformer(DecoderNetwork):
    """Patches as tokens with fixed positions, blocks, and a linear layer back to patches."""

    positions: Tensor

    def __init__(self, spec: DiT, latent: Real, data: Real, context: ContextSpace | None) -> None:
        super().__init__()
        self.latent, self.data, self.patch = latent, data, spec.patch
        sizes, patch_dims = context_sizes(context), spec.patch ** (len(data.shape) - 1)
        self.grid = tuple(size // spec.patch for size in data.shape[1:])
        self.register_buffer("positions", grid_positions(self.grid, spec.dim), persistent=False)
        self.embedding = TimeEmbedding(spec.dim, "silu", sizes.vector)
        self.entrance = initialised(nn.Linear(latent.shape[0] * patch_dims, spec.dim), None)
        self.blocks = nn.ModuleList(TransformerBlock(spec, sizes.tokens) for _ in range(spec.depth))
        self.norm = nn.LayerNorm(spec.dim, elementwise_affine=False)
        self.modulation = zeroed(nn.Linear(spec.dim, 2 * spec.dim))
        self.exit = zeroed(nn.Linear(spec.dim, data.shape[0] * patch_dims))

    def forward(
        self,
        latent: Tensor,
        context: Tensor | None = None,
        *,
        sequence: Tensor | None = None,
        mask: Tensor | None = None,
        time: Tensor | None = None,
    ) -> Tensor:
        """Return the output at ``time``, which is 0 unless given: (B, C, ...), (B,) -> (B, C', ...).

        ``context``: (B, D). ``sequence``: (B, L, D), of which ``mask`` (B, L) says by true which tokens are there.
        """
        embedding = self.embedding(latent.new_zeros(len(latent)) if time is None else time, context)
        x = self.entrance(into_patches(checked(latent, self.latent), self.patch)) + self.positions
        for block in self.blocks:
            x = block(x, embedding, sequence, mask)
        shift, scale = self.modulation(embedding)[:, None].chunk(2, -1)  # (B, 1, D) each
        x = self.exit(modulated(self.norm(x), shift, scale))
        return into_space(from_patches(x, self.grid, self.patch), self.data)


class TransformerBlock(nn.Module):
    """Attention, then a perceptron, each shifted and scaled before and scaled behind: adaLN-zero, the identity at first.

    Peebles & Xie 2023, section 3.2. Between the two each token reads those of the context, where there are any (Chen et al.
    2024, section 2.3).
    """

    def __init__(self, spec: DiT, token_dims: int) -> None:
        super().__init__()
        dim, hidden = spec.dim, spec.mlp_ratio * spec.dim
        self.modulation = zeroed(nn.Linear(dim, 6 * dim))
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.attention = SelfAttention(dim, spec.heads)
        self.cross = CrossAttention(dim, spec.heads, token_dims) if token_dims else None
        self.perceptron = nn.Sequential(
            initialised(nn.Linear(dim, hidden), None), activation("gelu"), initialised(nn.Linear(hidden, dim), "gelu")
        )

    def forward(self, x: Tensor, embedding: Tensor, sequence: Tensor | None, mask: Tensor | None) -> Tensor:
        """Return (B, N, D), (B, D) and tokens (B, L, token_dims) -> (B, N, D)."""
        shift, scale, gate, last_shift, last_scale, last_gate = self.modulation(embedding)[:, None].chunk(6, -1)
        x = torch.addcmul(x, gate, self.attention(modulated(self.norm(x), shift, scale)))
        if self.cross is not None:
            x = x + self.cross(x, sequence, mask)
        return torch.addcmul(x, last_gate, self.perceptron(modulated(self.norm(x), last_shift, last_scale)))


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Return (1 + scale) x + shift: (B, N, D), (B, 1, D) twice -> (B, N, D)."""
    return torch.addcmul(shift, x, 1 + scale)


def grid_positions(grid: tuple[int, ...], dims: int) -> Tensor:
    """Return sinusoids of each token's place: equal shares of ``dims`` for the axes, zeros where some are left: (N, dims)."""
    share = dims // (2 * len(grid)) * 2
    places = torch.meshgrid(*(torch.arange(size, dtype=torch.float32) for size in grid), indexing="ij")
    positions = torch.cat([sinusoids(place.flatten(), frequencies(share)) for place in places], 1)  # (N, share * axes)
    return pad(positions, (0, dims - positions.shape[1]))


def into_patches(x: Tensor, patch: int) -> Tensor:
    """Return the patches of ``patch`` a side, row by row: (B, C, ...) -> (B, N, C * patch * ...)."""
    axes = range(x.dim() - 2)
    for axis in axes:
        x = x.unflatten(2 + 2 * axis, (-1, patch))  # (B, C, grid, patch, ...)
    x = x.permute(0, *(2 + 2 * axis for axis in axes), 1, *(3 + 2 * axis for axis in axes))
    return x.flatten(1 + len(axes)).flatten(1, -2)


def from_patches(x: Tensor, grid: tuple[int, ...], patch: int) -> Tensor:
    """Return what :func:`into_patches` took apart: (B, N, C * patch * ...) -> (B, C, ...)."""
    axes = range(len(grid))
    channels = x.shape[2] // patch ** len(grid)
    x = x.reshape(len(x), *grid, channels, *(patch for _ in axes))  # (B, grid ..., C, patch ...)
    x = x.permute(0, 1 + len(grid), *(place for axis in axes for place in (1 + axis, 2 + len(grid) + axis)))
    return x.reshape(*x.shape[:2], *(size * patch for size in grid))
