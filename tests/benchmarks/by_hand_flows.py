"""Flows as one writes them by hand, with the same layers and the same maths as genframe's and nothing around them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Glow", "RealNvp", "Spline"]

LOG_2PI = math.log(2 * math.pi)


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Return two hidden layers, the last layer zero."""
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), last)


def nll(z: Tensor, log_det: Tensor) -> Tensor:
    """Return the mean negative log-density under a standard normal, in nats."""
    return (0.5 * (z.square() + LOG_2PI).sum(1) - log_det).mean()


class RealNvp(nn.Module):
    """Affine couplings of halves, in turns."""

    def __init__(self, dims: int, couplings: int, hidden: int) -> None:
        super().__init__()
        self.dims, self.half = dims, dims // 2
        self.nets = nn.ModuleList(perceptron(self.half, hidden, dims) for _ in range(couplings))

    def forward(self, x: Tensor) -> Tensor:
        """Return the loss."""
        first, last = x.chunk(2, 1)
        log_det = torch.zeros(len(x))
        for net in self.nets:
            shift, log_scale = net(first).chunk(2, 1)
            last = torch.addcmul(shift, last, log_scale.exp())
            log_det = log_det + log_scale.sum(1)
            first, last = last, first
        return nll(torch.cat((first, last), 1), log_det)

    def sample(self, n: int) -> Tensor:
        """Return samples."""
        first, last = torch.randn(n, self.dims).chunk(2, 1)
        for net in reversed(self.nets):
            first, last = last, first
            shift, log_scale = net(first).chunk(2, 1)
            last = (last - shift) * log_scale.neg().exp()
        return torch.cat((first, last), 1)


def rational_quadratic(x: Tensor, parameters: Tensor, bins: int, bound: float, *, inverse: bool) -> tuple[Tensor, Tensor]:
    """Return monotone rational-quadratic splines and log-derivatives: (B, D), (B, 3 bins - 1, D)."""
    least = 1e-3
    widths, heights, slopes = parameters.split((bins, bins, bins - 1), 1)
    widths = least + (1 - least * bins) * torch.softmax(widths, 1)
    heights = least + (1 - least * bins) * torch.softmax(heights, 1)
    slopes = F.pad(least + F.softplus(slopes + math.log(math.expm1(1 - least))), (0, 0, 1, 1), value=1.0)
    knots_x = F.pad(2 * bound * widths.cumsum(1) - bound, (0, 0, 1, 0), value=-bound)
    knots_y = F.pad(2 * bound * heights.cumsum(1) - bound, (0, 0, 1, 0), value=-bound)
    inside = x.abs() < bound
    safe = torch.where(inside, x, 0)
    index = (safe[:, None] >= (knots_y if inverse else knots_x)[:, 1:-1]).sum(1, keepdim=True)
    left, right = knots_x.gather(1, index)[:, 0], knots_x.gather(1, index + 1)[:, 0]
    low, high = knots_y.gather(1, index)[:, 0], knots_y.gather(1, index + 1)[:, 0]
    d0, d1 = slopes.gather(1, index)[:, 0], slopes.gather(1, index + 1)[:, 0]
    width, height = right - left, high - low
    slope = height / width
    excess = d0 + d1 - 2 * slope
    if inverse:
        rise = safe - low
        a = height * (slope - d0) + rise * excess
        b = height * d0 - rise * excess
        c = -slope * rise
        t = 2 * c / (-b - (b.square() - 4 * a * c).sqrt())
        return torch.where(inside, left + t * width, x), x
    t = (safe - left) / width
    u = t * (1 - t)
    below = slope + excess * u
    y = low + height * (slope * t.square() + d0 * u) / below
    log_slope = (slope.square() * (d1 * t.square() + 2 * slope * u + d0 * (1 - t).square())).log() - 2 * below.log()
    return torch.where(inside, y, x), torch.where(inside, log_slope, 0)


