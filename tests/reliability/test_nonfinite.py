"""R11: NaN and infinity are found in the step that makes them, named, and never saved as good."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from genframe import (
    Batch,
    Context,
    ContextSpace,
    Dataset,
    DatasetSpec,
    Decoder,
    DecoderSpec,
    Encoder,
    Loss,
    LossOutput,
    LossSpec,
    Model,
    NonFiniteError,
    Real,
    Space,
    Spaces,
    Split,
)
from genframe.experiment.document.spec import ExperimentSpec
from genframe.experiment.run import checkpoint as storage
from genframe.experiment.run.training import train
from genframe.training.reporter import Silent

SPACE = Real((4,))
Place = Literal["loss", "gradient", "weights", "module", "nowhere"]


class FaultyDecoder(DecoderSpec):
    """A linear map with a layer that can be told to fail."""

    type: Literal["test/faulty"] = "test/faulty"

    def accepts(self, latent: Space, data: Space, context: ContextSpace | None = None) -> None:
        """Accept everything."""

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Decoder:
        """Make the decoder."""
        return FaultyParts()


class FaultyParts(Decoder):
    """Linear, then a layer that fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 4)
        self.fuse = Fuse()

    def decode(self, latent: Tensor, context: Context | None = None) -> Tensor:
        """Return data."""
        decoded: Tensor = self.fuse(self.linear(latent))
        return decoded


class Fuse(nn.Module):
    """Passes its input on until it blows."""

    def __init__(self) -> None:
        super().__init__()
        self.blown = False

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, or NaN."""
        return x * math.nan if self.blown else x


class FaultyLoss(LossSpec):
    """Squared error that goes wrong at one training step, in one way."""

    type: Literal["test/fault"] = "test/fault"

    at: int
    where: Place
    times: int = 1

    def build(self, spaces: Spaces, encoder: Encoder | None = None) -> Loss:
        """Make the loss."""
        return Fault(self)


class Fault(Loss):
    """Counts training steps and injects the fault."""

    def __init__(self, spec: FaultyLoss) -> None:
        super().__init__()
        self.spec = spec
        self.calls = 0

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return the error, with the fault if it is time."""
        if self.training and torch.is_grad_enabled():
            self.calls += 1
        now = self.spec.at <= self.calls < self.spec.at + self.spec.times
        decoder = model.decoder
        assert isinstance(decoder, FaultyParts)
        decoder.fuse.blown = now and self.spec.where == "module"
        if now and self.spec.where == "weights":
            decoder.linear.bias.data[1] = math.inf
        total = (model.reconstruct(batch.x) - batch.x).square().mean()
        if now and self.spec.where == "loss":
            total = total + math.inf
        if now and self.spec.where == "gradient":
            total = total + (decoder.linear.weight.sum() * 0).sqrt()  # zero, with a gradient of 0 * infinity
        return LossOutput(total, {"error": total.detach()})


class Noise(DatasetSpec):
    """Standard normal vectors."""

    type: Literal["test/noise"] = "test/noise"

    def data_space(self) -> Space:
        """Return vectors."""
        return SPACE

    def load(self) -> Dataset:
        """Return the data."""
        return Dataset(SPACE, {"train": Split("train", torch.randn(64, 4, generator=torch.Generator().manual_seed(0)))})


