"""``report``: one page about one network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from depthwise.files import check_writable, write_whole
from depthwise.pages import answers, looking, sections
from depthwise.pages.sections import Section, write_json
from depthwise.pages.subject import Subject, gather

SECTIONS: tuple[Callable[[Subject], Section | None], ...] = (
    sections.show_verdict,
    sections.show_findings,
    sections.show_layers,
    sections.show_drawing,
    sections.show_history,
    answers.show_confusion,
    answers.show_mistakes,
    answers.show_calibration,
    looking.show_health,
    looking.show_attention,
    looking.show_weights,
    looking.show_activations,
    looking.show_exciting,
    sections.show_data,
    sections.show_rerun,
)
"""In the order of the page."""


@dataclass(frozen=True)
class Report:
    """A page about a network.

    Attributes
    ----------
    html
        The whole page; nothing is loaded from elsewhere.
    sections
        Names of the sections that it has.
    numbers
        Everything on it that is a number, by section, as values that JSON can hold.
    """

    html: str = field(repr=False)
    sections: tuple[str, ...]
    numbers: dict[str, Any] = field(repr=False)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page, whole or not at all.

        Raises
        ------
        FileError
            The file cannot be written.
        """
        write_whole(path, self.html.encode())

    def _repr_html_(self) -> str:
        from html import escape

        # A frame keeps the page's style from the notebook's, and survives the notebook's conversion.
        frame = "width: 100%; height: 80vh; border: 1px solid"
        return f'<iframe title="Report" style="{frame}" srcdoc="{escape(self.html)}"></iframe>'


def report(
    network: object,
    X: Any = None,
    y: Any = None,
    input_shape: Iterable[int] | None = None,
    *,
    title: str | None = None,
    n_samples: int = 10,
    command: str | None = None,
) -> Report:
    """Tell everything about a network in one HTML page that opens offline.

    Parameters
    ----------
    network
        What :func:`depthwise.analyze` reads: a fitted estimator, a layer list, a notation, a file, a module.  What
        needs weights, training or images is left out where there are none.
    X
        Images that it was not trained on, in a layout that the network reads.
    y
        Their labels; for a module the numbers of the outputs, counted from 0.
    input_shape
        ``(channels, height, width)``, where neither the network nor `X` tells it.
    title
        Heading of the page.
    n_samples
        Images to look at one by one, at most: half of them the gravest mistakes.
    command
        Shown under "How to run it again".

    Returns
    -------
    Report
        ``.html``, ``.numbers``, ``.save(path)``.

    Raises
    ------
    TargetError
        It is no network.
    GraphError
        Its layers do not fit together, or not to the images.
    DataError
        Images and labels do not fit to the network, or not to each other.

    Examples
    --------
    >>> page = report("8C3-MP2-10N", input_shape=(1, 28, 28))
    >>> page.sections
    ('verdict', 'findings', 'layers', 'drawing', 'rerun')
    >>> page.numbers["layers"]["params"]
    13610
    """
    subject = gather(network, X, y, input_shape, title=title, n_samples=n_samples, command=command)
    shown = [section for section in (show(subject) for show in SECTIONS) if section is not None]
    numbers = {section.name: section.numbers for section in shown if section.numbers}
    return Report(_render(subject.title, shown, numbers), tuple(section.name for section in shown), numbers)


def save_report(path: str | os.PathLike[str], network: object, *args: Any, **options: Any) -> Report:
    """Make a report and write it; a path that cannot be written is told before anything is computed."""
    check_writable(path)
    page = report(network, *args, **options)
    page.save(path)
    return page


def _render(title: str, shown: list[Section], numbers: dict[str, Any]) -> str:
    import jinja2
    from markupsafe import Markup

    folder = files("depthwise.pages")

    def read(name: str) -> str:
        return folder.joinpath(name).read_text(encoding="utf-8")

    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(read),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja").render(
        title=title,
        shown=shown,
        css=Markup(read("page.css")),
        script=Markup(read("page.js")),
        numbers=Markup(write_json(numbers)),
    )
