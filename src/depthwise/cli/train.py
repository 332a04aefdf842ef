"""``depthwise train``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthwise.cli.options import AsJson, ImageSize, Seed, check_data, print_json, print_problems, read_size
from depthwise.errors import TrainingError, did_you_mean
from depthwise.files import check_network_path

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

# A test holds both against the rooms that mean them: a slip is told before PyTorch is imported, which takes seconds.
OPTIMIZERS = (
    "adam", "adamw", "nadam", "radam", "adamax", "adafactor", "adagrad", "adadelta", "rmsprop", "rprop", "asgd",
    "lbfgs", "sgd", "momentum", "nesterov",
)  # fmt: skip
SCHEDULES = ("constant", "cosine", "one_cycle", "step", "warmup", "warmup_cosine", "plateau")


def train(
    data: Annotated[str, typer.Argument(help="Images and labels: a folder per class, a .csv, .npz ..., mnist.")],
    layers: Annotated[str, typer.Option("--layers", help="A notation (32C3-MP2-64N) or a TOML file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the trained network goes (.safetensors).")],
    size: ImageSize = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training data.")] = 10,
    batch_size: Annotated[str, typer.Option(help="Images a step, or stages of epochs: 10x32,5x256.")] = "128",
    optimizer: Annotated[str, typer.Option(help="adam, adamw, sgd, momentum, nesterov, rmsprop, ...")] = "adam",
    learning_rate: Annotated[float, typer.Option(min=0, help="Step size.")] = 1e-3,
    schedule: Annotated[str | None, typer.Option(help="cosine, one_cycle, step, warmup_cosine, plateau, ...")] = None,
    l2: Annotated[float, typer.Option(min=0, help="Coefficient of the squared weights in the loss.")] = 0.0,
    validation: Annotated[float, typer.Option(min=0, max=1, help="Share of the images held out; 0 for none.")] = 0.2,
    early_stopping: Annotated[
        int | None, typer.Option(min=1, help="Epochs without a lower validation loss to stop.")
    ] = None,
    augment: Annotated[str, typer.Option(help=f"Random changes of the images: {', '.join(AUGMENTATIONS)}.")] = "",
    balanced: Annotated[bool, typer.Option("--balanced", help="Let classes count alike, however many images.")] = False,
    resume: Annotated[
        Path | None, typer.Option(help="A folder for the state of training; a run that was broken off goes on from it.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="How many share every batch, on as many GPUs or cores.")] = 1,
    seed: Seed = 0,
    verbose: Annotated[int, typer.Option("-v", "--verbose", min=0, max=3, help="0 silent to 3 all tables.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train a network on labeled images and save it as one file.

    Exit status 1 where its loss or its weights were no longer finite: what is saved is then the best epoch before that.
    """
    sides, stages = read_size(size), _read_batch_size(batch_size)
    changes = [word.strip() for word in augment.split(",") if word.strip()]
    known = (("augment", changes, AUGMENTATIONS), ("optimizer", [optimizer], OPTIMIZERS))
    _check_words(*known, ("schedule", [schedule] if schedule else [], SCHEDULES))
    _check_places(data, layers, output)
    from depthwise.training import NeuralNetClassifier

    net = NeuralNetClassifier(
        layers,
        max_epochs=epochs,
        batch_size=stages,
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=schedule,
        l2=l2,
        validation=validation,
        early_stopping=early_stopping,
        augment=_augmentation(changes),
        class_weight="balanced" if balanced else None,
        processes=processes,
        random_state=seed,
        verbose=0 if as_json else verbose,
    )
    _fit(net, data, sides, resume)
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
    numbers = [[int(word) for word in stage if word.strip().isdecimal() and int(word)] for stage in stages]
    if len(stages) == 1 and len(numbers[0]) == len(stages[0]) == 1:
        return numbers[0][0]
    if not all(len(stage) == len(pair) == 2 for stage, pair in zip(stages, numbers, strict=True)):
        raise TrainingError(
            f"--batch-size is {text!r} but must be a number of 1 or more, or stages as 10x32,5x256 (epochs x images)."
        )
    return [(epochs, size) for epochs, size in numbers]


def _check_words(*asked: tuple[str, list[str], Collection[str]]) -> None:
    """Refuse words that an option does not know."""
    for option, words, known in asked:
        for word in words:
            if word not in known:
                listed = f"{did_you_mean(word, known)} There are: {', '.join(known)}."
                raise TrainingError(f"--{option}: there is no {word!r}.{listed}")


def _check_places(data: str, layers: str, output: Path) -> None:
    """Refuse what cannot be read, or written to."""
    from depthwise.notation import read_layers

    check_network_path(output)
    read_layers(layers)
    check_data(data)


def _augmentation(words: list[str]) -> list[Any] | None:
    from depthwise.data import augmentation

    chosen = [AUGMENTATIONS[word] for word in words]
    return [getattr(augmentation, kind)(**arguments) for kind, arguments in chosen] or None
