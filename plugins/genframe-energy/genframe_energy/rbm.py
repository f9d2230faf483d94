"""The restricted Boltzmann machine."""

from __future__ import annotations

from copy import deepcopy
from typing import Final

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from genframe import Context, Prior, Space, normal_like

from .traits import Variance
from .units import CodeChains, GaussianUnits, bernoulli, random_states, visible_units

__all__ = ["LinearBoltzmannMachine", "RbmPath", "RestrictedBoltzmannMachine"]

DEVIATION: Final = 0.01  # of initial weights: Hinton 2012, sec. 8
CENTRE: Final = 0.5  # what is subtracted from the hidden units of a centred RBM: their initial mean
MOST_ENUMERATED: Final = 20
CHUNK: Final = 1 << 22  # values at once in an enumeration


class RestrictedBoltzmannMachine(CodeChains, Prior):
    """p(v) proportional to the sum over hidden bits h of exp(-E(v, h)). Smolensky 1986; Hinton 2012.

    :param code: the space of the visible units: Bernoulli for bits, softmax for more classes, else Gaussian.
    :param hidden: number of hidden units.
    :param variance: of Gaussian visible units given the hidden ones: ``unit``, or ``learned`` for each (Cho et al. 2011).
    :param centred: subtract the data's mean from the visible units, and 1/2 from the hidden ones, before they meet the weights
        (Montavon & Müller 2012; Melchior et al. 2016).
    :param sweeps: block Gibbs sweeps from a random state to a sample.

    >>> import torch
    >>> from genframe import Real
    >>> _ = torch.manual_seed(0)
    >>> rbm = RestrictedBoltzmannMachine(Real((64,), 0, 1, 2), hidden=32, sweeps=10)
    >>> x = rbm.sample(5)
    >>> x.shape, rbm.energy(x).shape, rbm.transition(x).unique()
    (torch.Size([5, 64]), torch.Size([5]), tensor([0., 1.]))
    """

    def __init__(
        self, code: Space, hidden: int = 64, *, variance: Variance = "unit", centred: bool = False, sweeps: int = 1000
    ) -> None:
        super().__init__()
        self.space, self.sweeps = code, sweeps
        self.units = visible_units(code, learned=variance == "learned")
        self.weight = nn.Parameter(DEVIATION * torch.randn(self.units.count, hidden))
        self.visible_bias = nn.Parameter(torch.zeros(self.units.count))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.offset: Tensor | None  # of the visible units; that of the hidden ones is CENTRE
        self.register_buffer("offset", torch.zeros(self.units.count) if centred else None)

    @property
    def visible(self) -> Tensor:
        """The visible units' bias when all hidden units are 0: (V,)."""
        return self.visible_bias if self.offset is None else self.visible_bias - CENTRE * self.weight.sum(1)

    @property
    def hidden(self) -> Tensor:
        """The hidden units' bias when all visible units are 0: (H,)."""
        if self.offset is None:
            return self.hidden_bias
        return self.hidden_bias - self.units.drive(self.offset) @ self.weight

    def energy(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the free energy -log sum_h exp(-E(v, h)) in nats. Hinton 2012, eq. 25."""
        v = self.units.of(code)
        return self.units.energy(v, self.visible) - F.softplus(self._hidden_logits(v)).sum(1)

    def hidden_mean(self, code: Tensor) -> Tensor:
        """Return p(h = 1 | v): (B, code) -> (B, H)."""
        return self._hidden_logits(self.units.of(code)).sigmoid()

    def draw_hidden(self, code: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw the hidden units given visible ones: (B, code) -> (B, H)."""
        return bernoulli(self._hidden_logits(self.units.of(code)), generator)

    def visible_mean(self, h: Tensor) -> Tensor:
        """Return the mean of bits given the hidden units: (B, H) -> (B, V)."""
        return self._activation(h).sigmoid()

    @torch.no_grad()
    def transition(self, state: Tensor, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return each chain after one sweep of block Gibbs: hidden units given visible ones, then visible given hidden."""
        h = self.draw_hidden(state, generator)
        return self.units.code(self.units.draw(self._activation(h), generator))

    def sample(self, n: int, context: Context | None = None, generator: Generator | None = None) -> Tensor:
        """Return the states (n, code) of ``n`` chains, each after ``sweeps`` transitions from a random state."""
        code = random_states(self.space, n, generator, self.weight.device)
        for _ in range(self.sweeps):
            code = self.transition(code, context, generator)
        return code

    @torch.no_grad()
    def initialise(self, x: Tensor, context: Context | None = None) -> None:
        """Set visible biases from data (N, code), as if there were no hidden units, and learned variances to the data's."""
        v = self.units.of(x)
        self.visible_bias.copy_(self.units.bias_for(v.mean(0), len(v)))
        if self.offset is not None:
            self.offset.copy_(v.mean(0))
        if isinstance(self.units, GaussianUnits) and self.units.log_variance is not None:
            self.units.log_variance.copy_(v.var(0).clamp(min=1e-6).log())

    def annealing_path(self, states: Tensor) -> RbmPath:
        """Return the path from an RBM without weights whose units have the marginals of ``states``, which are codes."""
        return RbmPath(self, states)

    def _hidden_logits(self, v: Tensor) -> Tensor:
        inputs = self.units.drive(v if self.offset is None else v - self.offset)
        return torch.addmm(self.hidden_bias, inputs, self.weight).to(v.dtype)  # under autocast the product has a shorter type

    def _activation(self, h: Tensor) -> Tensor:
        if self.offset is not None:
            h = h - CENTRE
        return torch.addmm(self.visible_bias, h, self.weight.T).to(h.dtype)


class LinearBoltzmannMachine(RestrictedBoltzmannMachine):
    """An RBM of bits whose hidden units are real, N(c + Wᵀ v, 1). Hinton & Salakhutdinov 2006.

    >>> import torch
    >>> from genframe import Real
    >>> _ = torch.manual_seed(0)
    >>> LinearBoltzmannMachine(Real((8,), 0, 1, 2), hidden=3).draw_hidden(torch.ones(2, 8)).shape
    torch.Size([2, 3])
    """

    def energy(self, code: Tensor, context: Context | None = None) -> Tensor:
        """Return the free energy -b v - |c + Wᵀ v|² / 2 + |c|² / 2 in nats."""
        v = self.units.of(code)
        squares = self._hidden_logits(v).square().sum(1) - self.hidden.square().sum()
        return self.units.energy(v, self.visible) - 0.5 * squares

    def hidden_mean(self, code: Tensor) -> Tensor:
        """Return c + Wᵀ v: (B, code) -> (B, H)."""
        return self._hidden_logits(self.units.of(code))

    def draw_hidden(self, code: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw the hidden units given visible ones: (B, code) -> (B, H)."""
        mean = self.hidden_mean(code)
        return mean + normal_like(mean, generator)


class RbmPath:
    """From an RBM with zero weights and the data's biases to the RBM itself. Salakhutdinov & Murray 2008, sec. 4.1.1.

    f_beta(v) = exp(-(1 - beta) E_0(v) - beta E_1(v)) prod_j (1 + exp(beta a_j(v))), with E_0 and E_1 the energies of visible
    units by themselves and a the hidden units' logits. A state is the visible units (n, V), in float64.

    >>> import torch
    >>> from genframe import Real
    >>> _ = torch.manual_seed(0)
    >>> rbm = RestrictedBoltzmannMachine(Real((8,), 0, 1, 2), hidden=4)
    >>> path = rbm.annealing_path(torch.ones(10, 8))
    >>> path.start(3).shape
    torch.Size([3, 8])
    """

    @torch.no_grad()
    def __init__(self, rbm: RestrictedBoltzmannMachine, codes: Tensor) -> None:
        self.units = deepcopy(rbm.units).double()
        self.weight = rbm.weight.detach().double()
        self.bias, self.hidden_bias = rbm.visible.detach().double(), rbm.hidden.detach().double()
        v = self.units.of(codes).double()
        self.start_bias = self.units.bias_for(v.mean(0), len(v))

    @property
    def log_z_start(self) -> float:
        """Log normaliser in nats: that of visible units by themselves, plus log 2 for each hidden unit."""
        visible = self.units.log_normaliser(self.start_bias[None], self.start_bias)
        return float(visible) + len(self.hidden_bias) * float(F.softplus(torch.zeros((), dtype=torch.float64)))

    @torch.no_grad()
    def log_z(self) -> float | None:
        """Return the log of the sum over all states of the hidden units in nats, if there are at most 20 of them."""
        hidden = len(self.hidden_bias)
        if hidden > MOST_ENUMERATED:
            return None
        total = torch.tensor(-torch.inf, dtype=torch.float64)
        place = torch.arange(hidden, device=self.weight.device)
        for numbers in torch.arange(2**hidden, device=self.weight.device).split(max(1, CHUNK // self.units.count)):
            h = (numbers[:, None] >> place & 1).double()
            activation = torch.addmm(self.bias, h, self.weight.T)
            log_f = h @ self.hidden_bias + self.units.log_normaliser(activation, self.bias)
            total = torch.logaddexp(total.to(log_f.device), log_f.logsumexp(0))
        return float(total)

    @torch.no_grad()
    def start(self, n: int, generator: Generator | None = None) -> Tensor:
        """Draw visible units by themselves: (n, V)."""
        return self.units.draw(self.start_bias.expand(n, -1), generator)

    @torch.no_grad()
    def units_of(self, states: Tensor) -> Tensor:
        """Return the visible units of codes: (n, code) -> (n, V)."""
        return self.units.of(states).double()

    @torch.no_grad()
    def advance(self, state: Tensor, before: float, after: float, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Return log f_after - log f_before (n,), and the states after a sweep of block Gibbs at ``after``."""
        logits = torch.addmm(self.hidden_bias, self.units.drive(state), self.weight)
        alone = self.units.energy(state, self.start_bias) - self.units.energy(state, self.bias)
        log_ratio = (after - before) * alone + (F.softplus(after * logits) - F.softplus(before * logits)).sum(1)
        h = bernoulli(after * logits, generator)
        activation = torch.addmm(self.bias, h, self.weight.T)
        return log_ratio, self.units.draw(torch.lerp(self.start_bias, activation, after), generator)
