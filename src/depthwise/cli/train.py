"""``depthwise train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from depthwise.cli.options import AsJson, ImageSize, Seed, print_json, read_size


def train(
    data: Annotated[str, typer.Argument(help="A folder per class, an IDX folder or file, or the word digits.")],
    layers: Annotated[str, typer.Option("--layers", help="A notation (32C3-MP2-64N) or a TOML file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the trained network goes (.safetensors).")],
    size: ImageSize = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training data.")] = 10,
    batch_size: Annotated[int, typer.Option(help="Images a step.")] = 128,
    optimizer: Annotated[str, typer.Option(help="adam, adamw, sgd, momentum, nesterov, rmsprop, ...")] = "adam",
    learning_rate: Annotated[float, typer.Option(help="Step size.")] = 1e-3,
    l2: Annotated[float, typer.Option(help="Coefficient of the squared weights in the loss.")] = 0.0,
    validation: Annotated[float, typer.Option(help="Share of the images held out; 0 for none.")] = 0.2,
    seed: Seed = 0,
    verbose: Annotated[int, typer.Option("-v", "--verbose", min=0, max=3, help="0 silent to 3 all tables.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train a network on labeled images and save it as one file."""
    from depthwise.data import load_images
    from depthwise.files import check_writable
    from depthwise.training import NeuralNetClassifier
    from depthwise.training.parameters import check_parameters

    check_writable(output)
    net = NeuralNetClassifier(
        layers,
        max_epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        l2=l2,
        validation=validation,
        random_state=seed,
        verbose=0 if as_json else verbose,
    )
    check_parameters(net)  # and the layers, before pictures are read, which takes longer
    net.get_params()
    images = load_images(data, size=read_size(size)).require_classes()
    for problem in images.problems:
        typer.echo(f"note: {problem}", err=True)
    net.fit(images.X, images.y)
    net.save(output)
    if as_json:
        print_json({"saved": str(output), "history": net.history_.to_dict()})
    else:
        print(f"saved {output}")
