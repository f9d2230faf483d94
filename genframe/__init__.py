"""genframe: generative models as typed compositions of five parts.

Importing this package does not import torch: names that need it are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .checking.flow import check
from .lazy import loaded_when_used
from .plugins.discovery import Installed, Plugin, installed, register
from .plugins.hookspecs import hookimpl
from .plugins.recipes import Recipe
from .specs.base import ComponentSpec, Needs, Spec, components, conditional_if
from .specs.composition import Composition
from .specs.dataset import DatasetSpec
from .specs.metric import MetricSpec
from .specs.parts import DecoderSpec, EncoderSpec, LossSpec, ModelSpec, PriorSpec, SamplerSpec
from .types.errors import (
    CheckpointError,
    DataError,
    GenframeError,
    Mismatch,
    NonFiniteError,
    PluginError,
    Problem,
    RunError,
    SpecError,
    StorageError,
    Unsupported,
    at,
)
from .types.spaces import (
    Categorical,
    ContextSpace,
    Real,
    Space,
    Spaces,
    projected,
    require_categorical,
    require_real,
    vector_dims,
)
from .types.trait.base import traits
from .types.values import Batch, Context, LossOutput, State, vector_of
from .version import __version__ as __version__

if TYPE_CHECKING:
    from .cli.commands import Command
    from .experiment.document.spec import ExperimentSpec
    from .experiment.run.evaluation import Evaluation, evaluate
    from .experiment.run.folder import describe
    from .experiment.run.resume import resume
    from .experiment.run.run import Run, load
    from .experiment.run.training import train
    from .model.evaluation import evaluating
    from .model.likelihood import LogProb
    from .model.measurement import average, blocks, stamp
    from .model.model import Model, build, compose
    from .model.sampling import Samples
    from .model.wrapping import wrap
    from .roles.data import Dataset, Prepare, Split, data_digest
    from .roles.heads import into_space, projection
    from .roles.metric import Metric, MetricResult
    from .roles.parts import Decoder, DecoderNetwork, Encoder, EncoderNetwork, Loss, Networks, Prior, Sampler, ask, drawn_latent
    from .roles.random import generator_for, normal_like
    from .training.ema import WeightAverage
    from .training.observer import History
    from .training.settings import StageSpec, TrainSpec
    from .training.trainer import Trainer, fit

__all__ = [
    "Batch",
    "Categorical",
    "CheckpointError",
    "Command",
    "ComponentSpec",
    "Composition",
    "Context",
    "ContextSpace",
    "DataError",
    "Dataset",
    "DatasetSpec",
    "Decoder",
    "DecoderNetwork",
    "DecoderSpec",
    "Encoder",
    "EncoderNetwork",
    "EncoderSpec",
    "Evaluation",
    "ExperimentSpec",
    "GenframeError",
    "History",
    "Installed",
    "LogProb",
    "Loss",
    "LossOutput",
    "LossSpec",
    "Metric",
    "MetricResult",
    "MetricSpec",
    "Mismatch",
    "Model",
    "ModelSpec",
    "Needs",
    "Networks",
    "NonFiniteError",
    "Plugin",
    "PluginError",
    "Prepare",
    "Prior",
    "PriorSpec",
    "Problem",
    "Real",
    "Recipe",
    "Run",
    "RunError",
    "Sampler",
    "SamplerSpec",
    "Samples",
    "Space",
    "Spaces",
    "Spec",
    "SpecError",
    "Split",
    "StageSpec",
    "State",
    "StorageError",
    "TrainSpec",
    "Trainer",
    "Unsupported",
    "WeightAverage",
    "ask",
    "at",
    "average",
    "blocks",
    "build",
    "check",
    "components",
    "compose",
    "conditional_if",
    "data_digest",
    "describe",
    "drawn_latent",
    "evaluate",
    "evaluating",
    "fit",
    "generator_for",
    "hookimpl",
    "installed",
    "into_space",
    "load",
    "loaded_when_used",
    "normal_like",
    "projected",
    "projection",
    "register",
    "require_categorical",
    "require_real",
    "resume",
    "stamp",
    "train",
    "traits",
    "vector_dims",
    "vector_of",
    "wrap",
]

_LOADED_WHEN_USED = {
    "cli.commands": ("Command",),
    "experiment.document.spec": ("ExperimentSpec",),
    "experiment.run.folder": ("describe",),
    "experiment.run.evaluation": ("Evaluation", "evaluate"),
    "experiment.run.run": ("Run", "load"),
    "experiment.run.resume": ("resume",),
    "experiment.run.training": ("train",),
    "model.likelihood": ("LogProb",),
    "model.measurement": (
        "average",
        "blocks",
        "stamp",
    ),
    "model.evaluation": ("evaluating",),
    "model.model": ("Model", "build", "compose"),
    "model.sampling": ("Samples",),
    "model.wrapping": ("wrap",),
    "roles.data": (
        "Dataset",
        "Prepare",
        "Split",
        "data_digest",
    ),
    "roles.heads": (
        "into_space",
        "projection",
    ),
    "roles.metric": (
        "Metric",
        "MetricResult",
    ),
    "roles.parts": (
        "Decoder",
        "DecoderNetwork",
        "Encoder",
        "EncoderNetwork",
        "Loss",
        "Networks",
        "Prior",
        "Sampler",
        "ask",
        "drawn_latent",
    ),
    "roles.random": (
        "generator_for",
        "normal_like",
    ),
    "training.ema": ("WeightAverage",),
    "training.observer": ("History",),
    "training.settings": (
        "StageSpec",
        "TrainSpec",
    ),
    "training.trainer": (
        "Trainer",
        "fit",
    ),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}
__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
