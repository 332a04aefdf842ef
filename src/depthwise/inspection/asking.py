"""What every look inside shares: the network left as it was, images as tensors, classes, batches bounded in bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from depthwise.errors import DataError, TargetError
from depthwise.inspection.choosing import hookable, hooked
from depthwise.inspection.running import run_module
from depthwise.layers.shapes import format_shape, how_to_fit
from depthwise.modules import Network

BYTES_ON_PROCESSOR = 64 << 20
"""Larger batches of maps leave the caches and are no faster."""
BYTES_ON_ACCELERATOR = 2 << 30

Array = NDArray[np.float32]


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; training flags, buffers and the random state are as before, also after an error."""
    # A frozen script has no flag.
    flags = [(part, part.training) for part in module.modules() if hasattr(part, "training")]
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    devices = {value.device for value in (*module.parameters(), *module.buffers()) if value.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)):
        try:
            module.eval()
            yield
        finally:
            for part, training in flags:
                part.training = training
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)


def demand_module(module: object) -> nn.Module:
    """Refuse what is no torch module.

    Raises
    ------
    TargetError
        It is something else.
    """
    if isinstance(module, nn.Module):
        return module
    raise TargetError(f"{module!r:.80} is no torch module. Give the module_ of a fitted estimator, or a module.")


def to_tensor(module: nn.Module, images: ArrayLike | Tensor) -> Tensor:
    """Images as floating-point numbers where the module's parameters are, shape ``(n_images, channels, ...)``.

    Raises
    ------
    DataError
        They are no numbers, there are none, they have other axes than a batch of images, values that are not finite, or
        another shape than the network is made for.
    """
    tensor = images.detach() if isinstance(images, Tensor) else _from_array(read_array(images, "images"))
    if tensor.is_complex():
        raise DataError("images: hold complex numbers. Give real ones, such as their magnitude.")
    shape = format_shape(tuple(tensor.shape))
    if tensor.ndim < 3:
        raise DataError(
            f"images: have {tensor.ndim} axes, {shape}, but must be of shape (n_images, channels, height, width)."
        )
    if len(tensor) == 0:
        raise DataError("images: there are none to look at. Give at least one.")
    value = next((value for value in module.parameters() if value.is_floating_point()), torch.empty(0))
    tensor = tensor.to(value.device, value.dtype)
    if not bool(torch.isfinite(tensor).all()):
        raise DataError("images: some values are NaN or infinite. Remove or fill them.")
    if isinstance(module, Network) and tuple(tensor.shape[1:]) != module.sized.input_shape:
        raise DataError(
            f"images: are {format_shape(tuple(tensor.shape[1:]))} but the network is made for "
            f"{format_shape(module.sized.input_shape)}. "
            f"{how_to_fit(tuple(tensor.shape[1:]), module.sized.input_shape)}."
        )
    return tensor


def read_array(values: object, name: str) -> NDArray[Any]:
    """An array of whatever it is made of.

    Raises
    ------
    DataError
        It cannot be made: rows are of several lengths, or tensors not on the processor.
    """
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as problem:
        reason = next(iter(str(problem).splitlines()), "").rstrip(".")
        raise DataError(f"{name}: make no array ({reason}). Give one array, or rows of one shape.") from problem


def _from_array(array: NDArray[Any]) -> Tensor:
    """On the same memory where PyTorch can read it: forwards, and in the byte order of the machine."""
    if array.dtype.kind not in "biufc":
        raise DataError(f"images: hold values of type {array.dtype}, no numbers. Give their pixels.")
    if array.dtype.kind == "f" and array.dtype.itemsize > np.dtype(np.float64).itemsize:
        array = array.astype(np.float64)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(array if array.flags.writeable and min(array.strides, default=0) >= 0 else array.copy())


