"""``genframe shards``: a folder of pictures as tar files with an index."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

PER_SHARD = 10_000


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder of pictures")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="field=value",
        help="fields of data/images, such as labels=true or validation=0.05",
    )
    parser.add_argument("--per-shard", type=int, default=PER_SHARD, help=f"pictures of a tar file; {PER_SHARD} if left out")
    parser.add_argument("--skip-damaged", action="store_true", help="leave out pictures that cannot be read")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> None:
    """Pack the pictures; splits, classes and captions are found as data/images finds them.

    :raises SpecError: if a field is wrong.
    :raises DataError: if there are no pictures, some cannot be read, or one has no class or caption.
    :raises StorageError: if the volume refuses.
    """
    from genframe import Problem, SpecError, installed
    from genframe.cache import showing_progress
    from genframe.cli.output import Messages, print_json
    from genframe.cli.train import reporter
    from genframe.experiment.document import Document
    from genframe.experiment.document.loading import validated
    from genframe.experiment.document.overrides import apply

    from ..packing import pack

    if options.per_shard < 1:
        raise SpecError(Problem("--per-shard", f"should be at least 1, is {options.per_shard}"))
    document = apply(Document({"path": str(options.folder)}, "<command line>", {}), options.overrides)
    images: Any = validated(installed().registry("dataset").find("data/images"), document)
    samples, classes = images.samples()
    with reporter(options.json) as listener, showing_progress(listener):
        head = pack(samples, classes, options.out, per_shard=options.per_shard, skip=options.skip_damaged)
    if options.json:
        print_json(head)
        return
    counts = ", ".join(f"{count} {split}" for split, count in head["splits"].items())
    print(f"{options.out}: {head['count']} pictures ({counts}) in {len(head['shards'])} shards")
    for name in head["skipped"]:
        Messages().message(f"left out: {name}")
    print(f"next:\n  genframe init diffusion-photos --data data/shards data.path={options.out}")
