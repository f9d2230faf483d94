"""A model: five parts composed, with what every family can do under the same names."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from itertools import chain, repeat
from types import MethodType
from typing import Any, TypeVar, get_args

import torch
from markupsafe import Markup
from torch import Generator, Tensor, nn

from .byhand import described
from .composition import Composition, ModelSpec, check
from .data import data_digest
from .errors import Unsupported
from .execution import no_compiler, run_in
from .likelihood import LogProb
from .roles import Decoder, Encoder, Loss, Prior, Sampler, drawn_latent, generator_for
from .spaces import Categorical, Space
from .specs import ComponentSpec, Precision, Role
from .traits import (
    Bijective,
    DataBound,
    DataDensity,
    DataDependent,
    Density,
    Identity,
    Likelihood,
    Posterior,
    Trait,
    methods_of,
)
from .values import Context
from .wrapping import Modules, Moved, collecting, lending

__all__ = ["Model", "Samples", "build", "compose", "evaluating"]

T = TypeVar("T")
LEAST_SAMPLED, FIRST_SAMPLED, MOST_SAMPLED = 64, 512, 4096  # samples in any chunk, in the first, in the largest
FIRST_VALUES, MOST_VALUES = 1 << 15, 1 << 20  # values in the first chunk and in the largest
ENCODE_CHUNK = 1024
PART_ROW = Markup('<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>')
PART_TABLE = Markup(
    '<table><caption>{}</caption><thead><tr><th scope="col">part</th><th scope="col">component</th><th scope="col">traits</th>'
    '<th scope="col">parameters</th></tr></thead><tbody>{}</tbody></table>'
)
NO_ENCODER = "this model has no encoder, so data have no latent; compose it with one"


@dataclass(frozen=True)
class Samples:
    """Data drawn from a model: ``x`` (n, data), with the space they live in and the seed that drew them."""

    x: Tensor
    space: Space
    seed: int

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Samples({len(self)} of {self.space}, seed {self.seed})"

    def _repr_png_(self) -> bytes | None:
        from .picture import png_bytes

        return png_bytes(self.x, self.space)


class Model(nn.Module):
    """A typed composition of five parts. Made by :func:`compose`.

    ``encoder`` and ``condition`` may be ``None``. Parts own their parameters; ``loss`` owns those that only
    training needs (critics). ``nested`` are the models within it, such as one that is its prior.
    """

    encoder: Encoder | None
    decoder: Decoder
    prior: Prior
    condition: Encoder | None
    loss: Loss

    def __init__(self, composition: Composition) -> None:
        super().__init__()
        spec, spaces_of = composition.spec, composition.spaces_of
        self.composition = composition
        self.condition = None
        if spec.condition is not None and composition.condition is not None:
            self.condition = spec.condition.build(spec.condition.spaces(composition.condition))
        self.encoder = spec.encoder.build(spaces_of("encoder")) if spec.encoder is not None else None
        self.decoder = spec.decoder.build(spaces_of("decoder"), self.encoder)
        self.prior = spec.prior.build(spaces_of("prior"), self.encoder)
        self.loss = spec.loss.build(composition.spaces)
        self.loss.players = composition.players
        self.sampler: Sampler = spec.sampler.build(composition.spaces)
        self.moved: list[Moved] = []
        self.nested = [module for module in self.modules() if isinstance(module, Model) and module is not self]
        self.loss.begin(self)

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

    def __repr__(self) -> str:
        spec, composition = self.composition.spec, self.composition
        lines = [f"Model of {composition.data}: {composition.density} density, {composition.sampling} sampling"]
        for role, part in {**self.parts(), "loss": self.loss}.items():
            count = sum(parameter.numel() for parameter in part.parameters())
            lines.append(f"  {role:<9} {getattr(spec, role).type:<28} {count:>12,} parameters")
        return "\n".join([*lines, f"  {'sampler':<9} {spec.sampler.type}"])

    def _repr_html_(self) -> str:
        spec, composition = self.composition.spec, self.composition
        modules = {**self.parts(), "loss": self.loss}
        counts = {role: f"{sum(parameter.numel() for parameter in part.parameters()):,}" for role, part in modules.items()}
        specs = {role: getattr(spec, role) for role in [*modules, "sampler"]}
        rows = [(role, part.type, _trait_names(part), counts.get(role, "")) for role, part in specs.items()]
        caption = f"A model of {composition.data}: {composition.density} density, {composition.sampling} sampling"
        body = Markup().join(PART_ROW.format(*row) for row in rows)
        return str(PART_TABLE.format(caption, body))

    @property
    def players(self) -> tuple[str, ...]:
        """The loss's players, in the order of their steps: each has a term of the loss, and parameters of its own."""
        return self.composition.players

    def player_parameters(self, player: str) -> list[nn.Parameter]:
        """Return the parameters that ``player`` moves, each once."""
        return list(dict.fromkeys(self.loss.player_parameters(self, player)))

    def begin(self) -> None:
        """Let the loss, and those of models within, take from the model what they need; before the first step of training."""
        with torch.no_grad():
            for model in (self, *self.nested):
                model.loss.begin(model)

    def learn(self, parts: Collection[str] | None = None, *, loss: bool = True) -> None:
        """Put ``parts`` (all unless given) into training mode with gradients and freeze the others.

        What was frozen, or in evaluation mode, in a module of one's own when it was handed in stays so.
        """
        self.train()
        for role, part in self.parts().items():
            learns = parts is None or role in parts
            part.train(learns)
            part.requires_grad_(learns)
        self.loss.requires_grad_(loss)
        self._keep_frozen()

    def rest(self) -> None:
        """Put the model into evaluation mode, with gradients where a user would expect them."""
        self.requires_grad_(True).eval()
        self._keep_frozen()

    def _keep_frozen(self) -> None:
        for moved in self.moved:
            moved.keep()

    @property
    def device(self) -> torch.device:
        """The device of the model's first tensor; the CPU where it has none."""
        tensor = next(chain(self.parameters(), self.buffers()), None)
        return tensor.device if tensor is not None else torch.device("cpu")

    def parts(self) -> dict[str, nn.Module]:
        """Return the model's parts that are modules, by role; the loss is not among them."""
        roles = {"condition": self.condition, "encoder": self.encoder, "decoder": self.decoder, "prior": self.prior}
        return {role: part for role, part in roles.items() if part is not None}

    def part(self, role: Role, trait: type[T]) -> T:
        """Return the part in ``role`` as one with ``trait``, which ``check`` found in its spec where another part needs it."""
        found: T = getattr(self, role)
        return found

    def entry_points(self, role: Role) -> tuple[str, ...]:
        """Return the methods by which others call the part in ``role``: ``forward``, its role's own, and those of its traits.

        What wraps a part, such as a sharding of its weights, has to cover them all.
        """
        own = {"encoder": ("encode", "codes"), "decoder": ("decode",), "prior": ("sample", "objective")}[role]
        spec = getattr(self.composition.spec, role)
        traits = spec.provides if spec is not None else ()
        return tuple(dict.fromkeys(["forward", *own, *sorted(name for trait in traits for name in methods_of(trait))]))

    def part_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of all parts, each once."""
        return [parameter for part in self.parts().values() for parameter in part.parameters()]

    def weights_digest(self) -> str:
        """Return the digest of all weights, by their names' order."""
        return data_digest(*(tensor.detach().cpu() for _, tensor in sorted(self.state_dict().items())))

    def context(self, condition: Any, *readers: Role) -> Context | None:
        """Return the context of each condition, (B, ...); a nested model's condition is a context already.

        :raises Unsupported: if there is no condition, and one of ``readers`` reads it, or any part where none are named.
        """
        if self.composition.context is None:
            return None
        if condition is None:
            if any(map(self.composition.reads, readers or get_args(Role))):
                raise Unsupported(f"this model is conditional: give a condition in {self.composition.condition}")
            return None
        return self.condition.context(condition) if self.condition is not None else condition

    def encode(self, x: Tensor, condition: Any = None) -> Tensor:
        """Return the latent of each datum: (B, data) -> (B, latent).

        :raises Unsupported: if the model has no encoder.
        """
        if self.encoder is None:
            raise Unsupported(NO_ENCODER)
        return self.encoder.encode(x, self.context(condition, "encoder"))

    def decode(self, latent: Tensor, condition: Any = None) -> Tensor:
        """Return the datum of each latent: (B, latent) -> (B, data)."""
        return self.decoder.decode(latent, self.context(condition, "decoder"))

    def reconstruct(self, x: Tensor, condition: Any = None) -> Tensor:
        """Encode and decode: (B, data) -> (B, data)."""
        return self.decode(self.encode(x, condition), condition)

    def codes(self, x: Tensor, condition: Any = None) -> Tensor:
        """Return the code of each datum, on which the prior lives: (B, data) -> (B, code).

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
        dependent = [role for role in roles if self.composition.has(role, DataDependent)]
        with evaluating(self):
            context = self.context(condition)
            if "encoder" in dependent:
                self.part("encoder", DataDependent).initialise(x, context)
            if "decoder" in dependent:
                self.part("decoder", DataDependent).initialise(x, context)
            if "prior" in dependent:
                self.part("prior", DataDependent).initialise(self._all_codes(x, condition), context)

    def _all_codes(self, x: Tensor, condition: Any) -> Tensor:
        """Return a code of each of many data, encoded a batch at a time; drawn where the encoder has a posterior."""
        conditions = condition.split(ENCODE_CHUNK) if condition is not None else repeat(None)
        return torch.cat([self._drawn_codes(*batch) for batch in zip(x.split(ENCODE_CHUNK), conditions, strict=False)])

    def _drawn_codes(self, x: Tensor, condition: Any) -> Tensor:
        if not self.composition.has("encoder", Posterior):
            return self.codes(x, condition)
        encoder = self.part("encoder", Encoder)
        return encoder.code(drawn_latent(encoder, x, self.context(condition)))

    def sample(
        self,
        n: int,
        condition: Any = None,
        *,
        seed: int = 0,
        compile: bool = False,
        precision: Precision = "float32",
    ) -> Samples:
        """Draw ``n`` samples; the i-th depends on the seed and its condition only, not on ``n``.

        ``condition``: (n, ...), or the number of a class for all.

        With ``compile`` decoders are compiled, which takes a minute or two once and then less time a sample: for
        thousands of them. With ``precision`` bfloat16 networks run under autocast, as in training. Samples are the same
        up to rounding.

        :raises ValueError: if ``condition`` does not have ``n`` rows.
        :raises Unsupported: with ``compile``, if there is no compiler on this machine.
        """
        with _compiled(self) if compile else nullcontext(), evaluating(self), run_in(precision, self.device):
            chunks = [
                self.sampler.draw(self, len(rows), context, generator)
                for context, rows, generator in self._chunks(n, condition, seed)
            ]
        if not chunks:
            return self._samples(torch.empty(0, *self.composition.data.shape), seed)
        x = torch.cat(chunks) if len(chunks) > 1 else chunks[0]
        return self._samples(x[:n], seed)

    def states(
        self,
        n: int,
        condition: Any = None,
        *,
        seed: int = 0,
        count: int,
        precision: Precision = "float32",
    ) -> list[Samples]:
        """Return up to ``count`` states, evenly by their steps, of the walks to the samples of :meth:`sample`, which come last.

        A sampler that shows fewer states has no more of them.

        :raises ValueError: if ``condition`` does not have ``n`` rows.
        """

        def shown(context: Context | None, rows: range, generator: Generator) -> Iterator[Tensor]:
            passed = 0
            for state in self.sampler.trajectory(self, len(rows), context, generator):
                share = state.step * count // state.steps
                if share > passed:
                    yield state.x
                passed = share

        with evaluating(self), run_in(precision, self.device):
            chunks = [torch.stack(list(shown(*chunk))) for chunk in self._chunks(n, condition, seed)]  # (states, rows, ...)
        return [self._samples(x, seed) for x in torch.cat(chunks, 1)[:, :n]]

    def _samples(self, x: Tensor, seed: int) -> Samples:
        """Return data as samples, in single precision whatever networks ran in."""
        return Samples(x.float() if x.dtype == torch.bfloat16 else x, self.composition.data, seed)

    def _chunks(self, n: int, condition: Any, seed: int) -> Iterator[tuple[Context | None, range, Generator]]:
        """Yield the context, the rows and the generator of each whole chunk of samples; the caller evaluates the model."""
        if isinstance(condition, int):
            condition = self._class(condition, n)
        if condition is not None and len(condition) != n:
            raise ValueError(f"expected {n} conditions, one for each sample, found {len(condition)}")
        composition = self.composition
        for number, rows in enumerate(_chunks_of(n, composition.data.dims, direct=composition.sampling == "direct")):
            context = self.context(_whole_chunk(condition, rows))
            yield context, rows, generator_for(self.device, seed, number)

    def _class(self, number: int, n: int) -> Tensor:
        """Return a class as the condition of ``n`` samples.

        :raises Unsupported: if the model's condition is not a single class, or has no such class.
        """
        space = self.composition.condition
        if not isinstance(space, Categorical) or space.shape or not 0 <= number < space.size:
            raise Unsupported(f"the condition {number} is none of this model, whose condition is {space}")
        return torch.full((n,), number, device=self.device)

    def log_prob(self, x: Tensor, condition: Any = None, *, samples: int = 1, generator: Generator | None = None) -> LogProb:
        """Return the log-likelihood of each datum, of the kind that the composition has.

        For a lower bound, ``samples`` importance-weighted draws tighten it (Burda et al. 2015, eq. 8); one
        draw is the evidence lower bound. An exact likelihood ignores ``samples`` and ``generator``.

        :raises Unsupported: if the density is implicit or unnormalised, saying why.
        """
        context = self.context(condition)
        if self.composition.of_data and self.composition.density != "implicit":
            decoder: DataBound | DataDensity = self.part("decoder", DataBound)
            return self._result(*decoder.data_log_prob(x, self.prior, context, samples=samples, generator=generator), samples)
        if self.composition.density == "exact":
            name = "exact" if self.composition.has("encoder", Identity) else "change of variables"
            return self._result(self._exact(x, context), name, 1)
        if self.composition.density == "lower bound":
            weights = self.log_weights(x, context, samples=samples, generator=generator)
            name = "importance weighting" if samples > 1 else "evidence lower bound"
            return self._result(weights.logsumexp(0) - math.log(samples), name, samples)
        if self.composition.density == "unnormalised":
            raise Unsupported(
                "the density of this model is unnormalised: log p(x) is minus the energy, less log Z, which is not known; "
                "a metric may estimate it"
            )
        raise Unsupported(
            f"the density of this model is {self.composition.density}: a likelihood needs an encoder with Bijective "
            "and a prior with Density, or an encoder with Posterior and a decoder with Likelihood as well"
        )

    def log_weights(
        self, x: Tensor, context: Context | None = None, *, samples: int = 1, generator: Generator | None = None
    ) -> Tensor:
        """Return log p(x|z) + log p(z) - log q(z|x) of ``samples`` draws of z for each datum: (samples, B) nats.

        :raises Unsupported: if the model's density is not a lower bound.
        """
        if self.composition.density != "lower bound" or self.composition.of_data:
            raise Unsupported(
                "importance weights need an encoder with Posterior, a decoder with Likelihood, a prior with Density"
            )
        encoder, decoder, prior = self.part("encoder", Posterior), self.part("decoder", Likelihood), self.part("prior", Density)
        posterior = encoder.posterior(x, context).expand(samples)
        latent = posterior.rsample(generator)
        repeated = None if context is None else context.repeat_interleave(samples)
        log_joint = decoder.likelihood(latent, repeated).log_prob(x.repeat_interleave(samples, 0))
        log_joint = log_joint + prior.log_prob(self.part("encoder", Encoder).code(latent), repeated)
        return (log_joint - posterior.log_prob(latent)).reshape(len(x), samples).T

    def _exact(self, x: Tensor, context: Context | None) -> Tensor:
        latent, log_abs_det = self.part("encoder", Bijective).forward_and_log_det(x, context)
        return self.part("prior", Density).log_prob(self.part("encoder", Encoder).code(latent), context) + log_abs_det

    def _result(self, nats: Tensor, estimator: str, samples: int) -> LogProb:
        composition = self.composition
        return LogProb(nats, composition.density, composition.data, composition.mass, estimator, samples)


def _trait_names(part: ComponentSpec) -> str:
    return ", ".join(sorted(trait.__name__ for trait in part.provides))


@contextmanager
def evaluating(model: Model) -> Iterator[None]:
    """Evaluate without gradients; every module's mode and torch's global generators are as before afterwards.

    A model that is in evaluation mode with all its parts is taken at its word.
    """
    learning = model.training or any(part.training for part in model.children())
    training = [module for module in model.modules() if module.training] if learning else []
    if training:
        model.eval()
    device = model.device
    try:
        with torch.no_grad(), torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        for module in training:
            module.training = True


@cache
def _compiled_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method of a class compiled; a second size of chunk compiles it for all. Wrapping alone takes milliseconds."""
    return torch.compile(function)


