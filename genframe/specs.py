"""Specs: the typed descriptions from which everything is checked and then built.

A component's spec is a frozen pydantic model whose ``type`` is ``<plugin>/<name>``. It holds the
hyper-parameters, says which traits the component provides and needs, and maps spaces by pure
functions; ``build`` imports the implementation and makes it. A field annotated with one of the root
classes (:class:`EncoderSpec` ...) accepts every installed component of that kind: it is an open union,
resolved in the registry when it is validated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError, core_schema

from .spaces import Categorical, ContextSpace, Space, Spaces
from .traits import Conditional, ReadsSequence, SamplingKind, Trait, TraitSet, traits

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.fields import FieldInfo

    from .composition import Composition, ModelSpec
    from .data import Dataset
    from .roles import Decoder, Encoder, Loss, Metric, Prior, Sampler

__all__ = [
    "KINDS",
    "ComponentSpec",
    "DatasetSpec",
    "DecoderSpec",
    "EncoderSpec",
    "Kind",
    "LossSpec",
    "MetricSpec",
    "Needs",
    "Precision",
    "PriorSpec",
    "Role",
    "SamplerSpec",
    "Spec",
    "children",
    "components",
    "conditional_if",
    "nested",
    "suggestion",
    "with_article",
]

Kind: TypeAlias = Literal["encoder", "decoder", "prior", "loss", "sampler", "dataset", "metric"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Role: TypeAlias = Literal["encoder", "decoder", "prior"]
Precision: TypeAlias = Literal["float32", "bfloat16"]
# A role's traits that a part needs; an empty tuple needs the role to be there, whatever it can do.
Needs: TypeAlias = Mapping[Role, Trait | tuple[Trait, ...]]
ANY_OF_KIND: Final = "x-genframe-any"
NOTHING: Final[Needs] = MappingProxyType({})


def suggestion(name: str, known: list[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest of ``known``, or an empty string."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def with_article(noun: str) -> str:
    """Return ``an encoder``, ``a prior``."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


