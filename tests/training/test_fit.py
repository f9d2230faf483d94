"""``fit`` and ``Trainer`` without an experiment, over whatever a user's data is; and loops of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from genframe import (
    Batch,
    DataError,
    Dataset,
    Loss,
    LossOutput,
    LossSpec,
    Model,
    ModelSpec,
    Real,
    Spaces,
    Split,
    Trainer,
    Unsupported,
    WeightAverage,
    compose,
    fit,
)

SPACE = Real((4,))
MLP = {"type": "nets/mlp", "hidden": [8]}
AUTOENCODER = {"encoder": {**MLP, "dim": 2}, "decoder": MLP, "loss": "vae/reconstruction"}
SETTINGS: dict[str, Any] = {"steps": 12, "batch_size": 8, "log_every": 4}


def model(**changes: Any) -> Model:
    """Return a small autoencoder."""
    return compose(ModelSpec.model_validate({**AUTOENCODER, **changes}), SPACE)


def data(n: int = 40) -> Tensor:
    """Return some data."""
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0))


def trained(examples: Any, **settings: Any) -> str:
    """Return the digest of a model's weights after training on ``examples``."""
    made = model()
    fit(made, examples, **{**SETTINGS, **settings})
    return made.weights_digest()


def test_rows_are_read_in_the_same_order_whatever_holds_them() -> None:
    """A tensor, a tuple, a dict, a torch dataset, a split and a dataset train the same weights, bit for bit."""
    x = data()
    held: list[Any] = [
        x,
        (x, torch.zeros(40)),
        {"x": x},
        TensorDataset(x),
        Split("train", x),
        Dataset(SPACE, {"train": Split("train", x)}),
    ]
    assert len({trained(examples) for examples in held}) == 1


def test_a_loader_and_a_list_of_batches_are_read_again_and_again() -> None:
    """Their order is their own: batch by batch, and from the start when they end."""
    x = data()
    assert trained(DataLoader(TensorDataset(x), batch_size=10)) == trained(list(x.split(10)))
    seen: list[int] = []

    class Counted(list[Tensor]):
        def __iter__(self) -> Iterator[Tensor]:
            seen.append(len(seen))
            return super().__iter__()

    fit(model(), Counted(x.split(10)), steps=9)
    assert len(seen) == 3  # 4 + 4 + 1 batches


def test_a_loader_is_not_exact() -> None:
    """Rows say that a resumed training reads the same batches, a loader that it does not."""
    assert Trainer(model(), data(), **SETTINGS).stage.source.exact
    assert not Trainer(model(), [data()], **SETTINGS).stage.source.exact


def test_a_function_makes_batches_of_what_a_loader_yields() -> None:
    """``batch`` reads any format; without it the message says what is missing."""
    items = [{"pixels": rows} for rows in data().split(10)]
    with pytest.raises(DataError, match=r"found a mapping with pixels; say by batch="):
        fit(model(), items, steps=1)
    fit(model(), items, steps=3, batch=lambda item: Batch(item["pixels"]))


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (torch.zeros(5, 3), r"the model is for Real\(4\), found examples of 3"),
        ([torch.zeros(5, 3)], r"the model is for Real\(4\), found examples of 3"),
        (torch.zeros(0, 4), "the data has no rows"),
        ([], "the loader has no batch"),
        (17, "expected a dataset, tensors, or an iterable of batches to train on, found int"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(examples: Any, message: str) -> None:
    """In one sentence, with what was found."""
    with pytest.raises(DataError, match=message):
        fit(model(), examples, steps=1)


def test_single_examples_are_refused() -> None:
    """A stream of examples has to come in a loader, which makes batches."""

    class Stream(IterableDataset[Tensor]):
        def __iter__(self) -> Iterator[Tensor]:
            return iter(data())

    with pytest.raises(DataError, match="give it in a DataLoader"):
        fit(model(), Stream(), steps=1)
    fit(model(), DataLoader(Stream(), batch_size=8), steps=2)


class Weighted(LossSpec):
    """The squared error, weighted by an extra of the batch."""

    type: str = "test/weighted"

    def build(self, spaces: Spaces, encoder: Any = None) -> Loss:
        """Make the loss."""
        return WeightedError()


class WeightedError(Loss):
    """The squared error times ``weight``."""

    def forward(self, model: Model, batch: Batch, player: str = "model") -> LossOutput:
        """Return it."""
        error = (model.reconstruct(batch.x) - batch.x).square().mean(1)
        return LossOutput((batch.extras["weight"] * error).mean(), {"weight": batch.extras["weight"].mean()})


@pytest.mark.parametrize("loaded", [False, True])
def test_extras_reach_the_loss(loaded: bool) -> None:
    """What else a dataset has for each row passes whole, from tensors and from a loader."""
    examples: Any = {"x": data(), "weight": torch.full((40,), 3.0)}
    if loaded:
        examples = [examples]
    history = fit(compose(ModelSpec.model_validate({**AUTOENCODER, "loss": Weighted()}), SPACE), examples, steps=4, log_every=2)
    assert history["weight"] == [3.0, 3.0]


def test_a_trainer_continues_from_its_state() -> None:
    """Tensors and state of a trainer put another one where it was; both end at the same weights."""
    first, second = (Trainer(model(), data(), **SETTINGS, ema=0.9) for _ in range(2))
    first.advance(5)
    second.restore(first.tensors(), first.state())
    for trainer in (first, second):
        trainer.run()
    assert first.model.weights_digest() == second.model.weights_digest()


def test_validation_data_may_be_anything() -> None:
    """Tensors and loaders are validated on alike."""
    x = data()
    found = [
        Trainer(model(), x, validation=other, **SETTINGS).validate()["validation/loss"]
        for other in (x[:20], [x[:10], x[10:20]])
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_an_own_loop_trains_every_player() -> None:
    """Both players of a game move in a loop of few lines; what else a loop has to remember is a call each."""
    parts = {"decoder": MLP, "prior": {"type": "core/normal", "shape": [2]}, "loss": {"type": "gan/adversarial", "critic": MLP}}
    game = compose(ModelSpec.model_validate(parts), SPACE)
    before = {name: tensor.clone() for name, tensor in game.state_dict().items()}
    game.begin()
    average = WeightAverage(game, 0.9)
    optimizers = {player: torch.optim.Adam(game.player_parameters(player)) for player in game.players}
    for x in data().split(10):
        for player in game.players:
            optimizers[player].zero_grad()
            game.loss(game, Batch(x), player).total.backward()
            optimizers[player].step()
        average.update()
    moved = {name.split(".")[0] for name, tensor in game.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"decoder", "loss"}


def test_an_unknown_player_is_refused() -> None:
    """A loss with several players takes none for granted, and none that it does not have."""
    parts = {"decoder": MLP, "prior": {"type": "core/normal", "shape": [2]}, "loss": {"type": "gan/adversarial", "critic": MLP}}
    game = compose(ModelSpec.model_validate(parts), SPACE)
    with pytest.raises(Unsupported, match="the players critic, generator, name one"):
        game.loss(game, Batch(data()))
    with pytest.raises(Unsupported, match="found 'model'"):
        game.loss(game, Batch(data()), "model")
    with pytest.raises(Unsupported, match="found 'critic'"):
        model().loss(model(), Batch(data()), "critic")
    assert model().loss(model(), Batch(data())).total.ndim == 0