class Spline(nn.Module):
    """Rational-quadratic couplings of halves, in turns."""

    def __init__(self, dims: int, couplings: int, hidden: int, bins: int, bound: float) -> None:
        super().__init__()
        self.dims, self.half, self.bins, self.bound = dims, dims // 2, bins, bound
        self.nets = nn.ModuleList(perceptron(self.half, hidden, self.half * (3 * bins - 1)) for _ in range(couplings))

    def forward(self, x: Tensor) -> Tensor:
        """Return the loss."""
        first, last = x.chunk(2, 1)
        log_det = torch.zeros(len(x))
        for net in self.nets:
            parameters = net(first).unflatten(1, (-1, self.half))
            last, log_slope = rational_quadratic(last, parameters, self.bins, self.bound, inverse=False)
            log_det = log_det + log_slope.sum(1)
            first, last = last, first
        return nll(torch.cat((first, last), 1), log_det)

    def sample(self, n: int) -> Tensor:
        """Return samples."""
        first, last = torch.randn(n, self.dims).chunk(2, 1)
        for net in reversed(self.nets):
            first, last = last, first
            parameters = net(first).unflatten(1, (-1, self.half))
            last, _ = rational_quadratic(last, parameters, self.bins, self.bound, inverse=True)
        return torch.cat((first, last), 1)


class GlowStep(nn.Module):
    """Actnorm, an invertible 1×1 convolution by LU, an affine coupling."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.log_scale, self.shift = nn.Parameter(torch.zeros(channels, 1, 1)), nn.Parameter(torch.zeros(channels, 1, 1))
        permutation, lower, upper = torch.linalg.lu(torch.linalg.qr(torch.randn(channels, channels))[0])
        self.lower, self.upper = nn.Parameter(lower.tril(-1)), nn.Parameter(upper.triu(1))
        self.log_diagonal = nn.Parameter(upper.diagonal().abs().log())
        self.register_buffer("sign", upper.diagonal().sign())
        self.register_buffer("permutation", permutation)
        self.register_buffer("eye", torch.eye(channels))
        last = nn.Conv2d(hidden, channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(
            nn.Conv2d(channels // 2, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(inplace=True),
            last,
        )

    def matrix(self) -> Tensor:
        """Return the convolution's weight."""
        upper = self.upper.triu(1) + torch.diag(self.log_diagonal.exp() * self.sign)
        return self.permutation @ (self.lower.tril(-1) + self.eye) @ upper

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return y and the log-determinant."""
        log_det = (self.log_scale.sum() + self.log_diagonal.sum()) * x[0, 0].numel()
        x = F.conv2d(torch.addcmul(self.shift, x, self.log_scale.exp()), self.matrix()[..., None, None])
        first, last = x.chunk(2, 1)
        shift, raw = self.net(first).chunk(2, 1)
        scale = torch.sigmoid(raw + 2) + 1e-3
        return torch.cat((first, torch.addcmul(shift, last, scale)), 1), log_det + scale.log().flatten(1).sum(1)

    def inverse(self, y: Tensor, unmix: Tensor) -> Tensor:
        """Return x; the inverse of the convolution's weight is given."""
        first, last = y.chunk(2, 1)
        shift, raw = self.net(first).chunk(2, 1)
        x = F.conv2d(torch.cat((first, (last - shift) / (torch.sigmoid(raw + 2) + 1e-3)), 1), unmix[..., None, None])
        return (x - self.shift) * self.log_scale.neg().exp()


class Glow(nn.Module):
    """Levels of a squeeze and steps, of which half of the channels is factored out."""

    def __init__(self, channels: int, size: int, levels: int, steps: int, hidden: int) -> None:
        super().__init__()
        self.levels, self.shapes = nn.ModuleList(), []
        for level in range(levels):
            channels, size = 4 * channels, size // 2
            self.levels.append(nn.ModuleList(GlowStep(channels, hidden) for _ in range(steps)))
            channels = channels // 2 if level < levels - 1 else channels
            self.shapes.append((channels, size, size))

    def forward(self, x: Tensor) -> Tensor:
        """Return the loss."""
        parts, log_det = [], torch.zeros(len(x))
        for number, level in enumerate(self.levels):
            x = F.pixel_unshuffle(x, 2)
            for step in level:
                x, log_abs_det = step(x)
                log_det = log_det + log_abs_det
            if number < len(self.levels) - 1:
                x, part = x.chunk(2, 1)
                parts.append(part.flatten(1))
        return nll(torch.cat((*parts, x.flatten(1)), 1), log_det)

    def sample(self, n: int) -> Tensor:
        """Return samples."""
        parts = [torch.randn(n, *shape) for shape in self.shapes]
        x = parts.pop()
        for number, level in reversed(list(enumerate(self.levels))):
            if number < len(self.levels) - 1:
                x = torch.cat((x, parts.pop()), 1)
            for step in reversed(level):
                x = step.inverse(x, step.matrix().inverse())
            x = F.pixel_shuffle(x, 2)
        return x
