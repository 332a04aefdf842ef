"""``depthwise design``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthwise.cli.options import AsJson, print_json, read_shape, read_size
from depthwise.errors import DesignError, NoDesignError
from depthwise.files import check_picture_path, check_writable, write_whole

if TYPE_CHECKING:
    from depthwise.designer import Budget, DesignSet

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
COUNT = re.compile(r"(?P<number>\d+(\.\d+)?(e\d+)?)\s*(?P<unit>[a-z]*?)b?", re.IGNORECASE)

Count = Annotated[str | None, typer.Option(metavar="N", help="Such as 250k, 1M, 2.5G.")]
Norm = Annotated[str | None, typer.Option(metavar="batch|GROUPS", help="batch, or groups of a group norm.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write the best design: layers as .toml, a module as .py.")
]
Plot = Annotated[Path | None, typer.Option("--plot", help="Draw all designs, depth over cost: .png, .svg or .pdf.")]
Bytes = Annotated[str | None, typer.Option(metavar="BYTES", help="Such as 500k or 64MiB.")]


class Padding(StrEnum):
    """Borders of the convolutions."""

    SAME = "same"
    VALID = "valid"


class Downsampling(StrEnum):
    """What halves the maps."""

    POOL = "pool"
    STRIDE = "stride"
    NONE = "none"


class Block(StrEnum):
    """What the stages are made of."""

    PLAIN = "plain"
    RESIDUAL = "residual"
    SEPARABLE = "separable"


class Measure(StrEnum):
    """What is compared with filter and image."""

    REACH = "reach"
    RECEPTIVE_FIELD = "receptive_field"


def design(
    input_shape: Annotated[str, typer.Option("--input", metavar="CxHxW", help="Shape of one image.")],
    classes: Annotated[int, typer.Option("--classes", help="Number of classes.")],
    params: Count = None,
    macs: Count = None,
    activations: Bytes = None,
    training_memory: Bytes = None,
    batch_size: Annotated[int, typer.Option(help="Images that --training-memory is for.")] = 128,
    kernel: Annotated[str, typer.Option(metavar="K|HxW", help="Kernel of all convolutions.")] = "3",
    padding: Annotated[Padding, typer.Option(help="Borders of the convolutions.")] = Padding.SAME,
    downsampling: Annotated[Downsampling, typer.Option(help="What halves the maps.")] = Downsampling.POOL,
    block: Annotated[Block, typer.Option(help="What the stages are made of.")] = Block.PLAIN,
    norm: Norm = None,
    min_capacity: Annotated[str, typer.Option(metavar="RATIO", help="Least capacity of a convolution.")] = "1/6",
    coverage: Annotated[tuple[float, float], typer.Option(help="Least and most of the last convolution.")] = (0.9, 1.0),
    measure: Annotated[Measure, typer.Option(help="What is compared with filter and image.")] = Measure.REACH,
    most: Annotated[int, typer.Option(min=1, help="Rows of the table.")] = 20,
    notation: Annotated[bool, typer.Option("--notation", help="Print the designs as notations, one a line.")] = False,
    output: Output = None,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """The deepest, widest, cheapest networks for an image size within a budget; exit status 1 if none fits."""
    from depthwise.designer import design as design_networks

    budget = _budget(batch_size, params=params, macs=macs, activations=activations, training_memory=training_memory)
    writers = _writers(output, plot)
    try:
        found = design_networks(
            read_shape(input_shape) or (),
            classes,
            budget=budget,
            kernel_size=read_size(kernel) or 0,
            padding=padding.value,
            downsampling=None if downsampling is Downsampling.NONE else downsampling.value,
            block=block.value,
            norm=read_norm(norm),
            min_capacity=_ratio(min_capacity),
            coverage=coverage,
            measure=measure.value,
        )
    except NoDesignError as problem:
        if as_json:
            print_json({"budget": budget.limits, "why": str(problem), "limits": [], "designs": []})
        print(f"depthwise: {problem}", file=sys.stderr)
        raise typer.Exit(1) from None
    told = "\n".join(write(found) for write in writers)
    if as_json:
        print_json(found.to_dict())
    else:
        print("\n".join(each.notation for each in found) if notation else f"{found.text(most)}\n{told}".rstrip())


def _budget(batch_size: int, **bounds: str | None) -> Budget:
    from depthwise.designer import Budget

    read = {name: read_count(f"--{name.replace('_', '-')}", text) for name, text in bounds.items()}
    return Budget(batch_size=batch_size, activation_bytes=read.pop("activations"), **read)


def read_count(option: str, text: str | None) -> float | None:
    """Read a number with a unit.

    >>> read_count("--params", "1.5M"), read_count("--activations", "64MiB"), read_count("--macs", "2e8")
    (1500000.0, 67108864.0, 200000000.0)
    """
    if text is None:
        return None
    match = COUNT.fullmatch(text.strip())
    if match is None or match["unit"].lower() not in UNITS:
        raise DesignError(f"{option} is {text!r} but must be a number such as 250000, 250k, 1M, 2.5G or 64MiB.")
    return float(match["number"]) * UNITS[match["unit"].lower()]


def _ratio(text: str) -> float:
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise DesignError(f"--min-capacity is {text!r} but must be a number from 0 to 1, such as 1/6.") from None


def read_norm(text: str | None) -> Any:
    """Read ``batch``, or the number of groups of a group norm."""
    from depthwise.layers import GroupNorm

    return GroupNorm(int(text)) if text is not None and text.isdecimal() and int(text) > 0 else text


def _writers(output: Path | None, plot: Path | None) -> list[Callable[[DesignSet], str]]:
    """What writes a file each, and says so; made before the search, so that a wrong name costs no waiting."""
    for path in (output, plot):
        if path is not None:
            check_writable(path)
    ending = "" if output is None else output.suffix.lower()
    if output is not None and ending not in (".toml", ".py"):
        raise DesignError(f"{output}: a design is written as .toml or .py. Give the file one of these endings.")
    if plot is not None:
        check_picture_path(plot)

    def write(found: DesignSet, path: Path) -> str:
        write_whole(path, (found.best.to_toml() if ending == ".toml" else found.best.to_python()).encode())
        return f"wrote {found.best} to {path}"

    def draw(found: DesignSet, path: Path) -> str:
        from depthwise.displays import DesignSetDisplay

        DesignSetDisplay(found).save(path)
        return f"wrote the picture of all to {path}"

    asked = ((write, output), (draw, plot))
    return [partial(work, path=path) for work, path in asked if path is not None]
