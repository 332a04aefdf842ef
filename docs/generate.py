"""Write the generated pages of docs/ from the docstrings of the public names.

``python docs/generate.py`` writes them, ``python docs/generate.py --check`` fails where one is stale.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path

import depthwise

DOCS = Path(__file__).parent
SHARED = {"layers": (("layers.layer", "Layer"), ("layers.convolution", "Convolution"), ("layers.pooling", "Pooling"))}
"""Classes that say what several public ones have in common."""
KINDS = {"layers": "Layers", "notation": "Notation", "analysis": "Analysis", "network": "Networks", "data": "Data"}


def reference_page() -> str:
    """Every public name with its signature and docstring, room by room."""
    lines = ["# Reference", "", "Made from the docstrings by `make docs`.  `import depthwise as dw` has all of these.", ""]
    for room, names in depthwise.ROOMS.items():
        lines += [f"## {KINDS.get(room, room.capitalize())}", ""]
        shared = [(name, getattr(import_module(f"depthwise.{home}"), name)) for home, name in SHARED.get(room, ())]
        for name, thing in [*shared, *((name, getattr(depthwise, name)) for name in names)]:
            lines += [f"### {name}", "", "```text", f"{name}{_signature(thing)}", "", inspect.getdoc(thing) or "", "```", ""]
    return "\n".join(lines)


def _signature(thing: object) -> str:
    try:
        signature = inspect.signature(thing)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    plain = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=signature.empty))


def notation_page() -> str:
    """The three forms in which a layer list can be written."""
    lines = ["# Notations", "", "Made from the docstrings by `make docs`.", ""]
    for form in ("compact", "pattern", "toml"):
        module = import_module(f"depthwise.notation.{form}")
        lines += [f"## {form.capitalize()}", "", "```text", inspect.getdoc(module) or "", "```", ""]
    return "\n".join(lines)


PAGES = {"reference.md": reference_page, "notation.md": notation_page}


def main() -> None:
    """Write every page, or compare it with what stands there."""
    stale = []
    for name, make in PAGES.items():
        page, text = DOCS / name, make()
        if "--check" not in sys.argv:
            page.write_text(text)
        elif not page.exists() or page.read_text() != text:
            stale.append(name)
    if stale:
        sys.exit(f"stale: {', '.join(stale)}. Run `make docs`.")


if __name__ == "__main__":
    main()
