"""One function a section of pictures of what goes on inside.  Each returns ``None`` where it does not apply."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from depthwise.displays import (
    ActivationsDisplay,
    CamDisplay,
    HealthDisplay,
    OcclusionDisplay,
    WeightsDisplay,
)
from depthwise.errors import DepthwiseError, TargetError
from depthwise.inspection import Occlusion, find_exciting, read_weights
from depthwise.inspection.occlusion import MOST_CENTERS, SQUARE
from depthwise.inspection.unit_field import crop_image
from depthwise.pages.answers import describe_answer
from depthwise.pages.pixels import SMALL, lay_over, paint, scale_images, to_picture
from depthwise.pages.sections import Section
from depthwise.pages.subject import Subject

TILES = 520
"""Largest side of a picture of kernels or channels."""
HEALTH_IMAGES = 1000
"""Images that activations and gradients are measured on: enough to tell a dead unit from a rare one."""
EXCITING_IMAGES = 1000
"""Images among which those are looked for that excite a channel most."""
EXCITING = 4
"""Of them for each channel."""
STEPS = (4, 14)
"""Fewest and most places of the covering square along a side of a large image."""
WORK = 3e11
"""Multiply-accumulates that the occlusion of large images may take: about eight seconds of a processor core, which does
4e10 a second in ResNet-18 (``python benchmarks/report.py``)."""


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
        "picture": to_picture(_on_white(colors), alt, TILES, exact=True),
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
        "picture": to_picture(_on_white(paint(display.maps_[0])), f"{tiles} for image {chosen[0]}", TILES, exact=True),
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
    notes, square = [], ""
    for name, kind, options in (
        ("occlusion", OcclusionDisplay, choose_cover(images.shape[2:], len(images) * subject.analysis.macs)),
        ("class activation", CamDisplay, {}),
    ):
        try:
            display = kind.from_estimator(net, images, **options).plot()
        except DepthwiseError as problem:
            notes.append(f"No {name}: {problem}")
            continue
        overlays[name] = display.overlays_
        if isinstance(display, OcclusionDisplay):
            square = _describe_cover(display.found)
    if not overlays:
        return None
    samples = []
    for place, number in enumerate(chosen.tolist()):
        said = describe_answer(subject, number)
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
    data = {"groups": [group for group in groups if group[1]], "notes": notes, "square": square}
    return Section("attention", "What the answers hang on", data, {"samples": chosen.tolist()})


def choose_cover(sides: tuple[int, ...], macs: int) -> dict[str, Any]:
    """Options of an occlusion that does not take minutes: what takes long is covered in steps, by larger squares.

    >>> choose_cover((28, 28), 10**7), choose_cover((224, 224), 10**9), choose_cover((224, 224), 10**12)
    ({}, {'square': (28, 28), 'stride': (16, 16)}, {'square': (56, 56), 'stride': (56, 56)})
    """
    windows = prod(-(-side // -(-side // MOST_CENTERS)) for side in sides)
    if max(sides) <= SMALL and windows * macs <= WORK:
        return {}
    steps = min(max(int((WORK / max(macs, 1)) ** 0.5), STEPS[0]), STEPS[1])
    strides = tuple(-(-side // steps) for side in sides)
    square = tuple(max(SQUARE, side // 8, step) for side, step in zip(sides, strides, strict=True))
    return {"square": square, "stride": strides}


def _describe_cover(occlusion: Occlusion) -> str:
    """Square and steps in pixels: ``7 x 7 pixels at every pixel``."""
    sides = " x ".join(map(str, occlusion.square))
    steps = [int(places[1] - places[0]) for places in (occlusion.rows, occlusion.columns) if len(places) > 1]
    return f"{sides} pixels " + ("at every pixel" if max(steps, default=1) == 1 else f"every {max(steps)} pixels")


def show_exciting(subject: Subject) -> Section | None:
    """What some channels of the last maps look for."""
    if not subject.looks:
        return None
    assert subject.images is not None and subject.module is not None
    some = subject.images[:EXCITING_IMAGES]
    try:
        found = find_exciting(subject.module, some, n_images=EXCITING)
    except DepthwiseError:
        return None
    pictures = scale_images(subject.images[np.concatenate([one.rows for one in found])])
    count, rows = len(found[0].rows), []
    for place, one in enumerate(found):
        seen = []
        for rank, (number, region) in enumerate(zip(one.rows.tolist(), one.regions, strict=True)):
            picture = pictures[place * count + rank]
            if region is not None and region.clipped is not None:
                picture = crop_image(picture[None], region.clipped)[0]
            alt = f"What channel {one.channel} sees of image {number}"
            seen.append((to_picture(picture, alt), number, f"{one.values[rank]:.3g}"))
        rows.append((one.channel, seen))
    data = {"layer": found[0].layer, "rows": rows, "total": len(some)}
    numbers = {"layer": found[0].layer, "channels": {one.channel: one.rows.tolist() for one in found}}
    return Section("exciting", "What channels look for", data, numbers)


def _on_white(colors: Any) -> Any:
    """Colors over white, where they are transparent or not there."""
    colors = np.nan_to_num(np.asarray(colors, float), nan=1.0)
    if colors.ndim == 3 and colors.shape[2] == 4:
        return colors[..., :3] * colors[..., 3:] + (1 - colors[..., 3:])
    return colors
