"""What a result depends on besides its experiment, and the line that says what differs."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch

from genframe import CheckpointError
from genframe.training.environment import compare, describe, threads
from genframe.training.reporter import Silent


class Heard(Silent):
    """Keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        """Keep the line."""
        self.messages.append(text)


def differing(**changes: Any) -> dict[str, Any]:
    """Return this environment with changes, as it comes back from a checkpoint."""
    saved = json.loads(json.dumps(describe(2)))
    saved["plugins"] |= changes.pop("plugins", {})
    return {**saved, **changes}


def said(saved: dict[str, Any], thread_count: int = 2) -> list[str]:
    """Return what is said of continuing from the environment."""
    heard = Heard()
    compare(saved, thread_count, heard, require_exact=False)
    return heard.messages


def test_the_same_environment_is_silent() -> None:
    """What does not decide bits, such as the command and the time, may differ."""
    assert said(differing(started="1999-01-01T00:00:00+00:00", command=["other"], python="3.99")) == []


def test_one_line_names_each_thing_that_differs() -> None:
    """Torch's version, the number of threads, a plugin's version and a plugin that is gone: each by its name, and no other."""
    saved = differing(torch="1.0", plugins={"genframe-nets": "9.9", "genframe-gone": "0.3"})
    nets = describe(1)["plugins"]["genframe-nets"]
    (line,) = said(saved, thread_count=1)
    assert line == (
        f"going on, but not bit for bit: torch was 1.0 and is {torch.__version__}; threads was 2 and is 1; "
        f"genframe-nets was 9.9 and is {nets}; genframe-gone was 0.3 and is absent"
    )


def test_a_plugin_that_was_added_is_named() -> None:
    """A plugin that the checkpoint's environment did not have is a difference too."""
    saved = copy.deepcopy(differing())
    version = saved["plugins"].pop("genframe-vae")
    assert said(saved) == [f"going on, but not bit for bit: genframe-vae was absent and is {version}"]


def test_exactness_can_be_required() -> None:
    """With ``require_exact`` a difference is an error with the same words, and equality is none."""
    heard = Heard()
    compare(differing(), 2, heard, require_exact=True)
    with pytest.raises(CheckpointError, match=r"^cannot go on bit for bit: torch was 1\.0"):
        compare(differing(torch="1.0"), 2, heard, require_exact=True)
    assert heard.messages == []


def test_threads_are_restored() -> None:
    """The number of threads holds inside the context only, after an error too."""
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), threads(before + 1):
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == before