class Heard(Silent):
    """Keeps the messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        """Keep the line."""
        self.messages.append(text)


def run(
    folder: Path | None, where: Place, *, at: int = 8, times: int = 1, reporter: Silent | None = None, **fields: Any
) -> Any:
    """Train with a fault."""
    spec = ExperimentSpec.model_validate(
        {
            "name": "fault",
            "data": Noise(),
            "model": {
                "encoder": {"type": "nets/mlp", "hidden": [3], "dim": 2},
                "decoder": FaultyDecoder(),
                "loss": FaultyLoss(at=at, where=where, times=times),
            },
            "train": {"steps": 30, "batch_size": 8, "checkpoint_every": 5, "threads": 1, "device": "cpu", **fields},
        }
    )
    return train(spec, folder=folder, reporter=reporter)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("loss", "step 8: the loss of player 'model' is inf (error)"),
        ("module", "step 8: the loss of player 'model' is nan (error); it begins in 'decoder.fuse'"),
        ("weights", "step 8: the weights 'decoder.linear.bias' hold NaN or infinity"),
    ],
)
def test_stop_names_where_it_began(where: Place, said: str, tmp_path: Path) -> None:
    """The default policy stops in the very step and names the loss term, the submodule or the parameter."""
    with pytest.raises(NonFiniteError) as caught:
        run(tmp_path / "run", where)
    assert str(caught.value).startswith(said)
    found = storage.latest(tmp_path / "run" / "checkpoints")
    assert found is not None
    assert found.step == 5  # the last good one


def test_gradient_is_found_with_a_norm_to_look_at() -> None:
    """Where gradients are clipped, a gradient that is not finite is found before it reaches the weights."""
    with pytest.raises(NonFiniteError, match=r"step 8: the gradient of 'decoder\.linear\.weight' holds NaN or infinity"):
        run(None, "gradient", clip=1.0)


def test_gradient_is_found_in_the_weights_without_a_norm(tmp_path: Path) -> None:
    """Without clipping it is found in the weights one step later, and those weights are never saved."""
    with pytest.raises(NonFiniteError, match=r"step 9: the weights 'decoder\.linear\.weight' hold NaN"):
        run(tmp_path / "run", "gradient")


@pytest.mark.parametrize("at", [10, 30])
def test_bad_weights_are_never_checkpointed(at: int, tmp_path: Path) -> None:
    """A step that spoils the weights just before a checkpoint, or at the end, leaves no checkpoint behind."""
    with pytest.raises(NonFiniteError, match="so they were not saved"):
        run(tmp_path / "run", "gradient", at=at)
    found = storage.latest(tmp_path / "run" / "checkpoints")
    assert found is not None
    assert found.step == at - 5
    saved = storage.read(found.path)
    assert all(bool(tensor.isfinite().all()) for tensor in saved.tensors.values() if tensor.is_floating_point())


@pytest.mark.parametrize("where", ["loss", "gradient", "module"])
def test_skip_leaves_the_step_out_and_says_so(where: Place) -> None:
    """The policy 'skip' leaves a bad step out, says which, and ends with finite weights."""
    heard = Heard()
    trained = run(None, where, reporter=heard, on_nonfinite="skip")
    assert len(heard.messages) == 1
    assert heard.messages[0].startswith("skipped: step 8: ")
    assert trained.step == 30
    assert all(bool(parameter.isfinite().all()) for parameter in trained.model.parameters())


def test_skip_gives_up_when_nothing_is_learned() -> None:
    """Twenty bad steps in a row are not skipped for ever."""
    with pytest.raises(NonFiniteError, match="20 steps in a row were skipped"):
        run(None, "loss", times=100, on_nonfinite="skip")


def test_rollback_goes_back_to_the_last_checkpoint_at_half_the_rate(tmp_path: Path) -> None:
    """The policy 'rollback' goes on from the last good checkpoint with half the learning rate, and finishes."""
    heard = Heard()
    trained = run(tmp_path / "run", "loss", reporter=heard, on_nonfinite="rollback", log_every=1)
    told = [message for message in heard.messages if not message.startswith("no plugin has test/fault")]
    assert [message.partition("; back to")[2] for message in told] == [" step 5 at half the learning rate"]
    assert trained.step == 30
    rates = {int(row["step"]): row["lr"] for row in trained.metrics}
    assert sorted(rates) == list(range(1, 31))
    assert (rates[5], rates[6], rates[30]) == (1e-3, 5e-4, 5e-4)


def test_rollback_is_not_tried_for_ever(tmp_path: Path) -> None:
    """A fault that comes back each time ends in the error."""
    heard = Heard()
    with pytest.raises(NonFiniteError):
        run(tmp_path / "run", "loss", times=10**6, reporter=heard, on_nonfinite="rollback")
    told = [message for message in heard.messages if not message.startswith("no plugin has test/fault")]
    assert len(told) == 3


def test_without_a_fault_nothing_is_said() -> None:
    """The control: the same model without a fault trains in silence."""
    heard = Heard()
    assert run(None, "nowhere", reporter=heard).step == 30
    assert heard.messages == []
