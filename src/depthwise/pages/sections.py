"""One function a section of facts.  Each returns ``None`` where it does not apply."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from depthwise.analysis.layer_table import write_both, write_bytes, write_count, write_percent
from depthwise.analysis.record import LayerAnalysis
from depthwise.analysis.thresholds import MAX_COVERAGE, MIN_CAPACITY
from depthwise.displays.architecture import ArchitectureDisplay
from depthwise.layers.ops import format_shape
from depthwise.pages.curves import draw_curves
from depthwise.pages.pixels import scale_images, to_picture
from depthwise.pages.subject import Subject
from depthwise.targets import Target

MOST_CLASSES = 30
"""Classes that are listed one by one."""
FIELD_SIDE = 320
"""Largest side of the picture on which fields are shown."""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    name
        Macro of the template that writes it, and its anchor.
    title
        Its heading.
    data
        What the macro reads.
    numbers
        The same for programs, as values that JSON can hold.
    """

    name: str
    title: str
    data: dict[str, Any]
    numbers: dict[str, Any] = field(default_factory=dict)


def show_verdict(subject: Subject) -> Section:
    """What a reader in a hurry has to know."""
    counts = Counter(finding.severity for finding in subject.findings)
    if counts["error"]:
        mood, sentence = "error", "The network has errors: it cannot work as it is."
    elif counts["warning"]:
        mood, sentence = "warning", "The network has weaknesses that can be mended."
    else:
        mood, sentence = "fine", "No rule finds a fault with the network."
    told = [f"{counts[each]} {each}{'s' * (counts[each] > 1 and each != 'info')}" for each in counts]
    analysis = subject.analysis
    figures = [
        ("image", format_shape(analysis.input_shape)),
        ("layers", str(len(analysis.layers))),
        ("parameters", f"{analysis.params:,}"),
        ("MACs an image", write_count(analysis.macs)),
        ("activations", write_bytes(analysis.activation_bytes)),
    ]
    if subject.accuracy is not None:
        assert subject.images is not None
        figures.insert(0, (f"right of {len(subject.images):,} images", f"{100 * subject.accuracy:.2f} %"))
    if subject.net is not None and len(subject.net.history_):
        figures.append(("epochs trained", str(len(subject.net.history_))))
    elif subject.net is None and subject.module is None:
        sentence += " It is not trained."
    notes = []
    losses = [] if subject.net is None else subject.net.history_["valid_loss"]
    if len(losses) > 1 and None not in losses and losses[-1] == min(losses):
        notes.append("The validation loss was still falling in the last epoch: more epochs may help.")
    data = {"mood": mood, "sentence": sentence, "counts": ", ".join(told), "figures": figures, "notes": notes}
    return Section("verdict", "Verdict", data, {"accuracy": subject.accuracy, "findings": dict(counts)})


def show_drawing(subject: Subject) -> Section:
    """The network as boxes and edges."""
    return Section("drawing", "Architecture", {"svg": ArchitectureDisplay(subject.analysis, subject.findings).svg})


def show_layers(subject: Subject) -> Section:
    """The table, and what each layer sees of an image."""
    analysis = subject.analysis
    spatial = len(analysis.input_shape) == 3
    rows = [_row(subject, layer, spatial) for layer in analysis.layers]
    data: dict[str, Any] = {"rows": rows, "field": None}
    if spatial:
        height, width = (side or 1 for side in analysis.input_shape[1:])
        picture = None
        if subject.images is not None:
            place = int(subject.samples[-1])
            picture = to_picture(scale_images(subject.images[place : place + 1])[0], "", FIELD_SIDE)
        data["field"] = {"height": height, "width": width, "picture": picture}
    return Section("layers", "Layers", data, analysis.to_dict())


def _row(subject: Subject, layer: LayerAnalysis, spatial: bool) -> dict[str, Any]:
    low = layer.capacity is not None and min(layer.capacity) < MIN_CAPACITY
    high = layer.coverage is not None and max(layer.coverage) > MAX_COVERAGE
    region = subject.analysis.region(layer.name).clipped if spatial and len(layer.output_shape) == 3 else None
    seen = "all pixels" if region is None else " x ".join(str(last - first + 1) for first, last in region) + " pixels"
    return {
        "name": layer.name,
        "kind": layer.kind,
        "mark": {(True, False): "low", (False, True): "high", (True, True): "both"}.get((low, high), ""),
        "input": format_shape(layer.input_shape),
        "kernel": layer.kernel or "",
        "output": format_shape(layer.output_shape),
        "params": ("?" if layer.params is None else f"{layer.params:,}" if layer.params else "", layer.params or 0),
        "macs": ("?" if layer.macs is None else write_count(layer.macs) if layer.macs else "", layer.macs or 0),
        "memory": (
            "?" if layer.activation_bytes is None else write_bytes(layer.activation_bytes),
            layer.activation_bytes or 0,
        ),
        "field": (write_both(layer.receptive_field), max(layer.receptive_field or (0,))),
        "capacity": (write_percent(layer.capacity), min(layer.capacity or (0,)), low),
        "coverage": (write_percent(layer.coverage), max(layer.coverage or (0,)), high),
        "region": None if region is None else [bound for axis in region for bound in axis],
        "seen": f"{layer.name}: its middle unit sees {seen}" if spatial else "",
    }


