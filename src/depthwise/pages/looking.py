"""One function a section of pictures and of answers.  Each returns ``None`` where it does not apply."""

from __future__ import annotations

from typing import Any

import numpy as np

from depthwise.displays import ActivationsDisplay, CamDisplay, HealthDisplay, OcclusionDisplay, WeightsDisplay
from depthwise.errors import DepthwiseError, TargetError
from depthwise.inspection import ConfusedPairs, read_weights
from depthwise.pages.pixels import SMALL, lay_over, paint, scale_images, to_picture
from depthwise.pages.sections import MOST_CLASSES, Section
from depthwise.pages.subject import Subject

TILES = 520
"""Largest side of a picture of kernels or channels."""
MOST_MISTAKES = 12
HEALTH_IMAGES = 1000
"""Images that activations and gradients are measured on: enough to tell a dead unit from a rare one."""
STEPS = (7, 14)
"""Fewest and most places of the covering square along a side of a large image."""
WORK = 1e12
"""Multiply-accumulates that the occlusion of large images may take: about half a minute of a processor core."""


def show_weights(subject: Subject) -> Section | None:
    """Kernels of the first convolution."""
    if subject.module is None:
        return None
    try:
        weights = read_weights(subject.module)
    except TargetError:
        return None
    display = WeightsDisplay(weights).plot()
    count, channels, *sides = weights.kernels.shape
    largest = float(np.abs(weights.kernels).max())
    size = " x ".join(map(str, sides))
    alt = f"{count} kernels of {size} of layer {weights.layer}, side by side; largest weight {largest:.3g}"
    artist = display.axes_[0].get_images()[0]
    colors = np.asarray(artist.get_array()) if weights.tiles.ndim == 4 else paint(artist)
    data = {
        "picture": to_picture(_on_white(colors), alt, TILES),
        "layer": weights.layer,
        "text": f"{count} kernels of {size} over {channels} channel{'s' * (channels > 1)}",
        "scale": "grey is 0" if weights.tiles.ndim == 4 else "red above 0, blue below, white 0",
        "largest": f"{largest:.3g}",
    }
    return Section("weights", "First-layer weights", data, {"layer": weights.layer, "largest": largest})


def show_activations(subject: Subject) -> Section | None:
    """What the first convolution makes of an image."""
    if not subject.looks:
        return None
    assert subject.images is not None
    chosen = subject.samples[-1:]
    try:
        display = ActivationsDisplay.from_estimator(subject.net or subject.module, subject.images[chosen]).plot()
    except TargetError:
        return None
    values = display.activations.values
    tiles = f"{values.shape[1]} channels of layer {display.activations.layer}"
    data = {
        "image": to_picture(scale_images(subject.images[chosen])[0], f"Image {chosen[0]}"),
        "picture": to_picture(_on_white(paint(display.maps_[0])), f"{tiles} for image {chosen[0]}", TILES),
        "layer": display.activations.layer,
        "text": tiles,
        "range": f"{values.min():.3g} to {values.max():.3g}",
    }
    return Section("activations", "First-layer activations", data)


def show_health(subject: Subject) -> Section | None:
    """Dead units, and how large activations and gradients are in each layer."""
    if not subject.looks:
        return None
    assert subject.images is not None
    network = subject.net or subject.module
    labels = None if subject.labels is None or subject.net is None else subject.labels[:HEALTH_IMAGES]
    try:
        health = HealthDisplay.from_estimator(network, subject.images[:HEALTH_IMAGES], labels).statistics
    except DepthwiseError:
        return None
    dead = sum(len(layer.dead or ()) for layer in health.layers)
    units = sum(len(layer.active) for layer in health.layers)
    text = f"{dead} of {units:,} units are never above zero on {health.n_images:,} images."
    return Section("health", "Health", {"text": text, "table": health.table().html()}, health.to_dict())


def show_attention(subject: Subject) -> Section | None:
    """What the answers hang on: occlusion and class activation, of mistakes and of right answers."""
    if not subject.looks or not subject.classes:
        return None
    assert subject.images is not None
    net, chosen = subject.net or subject.module, subject.samples
    images = subject.images[chosen]
    below = scale_images(images)
    overlays: dict[str, list[Any]] = {}
    notes = []
    for name, kind, options in (
        ("occlusion", OcclusionDisplay, choose_cover(images.shape[2:], len(images) * subject.analysis.macs)),
        ("class activation", CamDisplay, {}),
    ):
        try:
            overlays[name] = kind.from_estimator(net, images, **options).plot().overlays_
        except DepthwiseError as problem:
            notes.append(f"No {name}: {problem}")
    if not overlays:
        return None
    samples = []
    for place, number in enumerate(chosen.tolist()):
        said = _said(subject, number)
        label = f"Image {number}, {said['text']}"
        pictures = [("image", to_picture(below[place], label))]
        for name, artists in overlays.items():
            painted = lay_over(artists[place], below[place])
            pictures.append((name, to_picture(painted, f"{name.capitalize()} for {said['answer']} on image {number}")))
        samples.append({"number": number, "pictures": pictures, **said})
    others = "Answers" if subject.columns is None else "Right answers"
    groups = [
        ("Wrong answers", [sample for sample in samples if sample["right"] is False]),
        (others, [sample for sample in samples if sample["right"] is not False]),
    ]
    data = {"groups": [group for group in groups if group[1]], "notes": notes}
    return Section("attention", "What the answers hang on", data, {"samples": chosen.tolist()})