def demand_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse a word that is not among some.

    Raises
    ------
    DataError
        It is another one.
    """
    if value not in choices:
        raise DataError(f"{name} is {value!r} but must be one of {', '.join(map(repr, choices))}.")


def demand_maps(images: Tensor) -> None:
    """Refuse images that are not two-dimensional."""
    if images.ndim != 4:
        raise DataError(
            f"images: are {format_shape(tuple(images.shape[1:]))}, but only images of (channels, height, width) can be "
            "covered or mapped."
        )


def compute_outputs(module: nn.Module, images: Tensor, max_bytes: int | None = None) -> Tensor:
    """Outputs for images that are asked for the first time, one row an image, in float32.

    Raises
    ------
    DataError
        The images do not go through the network.
    TargetError
        The network does not give one value a class, or values that are not finite.
    """
    with torch.no_grad():
        step = batch_length(module, images, max_bytes)
        parts = [run_module(module, part) for part in images.split(step)]
    if not all(isinstance(part, Tensor) and part.ndim in (1, 2) for part in parts):
        shape = format_shape(tuple(parts[0].shape[1:])) if isinstance(parts[0], Tensor) else type(parts[0]).__name__
        raise TargetError(f"the network gives {shape} for an image, but one value a class is needed to explain it.")
    found = torch.cat(parts)
    if len(found) != len(images):
        raise TargetError(f"the network gives {len(found)} rows for {len(images)} images, but one for each is needed.")
    outputs = found.reshape(len(images), -1).float()
    if not bool(torch.isfinite(outputs).all()):
        raise TargetError("the network's output is NaN or infinite, so there is nothing to explain. Check its weights.")
    return outputs


def choose_targets(outputs: Tensor, targets: Any) -> Tensor:
    """Column of the output to explain, for each image: those asked for, or the largest.

    Raises
    ------
    DataError
        There is no such class, or not one for each image.
    """
    if targets is None:
        return outputs.argmax(1)
    wanted = read_array(targets.cpu() if isinstance(targets, Tensor) else targets, "targets")
    if wanted.dtype.kind not in "iu" or wanted.ndim > 1:
        raise DataError(f"targets: are {targets!r:.60} but must be places of classes in the output, whole numbers.")
    n_images, n_outputs = outputs.shape
    if wanted.ndim and len(wanted) != n_images:
        raise DataError(
            f"targets: holds {len(wanted)} classes for {n_images} images. Give one for each, or one for all."
        )
    every = np.broadcast_to(wanted, n_images)
    wrong = every[(every < 0) | (every >= n_outputs)]
    if len(wrong):
        raise DataError(
            f"targets: there is no class {wrong[0]}, for the network has {n_outputs} outputs (0 to {n_outputs - 1})."
        )
    return torch.from_numpy(every.astype(np.int64)).to(outputs.device)


class Question(NamedTuple):
    """Which outputs of a network are to be explained."""

    images: Tensor
    outputs: Tensor
    targets: Tensor


@contextmanager
def asked(
    module: nn.Module, images: ArrayLike | Tensor, targets: ArrayLike | Tensor | None, max_bytes: int | None
) -> Iterator[Question]:
    """Read a question about classes, and leave the module undisturbed while it is answered.

    Raises
    ------
    DataError
        There is no such class, or the images are not such as go through the network.
    TargetError
        It is no module, or does not give one finite value a class.
    """
    tensor = to_tensor(demand_module(module), images)
    demand_maps(tensor)
    with undisturbed(module):
        outputs = compute_outputs(module, tensor, max_bytes)
        yield Question(tensor, outputs, choose_targets(outputs, targets))


def batch_length(module: nn.Module, images: Tensor, max_bytes: int | None, *, gradients: bool = False) -> int:
    """Images of a batch whose maps fit into so many bytes: the largest at once, or all of them where gradients come."""
    if max_bytes is None:
        max_bytes = BYTES_ON_PROCESSOR if images.device.type == "cpu" else BYTES_ON_ACCELERATOR
    sizes = [images[:1].nbytes]

    def note(part: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        maps = [value.nbytes for value in (*inputs, output) if isinstance(value, Tensor)]
        sizes.append(sum(maps))

    with hooked([part for part in hookable(module) if part is not module], note), torch.no_grad():
        run_module(module, images[:1])
    # Of a step's input and output both are alive, and once more for what the step itself needs beside them.
    return max(1, int(max_bytes // (2 * (sum(sizes) if gradients else max(sizes)))))


def mean_image(module: nn.Module, images: Tensor) -> Tensor:
    """What a standardizing network takes for nothing, per channel: the mean of its training images; else zero."""
    if isinstance(module, Network):
        return module.input.mean.detach().to(images.dtype)
    return images.new_zeros(images.shape[1])


def read_fill(module: nn.Module, images: Tensor, fill: ArrayLike | None) -> Tensor:
    """One value a channel.

    Raises
    ------
    DataError
        There are more or fewer values than channels.
    """
    if fill is None:
        return mean_image(module, images)
    values = np.asarray(fill, np.float64)
    channels = images.shape[1]
    if values.shape not in ((), (channels,)) or not np.isfinite(values).all():
        raise DataError(f"fill is {fill!r:.60} but must be one finite number, or one for each of {channels} channels.")
    return torch.from_numpy(np.broadcast_to(values, channels).copy()).to(images)


def autocast(precision: str, device: torch.device) -> Any:
    """Context of a precision.

    Raises
    ------
    DataError
        It is unknown.
    """
    if precision not in ("float32", "bfloat16"):
        raise DataError(f"precision is {precision!r} but must be 'float32' or 'bfloat16'.")
    return nullcontext() if precision == "float32" else torch.autocast(device.type, dtype=torch.bfloat16)


def to_array(tensor: Tensor) -> Array:
    """A copy as float32 on the processor."""
    array: Array = tensor.detach().float().cpu().numpy().copy()
    return array