def show_findings(subject: Subject) -> Section:
    """What the rules say, and how to mend it."""
    found = []
    for finding in subject.findings:
        remedies = [
            (remedy.title, remedy.fix is not None, "" if remedy.price is None else str(remedy.price))
            for remedy in finding.remedies
        ]
        found.append({"finding": finding, "remedies": remedies})
    data = {"found": found, "summary": subject.findings.summary()}
    return Section("findings", "Findings", data, subject.findings.to_dict())


def show_history(subject: Subject) -> Section | None:
    """Loss and accuracy, epoch by epoch."""
    if subject.net is None or not len(subject.net.history_):
        return None
    history = subject.net.history_
    losses = {"training": history["train_loss"]}
    if None not in history["valid_loss"]:
        losses["validation"] = history["valid_loss"]
    charts = [draw_curves("Loss", losses, "loss")]
    if None not in history["valid_accuracy"]:
        charts.append(draw_curves("Accuracy", {"validation": history["valid_accuracy"]}, "accuracy"))
    numbers = {name: values for name, values in history.to_dict().items() if not name.endswith("_best")}
    return Section("history", "Training", {"charts": charts, "records": list(history)}, numbers)


def show_data(subject: Subject) -> Section | None:
    """The images that this report is made with."""
    if subject.images is None:
        return None
    images = subject.images
    means = images.mean(axis=(0, 2, 3), dtype=np.float64)
    deviations = images.std(axis=(0, 2, 3), dtype=np.float64)
    facts = [
        ("images", f"{len(images):,}"),
        ("shape of one", format_shape(images.shape[1:])),
        ("type of the values", str(images.dtype)),
        ("values", f"{images.min():.4g} to {images.max():.4g}"),
        ("mean a channel", ", ".join(f"{value:.4g}" for value in means)),
        ("standard deviation a channel", ", ".join(f"{value:.4g}" for value in deviations)),
    ]
    counts: list[tuple[str, int]] = []
    if subject.labels is not None and subject.labels.ndim == 1:
        if subject.columns is not None:
            amounts = np.bincount(subject.columns, minlength=len(subject.classes))
            counts = list(zip(subject.classes, amounts.tolist(), strict=True))
        elif subject.labels.dtype.kind in "biuf":  # text names no column of an output that is no row of classes
            values = subject.labels
            facts.append(("targets", f"{values.min():.4g} to {values.max():.4g}"))
    if len(counts) > MOST_CLASSES:
        facts.append(("classes", f"{len(counts)}, of {min(n for _, n in counts):,} to {max(n for _, n in counts):,}"))
        counts = []
    most = max((count for _, count in counts), default=1) or 1
    numbers = {"n_images": len(images), "means": means.tolist(), "deviations": deviations.tolist(), "classes": counts}
    return Section("data", "Data", {"facts": facts, "counts": counts, "most": most}, numbers)


def show_rerun(subject: Subject) -> Section:
    """What it takes to make the same network and the same page again."""
    from depthwise import __version__

    net, facts = subject.net, [("depthwise", __version__)]
    parameters: dict[str, str] = {}
    if net is not None:
        plain = type(net)([]).get_params(deep=False)
        given = net.get_params(deep=False)
        told = {name: repr(value)[:200] for name, value in given.items() if repr(value) != repr(plain.get(name))}
        parameters = {name: text for name, text in told.items() if name != "layers"}
        facts += [("seed", str(net.seed_)), ("device", str(net.device_)), ("precision", net.precision_)]
    if subject.module is not None:
        from depthwise.training.system import describe_system

        system = describe_system()
        facts += [
            (name, str(system[name])) for name in ("python", "torch", "scikit-learn", "numpy", "system", "threads")
        ]
    data = {"facts": facts, "parameters": parameters, "network": _written(subject.target), "command": subject.command}
    return Section("rerun", "How to run it again", data, {"versions": dict(facts), "parameters": parameters})


def _written(target: Target) -> str:
    """A network as text: notation, or a record a line; of a module what it prints."""
    from depthwise.errors import DepthwiseError
    from depthwise.notation import write_layers

    if target.layers is None:
        return str(target.module)
    try:
        return write_layers(target.layers)
    except DepthwiseError:
        return "\n".join(map(str, target.layers))


def write_json(value: Any) -> str:
    """JSON that may stand inside a ``<script>``: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
