"""``depthwise report``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from depthwise.cli.options import (
    AsJson,
    ImageSize,
    InputShape,
    Split,
    check_data,
    load_test_images,
    print_json,
    read_for,
    read_shape,
    read_size,
)
from depthwise.files import check_writable

if TYPE_CHECKING:
    from depthwise.data import ImageSet
    from depthwise.targets import Target

NAMED = (".safetensors", ".toml")
"""Files that hold one network, which bears their name."""


def report(
    target: Annotated[str, typer.Argument(help="A saved network, a notation, a TOML file, mynet.py:Net.")],
    data: Annotated[
        str | None, typer.Argument(help="Labeled images, as for train; their test part where they have parts.")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page to write.")] = Path("report.html"),
    input_shape: InputShape = None,
    size: ImageSize = None,
    split: Split = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Images to look at one by one.")] = 10,
    title: Annotated[str | None, typer.Option("--title", help="Heading of the page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Everything about a network in one HTML page that opens offline."""
    check_writable(output)
    shape, sides = read_shape(input_shape), read_size(size)
    if data is not None:
        check_data(data)
    from depthwise.targets import open_target

    opened = open_target(target)
    from depthwise.pages import report as make_report  # PyTorch and matplotlib: nothing that is wrong waits for them

    images = None if data is None else _read_images(data, split, opened, shape, sides)
    X, y = (None, None) if images is None else (images.X, images.y)
    command = shlex.join(["depthwise", *sys.argv[1:]])
    page = make_report(opened, X, y, shape, title=title or _name(target), n_samples=samples, command=command)
    page.save(output)
    n_bytes = len(page.html.encode())
    if as_json:
        print_json({"path": str(output), "bytes": n_bytes, "sections": list(page.sections), "numbers": page.numbers})
    else:
        print(f"wrote {output} ({n_bytes / 1000:,.0f} kB): {', '.join(page.sections)}")


def _name(target: str) -> str:
    """Heading of a page: a file's name without folder and suffix, a notation as it is.

    >>> _name("nets/digits.safetensors"), _name("nets/net.py:Net"), _name("8C3-10N")
    ('digits', 'nets/net.py:Net', '8C3-10N')
    """
    return Path(target).stem if target.endswith(NAMED) else target


def _read_images(
    data: str, split: str | None, opened: Target, shape: tuple[int, ...] | None, sides: int | tuple[int, int] | None
) -> ImageSet:
    """Images as the network reads them, at another size where one is told."""
    if opened.fitted is not None and sides is None:
        return read_for(opened.fitted, data, split)
    match shape or opened.input_shape:
        case (channels, height, width):
            return load_test_images(data, split, sides or (height, width), channels)
    return load_test_images(data, split, sides)
