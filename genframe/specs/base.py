"""The base of all specs: frozen, typed descriptions from which everything is checked and then built."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, Self, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator
from pydantic_core import PydanticCustomError, core_schema

from ..types.trait.base import Trait, TraitSet, traits
from ..types.trait.parts import Conditional, ReadsSequence
from ..types.values import Role
from .problems import FieldsError, problems_of

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.fields import FieldInfo

__all__ = [
    "KINDS",
    "ComponentSpec",
    "Kind",
    "Needs",
    "Spec",
    "children",
    "components",
    "conditional_if",
    "each_needed",
    "nested",
    "resolve_in",
    "suggestion",
    "with_article",
]

Kind: TypeAlias = Literal["encoder", "decoder", "prior", "loss", "sampler", "dataset", "metric"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


# A role's traits that a part needs; an empty tuple needs the role to be there, whatever it can do.
Needs: TypeAlias = Mapping[Role, Trait | tuple[Trait, ...]]
LARGEST: Final = 1 << 40
ANY_OF_KIND: Final = "x-genframe-any"
NOTHING: Final[Needs] = MappingProxyType({})
_resolvers: list[Callable[[Kind], Resolver]] = []


class Resolver(Protocol):
    """The components of one kind that are known by name."""

    def find(self, name: str) -> type[ComponentSpec]:
        """The spec class of a name."""

    def names(self) -> list[str]:
        """All names, sorted."""


def registries(kind: Kind) -> Resolver:
    """Return the registry of a kind, in which names of components are resolved; plugins are looked for when the first is."""
    if not _resolvers:
        import_module("genframe.plugins")  # which hands its registries in: the one way up, taken when a name is resolved
    return _resolvers[-1](kind)


def resolve_in(find: Callable[[Kind], Resolver]) -> None:
    """Say how the registry of a kind is found."""
    _resolvers.append(find)


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

    if not TYPE_CHECKING:  # type checkers know the arguments by the fields

        def __init__(self, /, **fields):
            """Make the spec.

            :raises SpecError: with all problems of its fields.
            """
            with _in_plain_words(type(self)):
                super().__init__(**fields)

        __init__.__pydantic_base_init__ = True  # pydantic does not come by here to make a spec within another

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Return the spec that ``obj``, such as a mapping from a file, describes.

        :raises SpecError: with all problems of its fields.
        """
        with _in_plain_words(cls):
            return super().model_validate(obj, **options)

    @model_validator(mode="before")
    @classmethod
    def _read_fields(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        huge = next((key for key, entry in value.items() if _beyond(entry)), None)
        if huge is not None:
            message = f"field '{huge}' holds a number beyond ±2^40"
            raise PydanticCustomError("component", "{message}", {"message": message, "hint": "give a smaller one"})
        unknown = [key for key in value if key not in cls.model_fields]
        if not unknown:
            return {key: _with_default_type(cls.model_fields[key], entry) for key, entry in value.items()}
        known = sorted(cls.model_fields)
        hint = suggestion(str(unknown[0]), known) or f"the fields are {', '.join(known)}"
        raise PydanticCustomError(
            "unknown_field",
            "unknown field '{field}'",
            {"field": str(unknown[0]), "hint": hint},
        )


def _beyond(entry: Any) -> bool:
    """Return whether a whole number, or one in a list, is larger than any size or count can be."""
    if isinstance(entry, (list, tuple)):
        return any(map(_beyond, entry))
    return isinstance(entry, int) and abs(entry) > LARGEST


@contextmanager
def _in_plain_words(kind: type[Spec]) -> Iterator[None]:
    """Turn pydantic's error about a spec into a :class:`FieldsError`."""
    try:
        yield
    except ValidationError as error:
        raise FieldsError(problems_of(error, partial(_described, kind))) from None


def _described(kind: type[Spec], field: str, owner: object) -> str:
    """Return what a missing field is, from the class of ``owner``, which lacks it: a component's, or one within ``kind``."""
    name = owner.get("type") if isinstance(owner, Mapping) else None
    named: list[type[Spec]] = [registry.find(name) for registry in map(registries, KINDS) if name in registry.names()]
    classes = named or _within(kind)
    fields = [known.model_fields[field] for known in classes if field in known.model_fields]
    return f"it is {fields[0].description}" if fields and fields[0].description else ""


def _within(annotation: Any) -> Iterator[type[Spec]]:
    """Yield the spec classes that an annotation names, and those in their fields."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _within(field.annotation)
    for argument in get_args(annotation):
        yield from _within(argument)


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
        registry = registries(cls.kind)
        name = value.get("type") if isinstance(value, Mapping) else None
        if not isinstance(name, str):
            found = "no 'type'" if isinstance(value, Mapping) and name is None else repr(name or value)
            message = f"expected the name of {with_article(cls.kind)}, or a mapping with its 'type'; found {found}"
            raise PydanticCustomError(
                "component", "{message}", {"message": message, "hint": f"installed are {', '.join(registry.names())}"}
            )
        component = registry.find(name)
        # past Spec.model_validate: within a validation, the error stays pydantic's and becomes part of the outer one
        return super(Spec, component).model_validate({**value, "type": component.type_name()})  # type: ignore[return-value]


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


def each_needed(needs: Needs, role: Role) -> tuple[Trait, ...]:
    """Return the traits that ``needs`` asks of a role."""
    needed = needs.get(role, ())
    return needed if isinstance(needed, tuple) else (needed,)


def components(module: ModuleType) -> list[type[ComponentSpec]]:
    """Return the component specs that a module lists in its ``__all__``, in that order, without the abstract ones."""
    listed = [getattr(module, name) for name in module.__all__]
    return [each for each in listed if isinstance(each, type) and issubclass(each, ComponentSpec) and each.type_name()]


def conditional_if(*parts: ComponentSpec | None) -> TraitSet:
    """Return those of the traits Conditional and ReadsSequence that any of ``parts`` has: what a wrapper passes on."""
    return traits(*(trait for trait in (Conditional, ReadsSequence) if any(part and trait in part.provides for part in parts)))
