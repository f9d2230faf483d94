"""A model: five parts composed, with what every family can do under the same names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext
from itertools import repeat
from typing import Any, Final, get_args

import torch
from torch import Generator, Tensor

from ..checking import check
from ..roles import Decoder, Encoder, Loss, Prior, Sampler, drawn_latent, run_in
from ..specs import Composition, ModelSpec
from ..types import Completing, Context, DataDependent, Posterior, Precision, Role, Space, Trait, Unsupported
from .byhand import described
from .evaluation import evaluating
from .likelihood import LogProb, estimated, log_weights
from .parts import Parts
from .sampling import Chunk, Samples, chunks, compiled, whole_chunk
from .wrapping import Modules, lending

__all__ = ["Model", "build", "compose"]

ENCODE_CHUNK: Final = 1024
NO_ENCODER: Final = "this model has no encoder, so an example has no latent; compose it with one"


class Model(Parts):
    """A typed composition of five parts, with what every family can do. Made by :func:`compose`."""

    @staticmethod
    def of(
        data: Space,
        *,
        decoder: Decoder,
        loss: Loss,
        encoder: Encoder | None = None,
        prior: Prior | None = None,
        sampler: Sampler | None = None,
        latent: Space | None = None,
        code: Space | None = None,
        provides: Mapping[str, Collection[Trait]] | None = None,
    ) -> Model:
        """Return a model of parts that were made by hand; without a prior it is N(0, I).

        A part has the traits whose methods it has. ``provides`` names those without methods, by role, such as
        ``{"encoder": [Identity]}``.
        Spaces of latent and code are found by a trial with two rows; spaces of classes have to be said.

        :raises SpecError: if the parts do not fit.
        """
        parts = {"encoder": encoder, "decoder": decoder, "prior": prior, "loss": loss, "sampler": sampler}
        given = {place: part for place, part in parts.items() if part is not None}
        composition = described(data, given, latent=latent, code=code, provides=provides)
        return build(composition, modules=given)

    def encode(self, x: Tensor, condition: Any = None) -> Tensor:
        """Return the latent of each example: (B, data) -> (B, latent).

        :raises Unsupported: if the model has no encoder.
        """
        if self.encoder is None:
            raise Unsupported(NO_ENCODER)
        return self.encoder.encode(x, self.context(condition, "encoder"))

    def decode(self, latent: Tensor, condition: Any = None) -> Tensor:
        """Return the data of each latent: (B, latent) -> (B, data)."""
        return self.decoder.decode(latent, self.context(condition, "decoder"))

    def reconstruct(self, x: Tensor, condition: Any = None) -> Tensor:
        """Encode and decode: (B, data) -> (B, data)."""
        return self.decode(self.encode(x, condition), condition)

    def codes(self, x: Tensor, condition: Any = None) -> Tensor:
        """Return the code of each example, on which the prior lives: (B, data) -> (B, code).

        :raises Unsupported: if the model has no encoder.
        """
        if self.encoder is None:
            raise Unsupported(NO_ENCODER)
        return self.encoder.codes(x, self.context(condition, "encoder"))

    def latents(self, code: Tensor) -> Tensor:
        """Return the latent of each code: (B, code) -> (B, latent)."""
        return self.encoder.latent(code) if self.encoder is not None else code

    def initialise(self, x: Tensor, condition: Any = None, roles: Collection[Role] = get_args(Role)) -> None:
        """Let those of ``roles`` with DataDependent take their first state from data (N, data): the prior from their codes.

        Training does so before a part's first step. Without an encoder there are no codes, and nothing is done.
        """
        if self.encoder is None:
            return
        with evaluating(self):
            context = self.context(condition)
            for role in get_args(Role):
                if role in roles and self.composition.has(role, DataDependent):
                    read = self._all_codes(x, condition) if role == "prior" else x
                    self.part(role, DataDependent).initialise(read, context)

    def _all_codes(self, x: Tensor, condition: Any) -> Tensor:
        """Return the code of each of many examples, encoded a batch at a time; drawn where the encoder has a posterior."""
        conditions = condition.split(ENCODE_CHUNK) if condition is not None else repeat(None)
        return torch.cat([self._drawn_codes(*batch) for batch in zip(x.split(ENCODE_CHUNK), conditions, strict=False)])

    def _drawn_codes(self, x: Tensor, condition: Any) -> Tensor:
        if not self.composition.has("encoder", Posterior):
            return self.codes(x, condition)
        encoder = self.part("encoder", Encoder)
        return encoder.code(drawn_latent(encoder, x, self.context(condition)))

    def sample(
        self, n: int, condition: Any = None, *, seed: int = 0, compile: bool = False, precision: Precision = "float32"
    ) -> Samples:
        """Draw ``n`` samples; the i-th depends on the seed and its condition only, not on ``n``.

        ``condition``: (n, ...), or the number of a class for all.

        With ``compile`` decoders are compiled, which takes a minute or two once and then less time a sample: for
        thousands of them. With ``precision`` bfloat16 networks run under autocast, as in training. Samples are the same
        up to rounding.

        :raises ValueError: if ``condition`` does not have ``n`` rows.
        :raises Unsupported: with ``compile``, if there is no compiler on this machine.
        """
        with compiled(self) if compile else nullcontext(), evaluating(self) as device, run_in(precision, device):
            drawn = [
                self.sampler.draw(self, len(rows), context, generator)
                for rows, context, generator in chunks(self, n, condition, seed, device)
            ]
        return Samples.of(drawn or [torch.empty(0, *self.composition.data.shape)], n, self.composition.data, seed)

    def complete(
        self, known: Tensor, mask: Tensor, condition: Any = None, *, seed: int = 0, precision: Precision = "float32"
    ) -> Samples:
        """Draw samples whose codes are ``known`` (n, code) where ``mask``, (n, code) or (code), is true.

        The i-th depends on the seed, its known values and its condition only. Where nothing is known, they are the samples
        of :meth:`sample`.

        :raises ValueError: if ``condition`` does not have ``n`` rows.
        :raises Unsupported: if the model's sampler draws all values at once.
        """
        if not isinstance(self.sampler, Completing):
            raise Unsupported(
                f"{type(self.sampler).__name__} cannot go on from what is known; samplers that draw value by value can, "
                "such as autoregressive/sequential"
            )
        n = len(known)
        with evaluating(self) as device, run_in(precision, device):
            known, mask = known.to(device), mask.to(device).expand(known.shape)
            drawn = [
                self.sampler.complete(self, whole_chunk(known, rows), whole_chunk(mask, rows), context, generator)
                for rows, context, generator in chunks(self, n, condition, seed, device)
            ]
        return Samples.of(drawn or [torch.empty(0, *self.composition.data.shape)], n, self.composition.data, seed)

    def states(
        self, n: int, condition: Any = None, *, seed: int = 0, count: int, precision: Precision = "float32"
    ) -> list[Samples]:
        """Return up to ``count`` states, evenly by their steps, of the walks to the samples of :meth:`sample`, which come last.

        A sampler that shows fewer states has no more of them.

        :raises ValueError: if ``condition`` does not have ``n`` rows.
        """

        def shown(chunk: Chunk) -> Iterator[Tensor]:
            passed = 0
            for state in self.sampler.trajectory(self, len(chunk.rows), chunk.context, chunk.generator):
                share = state.step * count // state.steps
                if share > passed:
                    yield state.x
                passed = share

        with evaluating(self) as device, run_in(precision, device):
            walks = [list(shown(chunk)) for chunk in chunks(self, n, condition, seed, device)]
        return [Samples.of(states, n, self.composition.data, seed) for states in zip(*walks, strict=True)]

    def log_prob(self, x: Tensor, condition: Any = None, *, samples: int = 1, generator: Generator | None = None) -> LogProb:
        """Return the log-likelihood of each example, of the kind that the composition has.

        For a lower bound, ``samples`` importance-weighted draws tighten it (Burda et al. 2015, eq. 8); one
        draw is the evidence lower bound. An exact likelihood ignores ``samples`` and ``generator``.

        :raises Unsupported: if the density is implicit or unnormalised, saying why.
        """
        return estimated(self, x, self.context(condition), samples, generator)

    def log_weights(
        self, x: Tensor, context: Context | None = None, *, samples: int = 1, generator: Generator | None = None
    ) -> Tensor:
        """Return log p(x|z) + log p(z) - log q(z|x) of ``samples`` draws of z per example: (samples, B) nats.

        :raises Unsupported: if the model's density is not a lower bound.
        """
        return log_weights(self, x, context, samples, generator)


def compose(
    spec: ModelSpec, data: Space, condition: Space | None = None, *, seed: int = 0, modules: Modules | None = None
) -> Model:
    """Check the model's types, then build it, with initial weights that depend on ``seed`` only.

    ``modules`` are those of one's own for which the spec has a place, such as ``{"encoder.network": net}``; see
    :func:`genframe.wrap`.

    :raises SpecError: if the types do not fit, or a module is missing, before anything is built.
    """
    return build(check(spec, data, condition), seed=seed, modules=modules)


def build(composition: Composition, *, seed: int = 0, modules: Modules | None = None) -> Model:
    """Build what was checked.

    :raises SpecError: if a module of one's own is missing, does not fit, or is part of another model.
    """
    with lending(composition.spec, modules) as moved, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Model(composition)
    model.moved = moved
    return model
