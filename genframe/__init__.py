"""genframe: generative models as typed compositions of five parts.

Importing this package does not import torch: names that need it are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .commands import Command
from .composition import Composition, ModelSpec, check
from .errors import (
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
from .hookspecs import hookimpl
from .lazy import loaded_when_used
from .plugins import Installed, Plugin, installed, register
from .recipes import Recipe
from .spaces import Categorical, ContextSpace, Real, Space, Spaces, projected, require_categorical, require_real, vector_dims
from .specs import (
    ComponentSpec,
    DatasetSpec,
    DecoderSpec,
    EncoderSpec,
    LossSpec,
    MetricSpec,
    Needs,
    PriorSpec,
    SamplerSpec,
    Spec,
    components,
    conditional_if,
)
from .traits import traits
from .values import Batch, Context, LossOutput, State, vector_of

if TYPE_CHECKING:
    from .data import Dataset, Prepare, Split, data_digest
    from .experiment.folder import describe
    from .experiment.run import Evaluation, Run, evaluate, load
    from .experiment.spec import ExperimentSpec
    from .experiment.training import resume, train
    from .heads import into_space, projection
    from .likelihood import LogProb
    from .measurement import average, blocks, stamp
    from .model import Model, Samples, build, compose, evaluating
    from .roles import (
        Decoder,
        DecoderNetwork,
        Encoder,
        EncoderNetwork,
        Loss,
        Metric,
        MetricResult,
        Networks,
        Prior,
        Sampler,
        ask,
        drawn_latent,
        generator_for,
        normal_like,
    )
    from .training.ema import WeightAverage
    from .training.observer import History
    from .training.settings import StageSpec, TrainSpec
    from .training.trainer import Trainer, fit
    from .wrapping import wrap

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

__version__ = "0.1.0"

_LOADED_WHEN_USED = {
    "experiment.folder": ("describe",),
    "experiment.run": ("Evaluation", "Run", "evaluate", "load"),
    "experiment.spec": ("ExperimentSpec",),
    "training.ema": ("WeightAverage",),
    "training.observer": ("History",),
    "training.settings": ("StageSpec", "TrainSpec"),
    "training.trainer": ("Trainer", "fit"),
    "wrapping": ("wrap",),
    "experiment.training": ("resume", "train"),
    "data": ("Dataset", "Prepare", "Split", "data_digest"),
    "heads": ("into_space", "projection"),
    "likelihood": ("LogProb",),
    "measurement": ("average", "blocks", "stamp"),
    "model": ("Model", "Samples", "build", "compose", "evaluating"),
    "roles": (
        "Decoder",
        "DecoderNetwork",
        "Encoder",
        "EncoderNetwork",
        "Loss",
        "Metric",
        "MetricResult",
        "Networks",
        "Prior",
        "Sampler",
        "ask",
        "drawn_latent",
        "generator_for",
        "normal_like",
    ),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names}


__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