def choose_cover(sides: tuple[int, ...], macs: int) -> dict[str, Any]:
    """Options of an occlusion that does not take minutes: large images are covered in steps, by larger squares.

    >>> choose_cover((28, 28), 10**7), choose_cover((224, 224), 10**10), choose_cover((224, 224), 10**12)
    ({}, {'square': (28, 28), 'stride': (23, 23)}, {'square': (32, 32), 'stride': (32, 32)})
    """
    if max(sides) <= SMALL:
        return {}
    steps = min(max(int((WORK / max(macs, 1)) ** 0.5), STEPS[0]), STEPS[1])
    strides = tuple(-(-side // steps) for side in sides)
    return {"square": tuple(max(side // 8, step) for side, step in zip(sides, strides, strict=True)), "stride": strides}


def show_confusion(subject: Subject) -> Section | None:
    """Which classes are taken for which."""
    if subject.answers is None or subject.columns is None:
        return None
    count = len(subject.classes)
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (subject.columns, subject.answers), 1)
    names = np.array(subject.classes, dtype=object)
    pairs = ConfusedPairs.from_predictions(names[subject.columns], names[subject.answers])
    totals = matrix.sum(1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)
    rows = [
        (name, list(zip(matrix[row].tolist(), shares[row].round(3).tolist(), strict=True)), int(totals[row, 0]))
        for row, name in enumerate(subject.classes)
    ]
    data = {"rows": rows if count <= MOST_CLASSES else None, "classes": subject.classes, "pairs": list(pairs)}
    numbers: dict[str, Any] = {"classes": subject.classes}
    if count <= MOST_CLASSES:
        numbers["matrix"] = matrix.tolist()
    else:  # of a thousand classes, a million zeros would make most of the file
        numbers["cells"] = [[int(i), int(j), int(matrix[i, j])] for i, j in np.argwhere(matrix)]
    return Section("confusion", "Confusion", data, numbers)


def show_mistakes(subject: Subject) -> Section | None:
    """The images of the largest losses that were answered wrongly."""
    if subject.answers is None or subject.columns is None or subject.probabilities is None:
        return None
    assert subject.images is not None
    wrong = np.flatnonzero(subject.answers != subject.columns)
    if not len(wrong):
        return None
    order = np.argsort(subject.probabilities[wrong, subject.columns[wrong]], kind="stable")
    chosen = wrong[order][:MOST_MISTAKES]
    pictures = scale_images(subject.images[chosen])
    mistakes = []
    for place, number in enumerate(chosen.tolist()):
        said = _said(subject, number)
        picture = to_picture(pictures[place], f"Image {number}, {said['text']}")
        mistakes.append({"picture": picture, "number": number, **said})
    data = {"mistakes": mistakes, "count": len(wrong), "total": len(subject.images)}
    return Section("mistakes", "Top mistakes", data, {"images": chosen.tolist()})


def _said(subject: Subject, number: int) -> dict[str, Any]:
    """What the network says of an image, and whether it is right."""
    assert subject.answers is not None and subject.probabilities is not None
    answer = int(subject.answers[number])
    share = f"{100 * subject.probabilities[number, answer]:.1f} %"
    said: dict[str, Any] = {"answer": subject.classes[answer], "share": share, "truth": None, "right": None}
    if subject.columns is None:
        return said | {"text": f"answered {said['answer']} ({share})"}
    truth = int(subject.columns[number])
    said |= {"truth": subject.classes[truth], "right": truth == answer}
    said["truth_share"] = f"{100 * subject.probabilities[number, truth]:.1f} %"
    return said | {"text": f"answered {said['answer']} ({share}), true {said['truth']}"}


def _on_white(colors: Any) -> Any:
    """Colors over white, where they are transparent or not there."""
    colors = np.nan_to_num(np.asarray(colors, float), nan=1.0)
    if colors.ndim == 3 and colors.shape[2] == 4:
        return colors[..., :3] * colors[..., 3:] + (1 - colors[..., 3:])
    return colors
