"""``genframe encode``."""

from __future__ import annotations

import argparse

from genframe.cli.runs import make_room
from genframe.cli.values import count, tensors_file

from .subject import add_latent_arguments, open_subject


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_latent_arguments(parser, shown=None)
    parser.add_argument("--to", type=tensors_file, required=True, metavar="FILE", help="a .safetensors file")
    parser.add_argument("--limit", type=count, metavar="N", help="encode only the first N examples")
    parser.add_argument("--labels", metavar="NAME", help="also write these labels of the dataset, such as eyes")
    parser.add_argument(
        "--whiten", choices=("pca", "zca"), help="write codes of covariance I, by the principal components of these codes"
    )


def run(options: argparse.Namespace) -> None:
    """Encode a split and write the codes, with a stamp that says what they belong to."""
    from genframe.cli.output import print_json

    from ..attributes import labels_of
    from ..directions import Components, write_tensors

    subject = open_subject(options)
    split = subject.split(options.split, options.limit)
    codes = subject.latents.encode(*subject.data(split))
    tensors = {"codes": codes}
    if options.labels:
        whole = subject.split(options.split)
        tensors["labels"] = labels_of(subject.run.experiment.data, options.labels, whole)[: len(codes)]
    if options.whiten:
        components = Components.of(codes)
        tensors["codes"] = components.whiten(codes, zca=options.whiten == "zca").float()
        tensors |= {"mean": components.mean, "axes": components.axes, "deviations": components.deviations}
    stamp = subject.stamp() | {
        "split": split.name,
        "n": len(codes),
        "protocol": dict(split.protocol),
        "whitened": options.whiten,
    }
    make_room(options.to)
    write_tensors(options.to, tensors, {"kind": "codes", **stamp, "labels": options.labels})
    if options.json:
        print_json({"out": str(options.to), **stamp})
    else:
        print(f"{options.to}\n{len(codes)} latents of {subject.latents.space} ({subject.latents.route}), {split.name} split")