class Spec(BaseModel):
    """A frozen description that knows all its fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        ignored_types=(frozenset, dict, str),  # of `provides`, `needs` and `sampling`, which need no annotation
    )

    @model_validator(mode="before")
    @classmethod
    def _read_fields(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        unknown = [key for key in value if key not in cls.model_fields]
        if not unknown:
            return {key: _with_default_type(cls.model_fields[key], entry) for key, entry in value.items()}
        known = sorted(cls.model_fields)
        hint = suggestion(str(unknown[0]), known) or f"the fields are {', '.join(known)}"
        raise PydanticCustomError(
            "unknown_field",
            "unknown field '{field}'",
            {"field": str(unknown[0]), "mend": hint},
        )


def _with_default_type(field: FieldInfo, entry: Any) -> Any:
    """Return a component's mapping that lacks ``type`` as changes to the field's default, where that is a component."""
    if not isinstance(entry, Mapping) or "type" in entry:
        return entry
    if isinstance(field.default, ComponentSpec):
        return {**field.default.model_dump(), **entry}
    return {"type": field.default, **entry} if isinstance(field.default, str) else entry  # a default named, not made


class ComponentSpec(Spec):
    """Root of all component specs: a part of a model, a data set or a metric."""

    kind: ClassVar[Kind]
    listed: ClassVar[bool] = True  # false for what is no component to choose: a module of the user's own

    type: str

    @classmethod
    def type_name(cls) -> str:
        """Return ``<plugin>/<name>``, or an empty string for an abstract class."""
        field = cls.model_fields.get("type")
        return field.default if field is not None and isinstance(field.default, str) else ""

    @property
    def provides(self) -> TraitSet:
        """Return the traits of what this spec builds; override where they depend on the fields."""
        return traits()

    @property
    def needs(self) -> Needs:
        """Return the traits that this part needs of others; override where they depend on the fields."""
        return NOTHING

    @model_serializer(mode="wrap")
    def _write_type(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"type": self.type, **handler(self)}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        if "kind" not in cls.__dict__:
            return handler(source)
        return core_schema.no_info_plain_validator_function(cls._resolve)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        if "kind" not in cls.__dict__:
            return handler(schema)
        return {ANY_OF_KIND: cls.kind}  # the schema of experiments puts the installed components in its place

    @classmethod
    def _resolve(cls, value: Any) -> Self:
        """Turn a name, a mapping with ``type`` or a ready spec into a spec of this kind."""
        if isinstance(value, cls):
            return value
        if callable(wrapped := getattr(value, "component", None)):  # a module of the user's own, see genframe.wrap
            return cls._resolve(wrapped(cls.kind))
        if isinstance(value, str):
            value = {"type": value}
        from .plugins import installed

        registry = installed().registry(cls.kind)
        name = value.get("type") if isinstance(value, Mapping) else None
        if not isinstance(name, str):
            found = "no 'type'" if isinstance(value, Mapping) and name is None else repr(name or value)
            message = f"expected the name of {with_article(cls.kind)}, or a mapping with its 'type'; found {found}"
            raise PydanticCustomError(
                "component", "{message}", {"message": message, "mend": f"installed are {', '.join(registry.names())}"}
            )
        component = registry.find(name)
        return component.model_validate({**value, "type": component.type_name()})  # type: ignore[return-value]


class EncoderSpec(ComponentSpec):
    """How data becomes a latent, and which part of it a prior models."""

    kind: ClassVar[Kind] = "encoder"

    def latent_space(self, data: Space) -> Space:
        """Return the space of ``encode``'s result.

        :raises Mismatch: where the encoder cannot take ``data``.
        """
        raise NotImplementedError(f"{type(self).__name__}.latent_space")

    def code_space(self, data: Space) -> Space:
        """Return the space on which the prior lives; the latent space unless the encoder says otherwise."""
        return self.latent_space(data)

    def levels(self, data: Space) -> tuple[int, ...]:
        """Return the sizes of the groups of consecutive dimensions into which a code falls, from fine to coarse.

        A sampler may give each a temperature of its own. One group unless the encoder says otherwise.
        """
        return (self.code_space(data).dims,)

    def context_space(self, condition: Space) -> ContextSpace:
        """Return what a condition is encoded to: a sequence where latents are (L, D), else a vector; override to give both.

        :raises Mismatch: where the encoder cannot take the condition.
        """
        return ContextSpace.of(self.latent_space(condition))

    def spaces(self, data: Space, context: ContextSpace | None = None) -> Spaces:
        """Return the spaces around this encoder alone, from which it is built as a network, a critic or a condition."""
        return Spaces(data, self.latent_space(data), self.code_space(data), context)

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Encoder:
        """Build the encoder of ``spaces.data``, which reads ``spaces.context`` if there is one."""
        raise NotImplementedError(f"{type(self).__name__}.build")


class DecoderSpec(ComponentSpec):
    """How a latent becomes data."""

    kind: ClassVar[Kind] = "decoder"

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Return if latents of this space can be decoded to ``data``, beside a ``context`` where there is one.

        :raises Mismatch: otherwise.
        """
        raise NotImplementedError(f"{type(self).__name__}.accepts")

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Build the decoder of ``spaces.latent``; a tied one may refer to ``encoder`` without owning its parameters."""
        raise NotImplementedError(f"{type(self).__name__}.build")


class PriorSpec(ComponentSpec):
    """What codes look like on their own."""

    kind: ClassVar[Kind] = "prior"

    def own_space(self) -> Space | None:
        """Return the space of the codes where no encoder gives one, or ``None`` if the spec does not say."""
        return None

    def accepts(self, code: Space, context: ContextSpace | None = None) -> None:
        """Return if the prior can model codes of this space, beside a ``context`` where there is one.

        :raises Mismatch: otherwise.
        """
        raise NotImplementedError(f"{type(self).__name__}.accepts")

    @property
    def sampling(self) -> SamplingKind:
        """Return how codes are drawn; override where it depends on the fields."""
        return "direct"

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Prior:
        """Build the prior of ``spaces.code``; a tied one may refer to ``encoder`` without owning its parameters."""
        raise NotImplementedError(f"{type(self).__name__}.build")


class LossSpec(ComponentSpec):
    """What training minimises, one term a player."""

    kind: ClassVar[Kind] = "loss"

    @property
    def players(self) -> tuple[str, ...]:
        """Return the players in the order of their steps; override where they depend on the fields."""
        return ("model",)

    def accepts(self, spaces: Spaces) -> None:
        """Return if the loss can be computed between these spaces.

        :raises Mismatch: otherwise.
        """

    def accepts_batch(self, size: int) -> None:
        """Return if the loss can be computed on batches of this size.

        :raises Mismatch: otherwise.
        """

    def trained_parts(self) -> tuple[Role, ...]:
        """Return the parts that another run must have trained before this loss can begin; none unless it says so."""
        return ()

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        raise NotImplementedError(f"{type(self).__name__}.build")


class SamplerSpec(ComponentSpec):
    """How to walk from the prior to data."""

    kind: ClassVar[Kind] = "sampler"
    sampling: ClassVar[SamplingKind] = "direct"

    def accepts(self, model: ModelSpec, spaces: Spaces) -> None:
        """Return if the sampler can draw data from the model, whose parts lie between ``spaces``.

        :raises Mismatch: otherwise.
        """

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Sampler:
        """Make the sampler."""
        raise NotImplementedError(f"{type(self).__name__}.build")


class DatasetSpec(ComponentSpec):
    """Where data come from and how they are split and prepared."""

    kind: ClassVar[Kind] = "dataset"

    def data_space(self) -> Space:
        """Return the space of one datum; may read a file's header, never its content.

        :raises DataError: where the files are missing or not what the spec says.
        """
        raise NotImplementedError(f"{type(self).__name__}.data_space")

    def condition_space(self) -> Space | None:
        """Return the space of the condition (labels), or ``None`` where the data has none."""
        return None

    def attributes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the labels that the data have, by name, each with the names of its classes in their order.

        They need not be given as the condition; :meth:`labelled` gives them. Unless a data set says more, it has its condition,
        under the name ``label``.

        :raises DataError: where the files are missing or not what the spec says.
        """
        space = self.condition_space()
        return {"label": tuple(map(str, range(space.size)))} if isinstance(space, Categorical) and not space.shape else {}

    def label_name(self) -> str | None:
        """Return which of :meth:`attributes` is given as the condition, or ``None``."""
        return "label" if self.condition_space() is not None else None

    def labelled(self, attribute: str) -> DatasetSpec:
        """Return the same data, in the same splits and order, with one of :meth:`attributes` as the condition."""
        return self

    def load(self) -> Dataset:
        """Read the data.

        :raises DataError: where the files are missing or not what the spec says.
        """
        raise NotImplementedError(f"{type(self).__name__}.load")


