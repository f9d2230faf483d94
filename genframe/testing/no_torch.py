"""Whether a plugin's module, and all that is asked of its specs before a model is built, does without torch.

Run as a script in a fresh process, with the module's name: it prints who imports torch.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

__all__ = ["imports_of_torch"]


def imports_of_torch(module: str, folder: Path | None = None) -> list[str]:
    """Return the places from which torch is imported when the plugin ``module`` is loaded and its specs are asked.

    ``folder`` is put in front of the path from which modules are imported.
    """
    command = [sys.executable, __file__, module, *([str(folder)] if folder is not None else [])]
    process = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own file
    if process.returncode:
        return [f"{module} cannot be imported without torch: {process.stderr.strip().splitlines()[-1]}"]
    return process.stdout.splitlines()


class _Watch(MetaPathFinder):
    """Notes who asks for torch, and says that there is none."""

    def __init__(self) -> None:
        self.places: list[str] = []

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname.partition(".")[0] == "torch":
            frame = sys._getframe(1)
            while frame.f_back is not None and "importlib" in frame.f_code.co_filename:
                frame = frame.f_back
            self.places.append(f"{frame.f_code.co_filename}:{frame.f_lineno} imports {fullname}")
            raise ImportError("the conformance kit forbids torch here")


def _main(module: str, *folders: str) -> None:
    import importlib

    sys.path[:1] = folders
    watch = _Watch()
    sys.meta_path.insert(0, watch)
    try:
        plugin = importlib.import_module(module)
        for hook in ("genframe_specs", "genframe_recipes"):
            for component in getattr(plugin, hook, list)():
                if isinstance(component, type):
                    _ask(component)
    except ImportError:
        if not watch.places:
            raise
    print(*dict.fromkeys(watch.places), sep="\n", end="\n" if watch.places else "")


def _ask(component: type) -> None:
    """Ask a component's default spec all that is asked before building; refusals are as good as answers."""
    from genframe import (
        Categorical,
        DatasetSpec,
        DecoderSpec,
        EncoderSpec,
        GenframeError,
        LossSpec,
        Mismatch,
        PriorSpec,
        Real,
        Spaces,
        SpecError,
    )
    from genframe.specs import ComponentSpec

    assert issubclass(component, ComponentSpec)
    try:
        spec = component.model_validate({"type": component.type_name()})
    except SpecError:
        return
    _ = spec.provides, spec.needs
    for space in (Real((6,)), Real((1, 8, 8), 0, 1, levels=2), Categorical((4,), 5)):
        try:
            match spec:
                case EncoderSpec():
                    spec.latent_space(space), spec.code_space(space)
                case PriorSpec():
                    spec.accepts(space)
                case DecoderSpec():
                    spec.accepts(Real((6,)), space)
                case LossSpec():
                    spec.accepts(Spaces(space, Real((6,)), Real((6,))))
                    _ = spec.players
                case DatasetSpec():
                    spec.data_space(), spec.condition_space()
        except (Mismatch, GenframeError):
            continue


if __name__ == "__main__":
    _main(*sys.argv[1:])
