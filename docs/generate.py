"""Write the generated pages of docs/ from the docstrings of the public names.

``python docs/generate.py`` writes them, ``python docs/generate.py --check`` fails where one is stale.
"""

from __future__ import annotations

import inspect
import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import fill

import depthwise
import depthwise.graph
from depthwise.analysis.health import TrainingHealth
from depthwise.layers import Layer, Residual
from depthwise.rules import FAMILIES, PROFILES, RULES, Example, Findings, Rule, check_graph

DOCS = Path(__file__).parent
SHARED = {"layers": (("layers.layer", "Layer"), ("layers.convolution", "Convolution"), ("layers.pooling", "Pooling"))}
"""Classes that say what several public ones have in common."""
RULES_INTRODUCTION = """Made from the rules by `make docs`.  `depthwise check` asks all of them; `--select` and
`--ignore` take codes, their beginnings, or names, and so do `select` and `ignore` of `[tool.depthwise]` in
pyproject.toml.

An error cannot be trained as it is, a warning costs accuracy or work, information is worth knowing.  The exit status is
1 on an error or a warning.  A safe fix leaves the network able to compute the same functions; a proposal changes
that."""
KINDS = {
    "layers": "Layers",
    "notation": "Notation",
    "analysis": "Analysis",
    "designer": "Design",
    "network": "Networks",
    "data": "Data",
}


def reference_page() -> str:
    """Every public name with its signature and docstring, room by room."""
    lines = [
        "# Reference",
        "",
        "Made from the docstrings by `make docs`.  `import depthwise as dw` has all of these.",
        "",
    ]
    for room, names in depthwise.ROOMS.items():
        lines += [f"## {KINDS.get(room, room.capitalize())}", ""]
        shared = [(name, getattr(import_module(f"depthwise.{home}"), name)) for home, name in SHARED.get(room, ())]
        for name, thing in [*shared, *((name, getattr(depthwise, name)) for name in names)]:
            lines += [
                f"### {name}",
                "",
                "```text",
                f"{name}{_signature(thing)}",
                "",
                inspect.getdoc(thing) or "",
                "```",
                "",
            ]
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


def rules_page() -> str:
    """Every rule in one table."""
    lines = ["# Rules", "", *RULES_INTRODUCTION.splitlines(), ""]
    for prefix, family in FAMILIES.items():
        lines += [f"## {prefix}: {family}", "", "| code | name | severity | finds | fix |", "|---|---|---|---|---|"]
        for rule in RULES:
            if rule.family == family:
                fixes = {finding.fix.safe for finding in _findings(rule, rule.bad) if finding.fix}
                fix = "safe" if True in fixes else "proposal" if fixes else ""
                lines.append(
                    f"| {rule.code} | [{rule.name}]({rule.name}.md) | {rule.severity} | {rule.title} | {fix} |"
                )
        lines.append("")
    return "\n".join(lines)


def rule_page(rule: Rule) -> str:
    """One rule: what, why with its source, bad, good, mend."""
    needs = [need for need in rule.needs if need not in ("analysis", "health")]
    lines = [f"# {rule.code} {rule.name}", "", f"{rule.severity}, family {rule.family}", "", rule.title, ""]
    lines += [
        "## Why",
        "",
        *fill(rule.why, 120).splitlines(),
        "",
        *fill(f"Source: {rule.source}", 120).splitlines(),
        "",
    ]
    if rule.note:
        lines += ["## Where it speaks of good networks", "", *fill(rule.note, 120).splitlines(), ""]
    if "health" in rule.needs:
        lines += [
            "## When it applies",
            "",
            "After `fit`: in `net.findings_`, in what `fit` prints, and in `dw.check` of a fitted or saved estimator.",
            "",
        ]
    elif needs or rule.profiles != PROFILES:
        told = [f"needs `{need}=`" for need in needs]
        told += [f"profiles {', '.join(rule.profiles)}"] if rule.profiles != PROFILES else []
        lines += ["## When it applies", "", f"{'; '.join(told)}.", ""]
    findings = [finding for finding in _findings(rule, rule.bad) if finding.code == rule.code]
    lines += ["## Bad", "", *_example(rule.bad), "```text", Findings(tuple(findings)).text(), "```", ""]
    lines += ["## Good", "", *_example(rule.good)]
    return "\n".join(lines)


def _findings(rule: Rule, example: Example) -> Findings:
    graph = depthwise.graph.Graph.from_layers(example.layers)
    facts = {"n_outputs": example.n_outputs, "loss": example.loss, "batch_size": example.batch_size,
             "health": example.health}  # fmt: skip
    return check_graph(graph, example.input_shape, rules=(rule,), **facts)


def _layer_lines(layer: Layer) -> list[str]:
    """A layer of a list; a long block as ruff breaks it."""
    line = f"        {layer},"
    if len(line) <= 120 or not isinstance(layer, Residual):
        return [line]
    return [
        "        Residual(",
        f"            {layer.layers},",
        f"            shortcut={layer.shortcut},",
        "        ),",
    ]


def _example(example: Example) -> list[str]:
    if example.health is not None:
        return ["What was measured in training:", "", "```text", *_course(example.health), "```", ""]
    options = {"input_shape": example.input_shape, "n_outputs": example.n_outputs, "loss": example.loss,
               "batch_size": example.batch_size}  # fmt: skip
    told = [f"{name}={value!r}" for name, value in options.items() if value is not None]
    layers = [line for layer in example.layers for line in _layer_lines(layer)]
    call = ["dw.check(", "    [", *layers, "    ],", *(f"    {argument}," for argument in told), ")"]
    # As ruff writes it, which reads these pages too.
    return ["```python", *(line.replace("'", '"') for line in call), "```", ""]


def _course(health: TrainingHealth) -> list[str]:
    """A record of training in a few lines: the data, the epochs, the layers."""
    data, none = health.data, health.non_finite
    counts = "" if data.class_counts is None else f", classes of {min(data.class_counts)} to {max(data.class_counts)}"
    lines = [
        f"{data.n_train} images to train on, {data.n_valid} to validate on, {data.duplicates} in both{counts}",
        f"pixels {data.lowest:g} to {data.highest:g}, {100 * data.constant_pixels:.0f} % of them constant",
        f"{health.optimizer}, learning_rate={health.learning_rate:g}, {health.precision}",
        f"batches of {health.batch_size}, batch norms in {' and '.join(health.batch_norms) or 'no layer'}",
        *([] if none is None else [f"{none.value} in the {none.place} of {none.layer}, epoch {none.epoch}"]),
        "",
        "epoch  train loss  valid loss  valid acc  certain",
    ]
    for number, epoch in enumerate(health.epochs, start=1):
        losses = f"{number:5}{epoch.train_loss:12.3f}{epoch.valid_loss:12.3f}"
        lines.append(f"{losses}{epoch.valid_accuracy:11.3f}{epoch.certain:9.3f}")
    return [*lines, "", *str(health).splitlines()]


PAGES = {
    "reference.md": reference_page,
    "notation.md": notation_page,
    "rules/README.md": rules_page,
    **{f"rules/{rule.name}.md": partial(rule_page, rule) for rule in RULES},
}


def main() -> None:
    """Write every page, or compare it with what stands there."""
    stale = []
    for name, make in PAGES.items():
        page, text = DOCS / name, make()
        if "--check" not in sys.argv:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text)
        elif not page.exists() or page.read_text() != text:
            stale.append(name)
    if stale:
        sys.exit(f"stale: {', '.join(stale)}. Run `make docs`.")


if __name__ == "__main__":
    main()
