"""``depthwise train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthwise.cli.options import AsJson, ImageSize, Seed, print_json, print_problems, read_size
from depthwise.errors import TrainingError, did_you_mean

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet

AUGMENTATIONS = {
    "flip": ("RandomFlip", {}),
    "flip_both": ("RandomFlip", {"vertical": 0.5}),
    "crop": ("RandomCrop", {}),
    "affine": ("RandomAffine", {"degrees": 10, "scale": 0.1, "shear": 10}),
    "color": ("ColorJitter", {}),
    "erase": ("RandomErasing", {}),
    "mixup": ("MixUp", {}),
    "cutmix": ("CutMix", {}),
}  # fmt: skip
"""Words for ``--augment``: class and arguments, those of docs/augmentation.md."""


def train(
    data: Annotated[str, typer.Argument(help="Images and labels: a folder per class, a .csv, .npz ..., mnist.")],
    layers: Annotated[str, typer.Option("--layers", help="A notation (32C3-MP2-64N) or a TOML file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the trained network goes (.safetensors).")],
    size: ImageSize = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training data.")] = 10,
    batch_size: Annotated[str, typer.Option(help="Images a step, or stages of epochs: 10x32,5x256.")] = "128",
    optimizer: Annotated[str, typer.Option(help="adam, adamw, sgd, momentum, nesterov, rmsprop, ...")] = "adam",
    learning_rate: Annotated[float, typer.Option(help="Step size.")] = 1e-3,
    schedule: Annotated[str | None, typer.Option(help="cosine, one_cycle, step, warmup_cosine, plateau, ...")] = None,
    l2: Annotated[float, typer.Option(help="Coefficient of the squared weights in the loss.")] = 0.0,
    validation: Annotated[float, typer.Option(help="Share of the images held out; 0 for none.")] = 0.2,
    early_stopping: Annotated[int | None, typer.Option(help="Epochs without a lower validation loss to stop.")] = None,
    augment: Annotated[str, typer.Option(help=f"Random changes of the images: {', '.join(AUGMENTATIONS)}.")] = "",
    balanced: Annotated[bool, typer.Option("--balanced", help="Let classes count alike, however many images.")] = False,
    resume: Annotated[
        Path | None, typer.Option(help="A folder for the state of training; a run that was broken off goes on from it.")
    ] = None,
    processes: Annotated[int, typer.Option(help="How many share every batch, on as many GPUs or cores.")] = 1,
    seed: Seed = 0,
    verbose: Annotated[int, typer.Option("-v", "--verbose", min=0, max=3, help="0 silent to 3 all tables.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train a network on labeled images and save it as one file.

    Exit status 1 where its loss or its weights were no longer finite: what is saved is then the best epoch before that.
    """
    from depthwise.files import check_network_path
    from depthwise.training import NeuralNetClassifier

    check_network_path(output)
    net = NeuralNetClassifier(
        layers,
        max_epochs=epochs,
        batch_size=_read_batch_size(batch_size),
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=schedule,
        l2=l2,
        validation=validation,
        early_stopping=early_stopping,
        augment=_read_augment(augment),
        class_weight="balanced" if balanced else None,
        processes=processes,
        random_state=seed,
        verbose=0 if as_json else verbose,
    )
    _fit(net, data, read_size(size), resume)
    _save(net, output, as_json)


def _save(net: NeuralNet, output: Path, as_json: bool) -> None:
    net.save(output)
    if as_json:
        print_json({"saved": str(output), "history": net.history_.to_dict()})
    else:
        print(f"saved {output}")
    if net.health_.non_finite is not None:
        raise typer.Exit(1)


def _fit(net: NeuralNet, data: str, size: int | tuple[int, int] | None, resume: Path | None) -> None:
    """Read the images, and train on them."""
    from depthwise.data import load_images
    from depthwise.training.parameters import check_parameters

    check_parameters(net)  # and the layers, before pictures are read, which takes longer
    net.get_params()
    images = load_images(data, size=size).require_classes()
    print_problems(images)
    net.fit(images.X, images.y, resume=resume)


def _read_batch_size(text: str) -> int | list[tuple[int, int]]:
    """Read ``128``, or ``10x32,5x256``: 10 epochs of 32 images a step, then 5 of 256."""
    stages = [stage.lower().split("x") for stage in text.split(",")]
    numbers = [[int(word) for word in stage if word.strip().isdecimal()] for stage in stages]
    if len(stages) == 1 and len(numbers[0]) == len(stages[0]) == 1:
        return numbers[0][0]
    if not all(len(stage) == len(pair) == 2 for stage, pair in zip(stages, numbers, strict=True)):
        raise TrainingError(
            f"--batch-size is {text!r} but must be a number, or stages as 10x32,5x256 (epochs x images)."
        )
    return [(epochs, size) for epochs, size in numbers]


def _read_augment(text: str) -> list[Any] | None:
    """Read ``flip,crop``."""
    from depthwise.data import augmentation

    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in AUGMENTATIONS:
            known = ", ".join(AUGMENTATIONS)
            raise TrainingError(
                f"--augment: there is no {word!r}.{did_you_mean(word, AUGMENTATIONS)} There are: {known}."
            )
    chosen = [AUGMENTATIONS[word] for word in words]
    return [getattr(augmentation, kind)(**arguments) for kind, arguments in chosen] or None
