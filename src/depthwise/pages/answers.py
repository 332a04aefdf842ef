"""One function a section of answers and how far they can be trusted.  Each returns ``None`` where it does not apply."""

from __future__ import annotations

from typing import Any

import numpy as np

from depthwise.inspection import ConfusedPairs
from depthwise.pages.curves import draw_shares
from depthwise.pages.pixels import scale_images, to_picture
from depthwise.pages.sections import MOST_CLASSES, Section
from depthwise.pages.subject import Subject

MOST_MISTAKES = 12
BINS = 10
"""Bins of probabilities of a reliability curve, each a tenth wide: scikit-learn has 5, Guo et al. 15."""
SURE = 0.02
"""Difference of mean probability and accuracy from which on a network is called over- or underconfident."""


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
        said = describe_answer(subject, number)
        picture = to_picture(pictures[place], f"Image {number}, {said['text']}")
        mistakes.append({"picture": picture, "number": number, **said})
    data = {"mistakes": mistakes, "count": len(wrong), "total": len(subject.images)}
    return Section("mistakes", "Top mistakes", data, {"images": chosen.tolist()})


def show_calibration(subject: Subject) -> Section | None:
    """Whether the network is right as often as it says: a reliability curve; of two classes a ROC curve as well.

    The calibration error is the mean distance between both in equally wide bins of what it says, weighted with the
    images in them (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017).
    """
    if subject.answers is None or subject.columns is None or subject.probabilities is None:
        return None
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import roc_auc_score, roc_curve

    said = subject.probabilities.max(1).clip(0, 1)
    right = subject.answers == subject.columns
    shares, centers = calibration_curve(right, said, n_bins=BINS, pos_label=True)
    places = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], said)  # the bins of calibration_curve
    counts = np.bincount(places, minlength=BINS)
    counts = counts[counts > 0]
    error = float(np.abs(shares - centers) @ counts / counts.sum())
    rows = list(zip(centers.tolist(), shares.tolist(), counts.tolist(), strict=True))
    numbers: dict[str, Any] = {"error": error, "bins": rows, "confidence": float(said.mean())}
    text = f"calibration error {100 * error:.1f} %"
    axes = ("probability of the answer", "share of right answers")
    charts = [draw_shares("Reliability", [row[:2] for row in rows], axes, f"Reliability curve: {text}.")]
    if len(subject.classes) == 2 and 0 < subject.columns.sum() < len(subject.columns):
        second = subject.probabilities[:, 1]
        false, true, _ = roc_curve(subject.columns, second)
        area = float(roc_auc_score(subject.columns, second))
        numbers["roc_auc"] = area
        axes = (f"share of {subject.classes[0]} taken for {subject.classes[1]}", f"share of {subject.classes[1]} found")
        curve = list(zip(false.tolist(), true.tolist(), strict=True))
        charts.append(draw_shares("ROC", curve, axes, f"ROC curve: area {area:.3f}."))
        text += f", area under the ROC curve {area:.3f}"
    means = {"said": float(said.mean()), "right": float(right.mean())}
    excess = means["said"] - means["right"]
    tone = "surer than" if excess > SURE else "less sure than" if excess < -SURE else "as sure as"
    data = {"charts": charts, "rows": rows, "text": text, "tone": tone, **means}
    return Section("calibration", "Calibration", data, numbers)


def describe_answer(subject: Subject, number: int) -> dict[str, Any]:
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
