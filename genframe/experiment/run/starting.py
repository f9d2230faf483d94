"""Parts that a run takes, trained, from another run."""

from __future__ import annotations

from ...model.model import Model
from ...training.settings import StartSpec
from ...types.errors import CheckpointError, Problem, RunError, SpecError
from .run import load

__all__ = ["take_parts"]


def take_parts(model: Model, start: StartSpec) -> str:
    """Give the model's parts the weights that they have in another run, and return what was taken, for a person to read.

    Averaged weights are taken where there are any.

    :raises SpecError: if there is no such run, or its parts are not of the same shapes.
    """
    try:
        source = load(start.run)
    except (RunError, CheckpointError) as error:
        raise SpecError(Problem("train.start.run", str(error), "name the folder of a trained run")) from None
    parts, theirs = model.parts(), source.model.parts()
    for name in start.parts:
        if name not in theirs:
            raise SpecError(Problem("train.start.parts", f"the model of {start.run} has no {name}", "leave it out"))
        weights = theirs[name].state_dict()
        wanted = {key: tuple(tensor.shape) for key, tensor in parts[name].state_dict().items()}
        found = {key: tuple(tensor.shape) for key, tensor in weights.items()}
        unlike = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
        if unlike:
            key = unlike[0]
            message = (
                f"{name} of {start.run} is another: {key} is {found.get(key, 'not there')}, here {wanted.get(key, 'not there')}"
            )
            hint = f"give it, and the parts whose spaces it lives on, the specs that they have in {start.run}/experiment.yaml"
            raise SpecError(Problem(f"model.{name}", message, hint))
        parts[name].load_state_dict(weights)
    return f"{', '.join(start.parts)} as in {start.run} at step {source.step} (checkpoint {source.checkpoint[:16]})"
