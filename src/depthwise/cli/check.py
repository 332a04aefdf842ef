"""``depthwise check``."""

from __future__ import annotations

import ast
import difflib
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthwise.cli.configuration import Settings, read_configuration
from depthwise.cli.options import AsJson, Classes, InputShape, print_json
from depthwise.errors import DepthwiseError, RuleError
from depthwise.files import write_whole

if TYPE_CHECKING:
    from depthwise.rules import Checked

Codes = Annotated[list[str] | None, typer.Option(metavar="CODES", help="Codes, beginnings or names, with commas.")]


class Form(StrEnum):
    """Forms of the output."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def check(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            help="Notations, TOML or saved files, mynet.py:Net, package.module:name. Without: pyproject.toml's."
        ),
    ] = None,
    input_shape: InputShape = None,
    classes: Classes = None,
    loss: Annotated[str | None, typer.Option("--loss", help="Name of the loss, such as cross_entropy.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, help="Images a step.")] = None,
    profile: Annotated[
        str | None, typer.Option("--profile", help="natural, digits, segmentation or detection.")
    ] = None,
    select: Codes = None,
    ignore: Codes = None,
    fix: Annotated[
        bool, typer.Option("--fix", help="Apply safe fixes: TOML in place, else print the network.")
    ] = False,
    unsafe_fixes: Annotated[bool, typer.Option("--unsafe-fixes", help="Apply proposals too.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what fixes would change, and change nothing.")] = False,
    output_format: Annotated[Form, typer.Option("--output-format", help="Form of the findings.")] = Form.TEXT,
    statistics: Annotated[bool, typer.Option("--statistics", help="Count the findings by rule instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """What is wrong with a network, why, and how to mend it; exit status 1 on an error or a warning."""
    configuration = read_configuration(Path.cwd())
    told = Settings(input_shape, classes, loss, batch_size, profile, _codes(select), _codes(ignore))
    named = targets or [target for target, _ in configuration.targets]
    if not named:
        raise RuleError(
            "there is nothing to check. Name a target, such as 32C3-MP2-10N --input 1x28x28, or list targets in "
            "[tool.depthwise.targets] of pyproject.toml."
        )
    form = Form.JSON if as_json else output_format
    changes = fix or unsafe_fixes or diff
    checked, changed = [], []
    for target in named:
        settings = told.over(configuration.of(target))
        one, text = (
            _mended(target, settings, unsafe_fixes, write=not diff) if changes else (_checked(target, settings), "")
        )
        if text and form is Form.TEXT:
            print(text)
        checked.append(one)
        changed.append(text)
    if not (diff and form is Form.TEXT):
        _print(checked, changed, form, statistics)
    if (diff and any(changed)) or any(one.findings.problems for one in checked):
        raise typer.Exit(1)


def _codes(options: list[str] | None) -> tuple[str, ...]:
    return tuple(code.strip() for option in options or () for code in option.split(",") if code.strip())


def _checked(target: str, settings: Settings) -> Checked:
    from depthwise.network import check as check_network
    from depthwise.rules import Checked

    path, line = find_place(target)
    return Checked(target, check_network(target, settings.input_shape, **settings.options()), path, line)


def _mended(target: str, settings: Settings, unsafe: bool, write: bool) -> tuple[Checked, str]:
    """The target after its fixes, and what to print of them."""
    from depthwise.mending import fix_all
    from depthwise.rules import Checked
    from depthwise.targets import open_target

    opened = open_target(target)
    if opened.estimator is not None:
        raise RuleError(f"{target}: fixes are written for layer lists and modules only. Apply them with dw.apply.")
    mended = fix_all(opened, settings.input_shape, unsafe=unsafe, **settings.options())
    path, line = find_place(target)
    one = Checked(target, mended.findings, path, line)
    if not mended.steps:
        return one, ""
    steps = [f"{target}: {step}" for step in mended.steps]
    if opened.layers is None:
        return one, "\n".join([*steps, f"{target}: these are changes of the class; make them in its file."])
    after = _written(target, mended.network)
    before = (
        Path(target).read_text(encoding="utf-8").splitlines() if _is_toml(target) else _written(target, opened.layers)
    )
    if not write:
        return one, "\n".join(difflib.unified_diff(before, after, target, target, lineterm=""))
    if _is_toml(target):
        write_whole(target, ("\n".join(after) + "\n").encode())
        lost = " (its comments are not kept)" if any(line.lstrip().startswith("#") for line in before) else ""
        return one, "\n".join([*steps, f"wrote {target}{lost}"])
    return one, "\n".join([*steps, *after])


def _is_toml(target: str) -> bool:
    return target.strip().lower().endswith(".toml")


def _written(target: str, layers: Any) -> list[str]:
    """A layer list as lines: TOML for files, else a notation, or one record a line where no notation can say it."""
    from depthwise.notation import write_layers, write_toml

    if _is_toml(target):
        return write_toml(layers).splitlines()
    try:
        return [write_layers(layers)]
    except DepthwiseError:
        return [f"{layer}," for layer in layers]


def find_place(target: str) -> tuple[str | None, int | None]:
    """File and line in which a target's class, function or list stands, as far as the text tells."""
    path, _, name = target.rpartition(":")
    if not path.endswith(".py"):
        path, name = (target, "") if target.endswith((".toml", ".py")) else ("", "")
    if not path or not Path(path).is_file():
        return None, None
    if not name:
        return path, 1
    try:
        tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return path, 1
    return path, next((node.lineno for node in tree.body if name in _names(node)), 1)


def _names(node: ast.stmt) -> Iterable[str]:
    match node:
        case ast.ClassDef() | ast.FunctionDef():
            return (node.name,)
        case ast.Assign():
            return tuple(each.id for each in node.targets if isinstance(each, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            return (name,)
    return ()


def _print(checked: list[Checked], changed: list[str], form: Form, statistics: bool) -> None:
    if form is Form.JSON:
        # What a fix did, or with --diff would do: as the text form prints it, line by line.
        told = [{"changed": text.splitlines()} if text else {} for text in changed]
        print_json(
            [{"target": one.target, **one.findings.to_dict(), **more} for one, more in zip(checked, told, strict=True)]
        )
    elif form is Form.GITHUB:
        from depthwise.rules import write_github

        print(write_github(checked))
    elif form is Form.SARIF:
        from depthwise import __version__
        from depthwise.rules import RULES, sarif_log

        print_json(sarif_log(checked, RULES, __version__))
    elif statistics:
        counts = Counter((found.code, found.name) for one in checked for found in one.findings)
        for (code, name), count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
            print(f"{count:>4}  {code}  {name}")
    else:
        _print_text(checked)


def _print_text(checked: list[Checked]) -> None:
    from depthwise.rules import Findings

    for one in checked:
        if one.findings:
            print(one.findings.text(one.prefix if one.path is not None or len(checked) > 1 else ""))
    everything = Findings(tuple(found for one in checked for found in one.findings))
    networks = f" in {len(checked)} networks" if len(checked) > 1 else ""
    print(everything.summary().replace(".", f"{networks}.", 1))
    if any(found.fix for found in everything):
        print("--fix applies safe fixes, --unsafe-fixes the proposals too; --diff shows them.")
