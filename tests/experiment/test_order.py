"""The order of data: stateless, without repetition, drawn anew for each epoch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genframe.training.order import DataOrder

CPU = torch.device("cpu")


def epoch(order: DataOrder) -> list[list[int]]:
    """Return the batches of one epoch."""
    return [order.next().tolist() for _ in range(order.batches)]


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 40), batch=st.integers(1, 50), seed=st.integers(0, 2**40), number=st.integers(0, 1000))
def test_an_epoch_covers_each_datum_at_most_once(size: int, batch: int, seed: int, number: int) -> None:
    """An epoch is floor(N / B) whole batches without repetition: all data but the incomplete last batch."""
    batches = epoch(DataOrder(size, batch, seed, CPU, epoch=number))
    seen = [index for each in batches for index in each]
    expected = min(batch, size)
    assert {len(each) for each in batches} == {expected}
    assert len(seen) == len(set(seen)) == size // expected * expected
    assert set(seen) <= set(range(size))


@pytest.mark.parametrize("skip", [0, 1, 4, 5, 6, 17])
def test_the_order_is_a_function_of_seed_epoch_and_position(skip: int) -> None:
    """An order begun anew at the epoch and position of another goes on exactly as that one does."""
    walked = DataOrder(11, 2, 7, CPU)
    for _ in range(skip):
        walked.next()
    begun = DataOrder(11, 2, 7, CPU, walked.epoch, walked.position)
    for _ in range(12):
        assert torch.equal(walked.next(), begun.next())


def test_epochs_and_seeds_differ() -> None:
    """Two epochs of one seed, and the same epoch of neighbouring seeds, are in different orders."""
    orders = [epoch(DataOrder(100, 100, seed, CPU, number))[0] for seed in range(5) for number in range(5)]
    assert len(set(map(tuple, orders))) == 25


def test_epochs_are_left_behind_at_their_end() -> None:
    """The position begins at zero in the next epoch, after as many batches as fit whole."""
    order = DataOrder(7, 3, 0, CPU)
    places = []
    for _ in range(5):
        order.next()
        places.append((order.epoch, order.position))
    assert places == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)]


def test_data_smaller_than_a_batch_is_one_batch() -> None:
    """All of the data make each batch, in an order that is drawn anew."""
    order = DataOrder(5, 8, 3, CPU)
    batches = [order.next().tolist() for _ in range(6)]
    assert all(sorted(batch) == [0, 1, 2, 3, 4] for batch in batches)
    assert len(set(map(tuple, batches))) > 1


def test_the_last_batch_is_remembered() -> None:
    """``last`` gives what ``next`` gave, across the end of an epoch too."""
    order = DataOrder(4, 2, 0, CPU)
    for _ in range(5):
        batch = order.next()
        assert torch.equal(order.last(), batch)


def test_the_order_leaves_the_global_generator_alone() -> None:
    """Drawing the order uses no randomness of training."""
    before = torch.get_rng_state()
    epoch(DataOrder(9, 2, 1, CPU))
    assert torch.equal(torch.get_rng_state(), before)
