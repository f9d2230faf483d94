"""Tables of numbers."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from genframe import DataError, Real
from genframe_data import Table
from genframe_data import lines as module

MISSING = "leave their rows out with missing: drop, fill numbers with missing: mean, or choose others by 'columns'"
NUMBERS = np.random.RandomState(0).normal(3, 2, (40, 3))


def _text(mark: str) -> str:
    return "\n".join(mark.join(f"{value:.17g}" for value in row) for row in NUMBERS) + "\n"


@pytest.mark.parametrize("mark", [" ", "\t", ",", ";", "  , "])
@pytest.mark.parametrize("heading", ["", "# a comment\n", "\ufeffa,b,c\n\n"])
@pytest.mark.parametrize("zipped", [False, True])
def test_tables_are_read(tmp_path: Path, mark: str, heading: str, zipped: bool) -> None:
    """Blanks, tabs, commas and semicolons, headings and comments, plain and gzip give the same numbers."""
    path = tmp_path / "table"
    content = (heading.replace(",", mark) + _text(mark)).encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    spec = Table(path=path, standardise=False, split="block", validation=0, test=0)
    assert spec.data_space() == Real((3,))
    assert torch.equal(spec.load().split("train").stored, torch.from_numpy(NUMBERS).float())


def test_columns_are_standardised_by_the_training_split(tmp_path: Path) -> None:
    """Training columns get mean 0 and deviation 1; the protocol's figures take every split back to the file's numbers."""
    path = tmp_path / "table.txt"
    path.write_text(_text(" "))
    data = Table(path=path, columns=(2, 0), split="block", test=0.25).load()
    train, test = data.split("train"), data.split("test")
    torch.testing.assert_close(train.stored.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(train.stored.std(0, correction=0), torch.ones(2))
    figures = test.protocol["standardisation"]
    back = test.stored.double() * torch.tensor(figures["scale"]) + torch.tensor(figures["mean"])
    torch.testing.assert_close(back, torch.from_numpy(NUMBERS[30:, [2, 0]].copy()), atol=1e-5, rtol=0)


def test_rounded_columns_are_spread_over_their_steps(tmp_path: Path) -> None:
    """Noise is uniform and as wide as the column's least difference, follows the generator, and the protocol says its width."""
    path = tmp_path / "table.txt"
    rows = [(0.5 * (i % 4), 7 - 3 * (i % 2)) for i in range(400)]
    path.write_text("".join(f"{a} {b}\n" for a, b in rows))
    split = Table(path=path, dequantise=True, validation=0, test=0, split="block").load().split("train")
    assert split.protocol["dequantisation"] == {"uniform": [0.5, 3.0]}
    scale = torch.tensor(split.protocol["standardisation"]["scale"])
    draws = [(split.batch(slice(None), torch.Generator().manual_seed(seed)).x - split.stored) * scale for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    shares = draws[0] / torch.tensor([0.5, 3.0])
    assert float(shares.abs().max()) <= 0.5
    torch.testing.assert_close(shares.mean(0), torch.zeros(2), atol=0.06, rtol=0)  # 4 standard errors
    torch.testing.assert_close(shares.std(0), torch.full((2,), 12**-0.5), atol=0.04, rtol=0)


def test_a_column_that_does_not_change_gets_no_noise(tmp_path: Path) -> None:
    """There is no difference to take a width from."""
    path = tmp_path / "table.txt"
    path.write_text("1 5\n2 5\n3 5\n")
    split = Table(path=path, dequantise=True, standardise=False, validation=0, test=0).load().split("train")
    assert split.protocol["dequantisation"] == {"uniform": [1.0, 0.0]}
    assert split.batch(slice(None)).x[:, 1].tolist() == [5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ": expected a table of numbers, found no row of them"),
        ("a b\n", ": expected a table of numbers, found no row of them"),
        ("1 2\n3 4\n5\n", ":3: expected 2 columns, found 1"),
        ("a b c\n1 2\n", ":2: expected 3 columns, found 2"),
        (
            "1 2\n\n3 four\n",
            ": expected columns of numbers, found 1 of others: 1 ('four' at line 3); "
            "take words as classes by categories: [1], or choose others by 'columns'",
        ),
        (
            "1 b\n",
            ": expected columns of numbers, found 1 of others: 1 ('b' at line 1); "
            "take words as classes by categories: [1], or choose others by 'columns'",
        ),
        ("1,2\n3,\n", ": missing values in 1 (1, first at line 2); " + MISSING),
        ("1 2\n3 nan\n", ": missing values in 1 (1, first at line 2); " + MISSING),
        (
            "1 2\n1e999 1\n",
            ": expected columns of numbers, found 1 of others: 0 ('1e999' at line 2); choose others by 'columns'",
        ),
        (
            "1 5\n2 5\n3 5\n",
            ": column 1 is constant; say drop_constant: true, choose others by 'columns' or set standardise: false",
        ),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, text: str, expected: str) -> None:
    """The message gives file, line and column, what was expected and what was found."""
    path = tmp_path / "table.txt"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        Table(path=path, validation=0, test=0).load()
    assert str(caught.value) == f"{path}{expected}"


def test_columns_that_are_not_there_are_refused(tmp_path: Path) -> None:
    """The check finds it by the first line."""
    path = tmp_path / "table.txt"
    path.write_text("1 2\n")
    with pytest.raises(DataError, match=r"table.txt: expected columns from 0 to 1 or of 0, 1, found 2 in 'columns'$"):
        Table(path=path, columns=(0, 2)).data_space()


def test_a_line_without_end_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line, and a file, may have only so many bytes: gzip can pack endless ones."""
    path = tmp_path / "table.gz"
    path.write_bytes(gzip.compress(b"1 " * 100))
    spec = Table(path=path)
    monkeypatch.setattr(module, "LONGEST_LINE", 100)
    with pytest.raises(DataError, match=r"table.gz:1: expected lines under 100 bytes and \d+ in all, found more$"):
        spec.data_space()
    path.write_bytes(gzip.compress(b"1 2\n" * 100))
    monkeypatch.setattr(module, "LARGEST", 300)
    with pytest.raises(DataError, match=r":76: expected lines under 100 bytes and 300 in all, found more$"):
        spec.load()
