"""``depthwise demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from depthwise.cli.options import AsJson, Seed, print_json
from depthwise.files import check_writable
from depthwise.tables import wants_color

LAYERS = "[32C3ps]*2-64C3s2ps-D0.25-64N-D0.5-N"
"""A network for images of 8 x 8: deeper ones would look beyond the border, as `depthwise check` tells."""


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the pictures.")] = Path("depthwise-demo"),
    epochs: Annotated[int, typer.Option(help="Passes over the training data.")] = 20,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Table, training, accuracy and pictures on scikit-learn's handwritten digits, in under a minute."""
    pictures = {"history": output / "history.png", "weights": output / "weights.png"}
    check_writable(pictures["history"])
    from sklearn.model_selection import train_test_split

    from depthwise.data import load_images
    from depthwise.displays import HistoryDisplay, WeightsDisplay
    from depthwise.network import analyze, check
    from depthwise.training import NeuralNetClassifier

    digits = load_images("digits")
    if not as_json:
        shape = digits.input_shape
        print(f"{digits}\n\n{analyze(LAYERS, shape, n_outputs=10).text(color=wants_color())}\n")
        print(f"{check(LAYERS, shape, n_outputs=10)}\n")
    parts = train_test_split(digits.X, digits.y, test_size=0.25, random_state=seed, stratify=digits.y)
    X_train, X_test, y_train, y_test = parts
    net = NeuralNetClassifier(LAYERS, max_epochs=epochs, random_state=seed, verbose=0 if as_json else 1)
    net.fit(X_train, y_train)
    accuracy = net.score(X_test, y_test)
    HistoryDisplay.from_estimator(net).plot().save(pictures["history"])
    WeightsDisplay.from_estimator(net).plot().save(pictures["weights"])
    if as_json:
        print_json({"accuracy": accuracy, "pictures": {name: str(path) for name, path in pictures.items()}})
        return
    print(f"\ntest accuracy {100 * accuracy:.2f} % on {len(y_test)} digits that training never saw")
    for path in pictures.values():
        print(f"wrote {path}")
