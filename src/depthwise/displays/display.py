"""What every display shares: axes to draw on, and a file to save to."""

from __future__ import annotations

import re
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Self

from depthwise.errors import FileError
from depthwise.files import check_picture_path, write_whole
from depthwise.rules import Findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 150
SHOWN = 3
"""Findings that a picture tells; all are in ``.findings``."""
LETTERS = 15
"""Letters of a finding that an inch of a picture holds."""


class Display:
    """A picture of a result.

    Attributes
    ----------
    figure_ : matplotlib.figure.Figure
        What was drawn, after :meth:`plot`.
    axes_ : list of matplotlib.axes.Axes
        Its axes, after :meth:`plot`.
    findings : Findings
        What rules say of what is shown; empty where none judges it.
    """

    findings: Findings = Findings(())
    figure_: Figure
    axes_: list[Axes]

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw the picture, into ``ax`` if it is given, and return the display."""
        raise NotImplementedError

    def save(self, path: str | Path) -> None:
        """Write the picture, whole or not at all; the suffix decides the format, folders that are missing are made.

        Raises
        ------
        FileError
            The suffix is none of a picture, the file cannot be written, or the picture is too large for its format.
        """
        place = Path(path)
        check_picture_path(place)
        content = self._render(place.suffix.lower().removeprefix("."))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"{place}: the picture cannot be written ({error}). Give another path.") from error
        write_whole(place, content)

    def png(self) -> bytes:
        """The picture as a PNG."""
        return self._render("png")

    def _render(self, kind: str) -> bytes:
        if not hasattr(self, "figure_"):
            self.plot()
        stream = BytesIO()
        try:
            self.figure_.savefig(stream, format=kind, dpi=DOTS_PER_INCH)
        except (OSError, ValueError) as error:  # more pixels than a format has, or an encoder that is not installed
            raise FileError(f"the picture cannot be drawn as {kind} ({error}). Show less, or write an .svg.") from error
        return stream.getvalue()

    def _repr_html_(self) -> str:
        """The picture itself in notebooks, and what rules say of it."""
        name = re.sub(r"(?<!^)(?=[A-Z])", " ", type(self).__name__.removesuffix("Display")).lower()
        picture = b64encode(self.png()).decode()
        told = self.findings._repr_html_() if self.findings else ""
        return f'<img alt="{name}" style="max-width: 100%" src="data:image/png;base64,{picture}">{told}'

    def _start(self, ax: Axes | None, **options: Any) -> Axes:
        """Axes to draw on; a new figure stays outside pyplot, so that nothing pops up or piles up."""
        if ax is None:
            from matplotlib.figure import Figure

            self.figure_ = Figure(layout="constrained", **options)
            ax = self.figure_.subplots()
        else:
            self.figure_ = ax.figure  # type: ignore[assignment]
        self.axes_ = [ax]
        return ax

    def _write_findings(self, ax: Axes | None) -> None:
        """The first findings below the picture, where there is a figure of our own to grow."""
        if ax is not None or not self.findings:
            return
        width, height = self.figure_.get_size_inches()
        lines = [f"{each.place}: {each.code} {each.message}" for each in self.findings[:SHOWN]]
        if len(self.findings) > SHOWN:
            lines.append(f"and {len(self.findings) - SHOWN} more in .findings")
        text = "\n".join(fill(line, int(LETTERS * width), subsequent_indent="    ") for line in lines)
        self.figure_.set_size_inches(width, height + 0.16 * len(text.splitlines()))
        self.figure_.supxlabel(text, fontsize=8, x=0.01, ha="left", parse_math=False)