class MetricSpec(ComponentSpec):
    """A figure about a trained model, with the protocol by which it was measured."""

    kind: ClassVar[Kind] = "metric"
    reproducible: ClassVar[bool] = True  # false where one seed gives two figures, as a measurement of time does

    @classmethod
    def bounded(cls) -> Self:
        """Return the metric as it is measured where nobody names its settings; override to bound its cost."""
        return cls.model_validate({})

    def refusal(self, composition: Composition) -> str:
        """Return why this metric has no meaning for a model of this composition, or an empty string."""
        return ""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Metric:
        """Make the metric."""
        raise NotImplementedError(f"{type(self).__name__}.build")


def children(spec: Spec) -> Iterator[tuple[tuple[str, ...], Spec]]:
    """Yield the specs directly within a spec, each with its path: a field, or a field and the place in its list."""
    for name in type(spec).model_fields:
        value = getattr(spec, name)
        if isinstance(value, Spec):
            yield (name,), value
        elif isinstance(value, tuple):
            yield from (((name, str(place)), entry) for place, entry in enumerate(value) if isinstance(entry, Spec))


def nested(spec: Spec, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ComponentSpec]]:
    """Yield every component within a spec, from the outside in, with its place, such as ``encoder.network``."""
    for inner, child in children(spec):
        if isinstance(child, ComponentSpec):
            yield ".".join((*path, *inner)), child
        yield from nested(child, (*path, *inner))


def components(module: ModuleType) -> list[type[ComponentSpec]]:
    """Return the component specs that a module lists in its ``__all__``, in that order, without the abstract ones."""
    listed = [getattr(module, name) for name in module.__all__]
    return [each for each in listed if isinstance(each, type) and issubclass(each, ComponentSpec) and each.type_name()]


def conditional_if(*parts: ComponentSpec | None) -> TraitSet:
    """Return those of the traits Conditional and ReadsSequence that any of ``parts`` has: what a wrapper passes on."""
    return traits(*(trait for trait in (Conditional, ReadsSequence) if any(part and trait in part.provides for part in parts)))