@contextmanager
def _compiled(model: Model) -> Iterator[None]:
    """Compile what samplers ask of the decoder, and of nested models'; torch keeps the compiled code for the next time."""
    if reason := no_compiler(model.device):
        raise Unsupported(f"{reason}; install a compiler, such as g++, or sample without compiling")
    asked = ("decode", "likelihood", "denoise")
    methods = [(each.decoder, name) for each in (model, *model.nested) for name in asked if hasattr(type(each.decoder), name)]
    try:
        for decoder, name in methods:
            vars(decoder)[name] = MethodType(_compiled_function(getattr(type(decoder), name)), decoder)
        yield
    finally:
        for decoder, name in methods:
            vars(decoder).pop(name, None)  # its class's own comes to light again


def _chunks_of(n: int, dims: int, *, direct: bool) -> Iterator[range]:
    """Yield the rows of each chunk up to ``n``: first 64, or more of small data drawn directly, then as many as before.

    Where chunks begin does not depend on ``n``, so that neither does a sample. Beyond the first less than half is in vain.
    """
    start, most = 0, _fitting(MOST_VALUES, dims)
    size = min(FIRST_SAMPLED, _fitting(FIRST_VALUES, dims)) if direct else LEAST_SAMPLED
    while start < n:
        yield range(start, start + size)
        start += size
        size = min(start, most)


def _fitting(values: int, dims: int) -> int:
    """Return how many data of ``dims`` values are not much more than ``values`` together: a power of two."""
    return min(max(LEAST_SAMPLED, 1 << max(0, (values // dims).bit_length() - 1)), MOST_SAMPLED)


def _whole_chunk(condition: Any, rows: range) -> Any:
    """Return the conditions of a chunk's rows, the last one repeated to fill it."""
    if condition is None:
        return None
    return condition[torch.arange(rows.start, rows.stop, device=condition.device).clamp(max=len(condition) - 1)]


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
    with lending(composition.spec, modules), collecting() as moved, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Model(composition)
    model.moved = moved
    return model
