"""The diffusion transformer, as decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from genframe import ContextSpace, DecoderNetwork, Real, into_space, vector_dims

from .activations import activation
from .attention import CrossAttention, SelfAttention
from .initialisation import initialised, zeroed
from .inputs import checked, token_dims
from .time_embedding import TimeEmbedding, frequencies, sinusoids

__all__ = ["DiffusionTransformer"]


class DiffusionTransformer(DecoderNetwork):
    """A transformer over patches that reads a time. Peebles & Xie 2023, section 3.

    Each patch is a token with a fixed position; a linear layer maps tokens back to patches. The output starts at zero. A
    sigmoid maps into the bounds of bounded data.

    :param latent: the space of the input: channels and 1, 2 or 3 spatial axes.
    :param data: the space of the output, on the same grid.
    :param context: the space of the context. Its vector is added to the time (adaLN-zero); its sequence is read by
        cross-attention in each block, whatever the tokens' order (Chen et al. 2024, section 2.3).
    :param patch: positions of a patch along each axis; divides them.
    :param dim: size of each token.
    :param depth: number of blocks.
    :param heads: heads of each attention, which share ``dim``.
    :param mlp_ratio: hidden size of each block's perceptron, in multiples of ``dim``.

    >>> _ = torch.manual_seed(0)
    >>> image, context = Real((1, 8, 8)), ContextSpace(sequence=Real((7, 5)))  # 7 tokens of 5 values
    >>> dit = DiffusionTransformer(image, image, context, dim=16, depth=2)
    >>> x, tokens = torch.randn(2, 1, 8, 8), torch.randn(2, 7, 5)
    >>> mask = torch.arange(7) < torch.tensor([[7], [4]])  # the second text has 4 tokens
    >>> dit(x, sequence=tokens, mask=mask, time=torch.rand(2)).shape
    torch.Size([2, 1, 8, 8])
    """

    positions: Tensor

    def __init__(
        self,
        latent: Real,
        data: Real,
        context: ContextSpace | None = None,
        *,
        patch: int = 2,
        dim: int = 128,
        depth: int = 6,
        heads: int = 4,
        mlp_ratio: int = 4,
    ) -> None:
        super().__init__()
        self.latent, self.data, self.patch = latent, data, patch
        patch_dims = patch ** (len(data.shape) - 1)
        self.grid = tuple(size // patch for size in data.shape[1:])
        self.register_buffer("positions", grid_positions(self.grid, dim), persistent=False)
        self.embedding = TimeEmbedding(dim, "silu", vector_dims(context))
        self.entrance = initialised(nn.Linear(latent.shape[0] * patch_dims, dim), None)
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads, mlp_ratio, token_dims(context)) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.modulation = zeroed(nn.Linear(dim, 2 * dim))
        self.exit = zeroed(nn.Linear(dim, data.shape[0] * patch_dims))

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
    """Attention, then a perceptron; the time shifts and scales the input of each and scales its output.

    This is adaLN-zero, the identity at first (Peebles & Xie 2023, section 3.2). Between the two each token reads those of the
    context where ``tokens``, their size, is not zero (Chen et al. 2024, section 2.3).
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: int, tokens: int = 0) -> None:
        super().__init__()
        hidden = mlp_ratio * dim
        self.modulation = zeroed(nn.Linear(dim, 6 * dim))
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.attention = SelfAttention(dim, heads)
        self.cross = CrossAttention(dim, heads, tokens) if tokens else None
        self.perceptron = nn.Sequential(
            initialised(nn.Linear(dim, hidden), None), activation("gelu"), initialised(nn.Linear(hidden, dim), "gelu")
        )

    def forward(self, x: Tensor, embedding: Tensor, sequence: Tensor | None, mask: Tensor | None) -> Tensor:
        """Return (B, N, D), (B, D) and tokens (B, L, tokens) -> (B, N, D)."""
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
