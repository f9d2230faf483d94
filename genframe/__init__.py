"""genframe: generative models as typed compositions of five parts.

Importing this package imports none of its parts, and no torch: a name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy import loaded_when_used as loaded_when_used
from .version import __version__ as __version__

if TYPE_CHECKING:
    from .checking import check as check
    from .cli.commands import Command as Command
    from .experiment.document.spec import ExperimentSpec as ExperimentSpec
    from .experiment.run.evaluation import Evaluation as Evaluation
    from .experiment.run.evaluation import evaluate as evaluate
    from .experiment.run.folder import describe as describe
    from .experiment.run.resume import resume as resume
    from .experiment.run.run import Run as Run
    from .experiment.run.run import load as load
    from .experiment.run.training import train as train
    from .model import LogProb as LogProb
    from .model import Model as Model
    from .model import Samples as Samples
    from .model import average as average
    from .model import blocks as blocks
    from .model import build as build
    from .model import compose as compose
    from .model import evaluating as evaluating
    from .model import stamp as stamp
    from .model import wrap as wrap
    from .plugins import Installed as Installed
    from .plugins import Plugin as Plugin
    from .plugins import Recipe as Recipe
    from .plugins import hookimpl as hookimpl
    from .plugins import installed as installed
    from .plugins import register as register
    from .roles import Dataset as Dataset
    from .roles import Decoder as Decoder
    from .roles import DecoderNetwork as DecoderNetwork
    from .roles import Encoder as Encoder
    from .roles import EncoderNetwork as EncoderNetwork
    from .roles import Loss as Loss
    from .roles import Metric as Metric
    from .roles import MetricResult as MetricResult
    from .roles import Networks as Networks
    from .roles import Prepare as Prepare
    from .roles import Prior as Prior
    from .roles import Sampler as Sampler
    from .roles import Split as Split
    from .roles import ask as ask
    from .roles import data_digest as data_digest
    from .roles import drawn_latent as drawn_latent
    from .roles import generator_for as generator_for
    from .roles import into_space as into_space
    from .roles import normal_like as normal_like
    from .roles import projection as projection
    from .specs import ComponentSpec as ComponentSpec
    from .specs import Composition as Composition
    from .specs import DatasetSpec as DatasetSpec
    from .specs import DecoderSpec as DecoderSpec
    from .specs import EncoderSpec as EncoderSpec
    from .specs import LossSpec as LossSpec
    from .specs import MetricSpec as MetricSpec
    from .specs import ModelSpec as ModelSpec
    from .specs import Needs as Needs
    from .specs import PriorSpec as PriorSpec
    from .specs import SamplerSpec as SamplerSpec
    from .specs import Spec as Spec
    from .specs import components as components
    from .specs import conditional_if as conditional_if
    from .training.ema import WeightAverage as WeightAverage
    from .training.observer import History as History
    from .training.settings import StageSpec as StageSpec
    from .training.settings import TrainSpec as TrainSpec
    from .training.trainer import Trainer as Trainer
    from .training.trainer import fit as fit
    from .types import Batch as Batch
    from .types import Categorical as Categorical
    from .types import CheckpointError as CheckpointError
    from .types import Context as Context
    from .types import ContextSpace as ContextSpace
    from .types import DataError as DataError
    from .types import GenframeError as GenframeError
    from .types import LossOutput as LossOutput
    from .types import Mismatch as Mismatch
    from .types import NonFiniteError as NonFiniteError
    from .types import PluginError as PluginError
    from .types import Problem as Problem
    from .types import Real as Real
    from .types import RunError as RunError
    from .types import Space as Space
    from .types import Spaces as Spaces
    from .types import SpecError as SpecError
    from .types import SpikeError as SpikeError
    from .types import State as State
    from .types import StorageError as StorageError
    from .types import Unsupported as Unsupported
    from .types import at as at
    from .types import projected as projected
    from .types import require_categorical as require_categorical
    from .types import require_real as require_real
    from .types import traits as traits
    from .types import vector_dims as vector_dims
    from .types import vector_of as vector_of

_LOADED_WHEN_USED = {
    "checking": "check",
    "cli.commands": "Command",
    "experiment.document.spec": "ExperimentSpec",
    "experiment.run.folder": "describe",
    "experiment.run.evaluation": "Evaluation evaluate",
    "experiment.run.resume": "resume",
    "experiment.run.run": "Run load",
    "experiment.run.training": "train",
    "model": "LogProb Model Samples average blocks build compose evaluating stamp wrap",
    "plugins": "Installed Plugin Recipe hookimpl installed register",
    "roles": (
        "Dataset Decoder DecoderNetwork Encoder EncoderNetwork Loss Metric MetricResult Networks Prepare Prior Sampler "
        "Split ask data_digest drawn_latent generator_for into_space normal_like projection"
    ),
    "specs": (
        "ComponentSpec Composition DatasetSpec DecoderSpec EncoderSpec LossSpec MetricSpec ModelSpec Needs PriorSpec "
        "SamplerSpec Spec components conditional_if"
    ),
    "training.ema": "WeightAverage",
    "training.observer": "History",
    "training.settings": "StageSpec TrainSpec",
    "training.trainer": "Trainer fit",
    "types": (
        "Batch Categorical CheckpointError Context ContextSpace DataError GenframeError LossOutput Mismatch "
        "NonFiniteError PluginError Problem Real RunError Space Spaces SpecError SpikeError State StorageError Unsupported "
        "at projected require_categorical require_real traits vector_dims vector_of"
    ),
}
_MODULE_OF = {name: module for module, names in _LOADED_WHEN_USED.items() for name in names.split()}
__all__ = [*sorted(["loaded_when_used", *_MODULE_OF])]
__getattr__, __dir__ = loaded_when_used(__name__, _MODULE_OF)
