"""What the user gives as ``augment`` -> one `Augmentation` of batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from depthwise.data.augmentation.mixing import Augmented, CutMix, Mixer, MixUp, mix
from depthwise.data.augmentation.pixels import layout
from depthwise.data.augmentation.transforms import ColorJitter, RandomAffine, RandomCrop, RandomErasing, RandomFlip
from depthwise.errors import TrainingError
from depthwise.layers.shapes import format_shape

Transform = Callable[[Tensor], Tensor]

OWN = (RandomFlip, RandomCrop, RandomAffine, ColorJitter, RandomErasing)


def as_augmentation(augment: Any) -> Augmentation | None:
    """What an estimator's ``augment`` means: nothing, one entry, or a list of them.

    Raises
    ------
    TrainingError
        An entry cannot be called with a batch.

    Examples
    --------
    >>> as_augmentation([RandomFlip(), RandomCrop(2)])
    Augmentation(entries=(RandomFlip(horizontal=0.5, vertical=0.0), RandomCrop(padding=2, fill='reflect')))
    >>> as_augmentation("flip")
    Traceback (most recent call last):
    depthwise.errors.TrainingError: augment[0] is 'flip' but must be a transform such as RandomFlip(), or a function \
from a batch of images to another.
    """
    if isinstance(augment, Augmentation):
        return augment
    entries = tuple(augment) if isinstance(augment, list | tuple) else () if augment is None else (augment,)
    return Augmentation(entries) if entries else None


@dataclass(frozen=True)
class Augmentation:
    """Changes of a batch, one after another; of `MixUp` and `CutMix` one, drawn for the batch, comes last.

    Parameters
    ----------
    entries
        Transforms, mixers, or any other functions of a batch, modules too.  What comes from torchvision is called image
        by image: given a batch, it would draw once for all (https://github.com/pytorch/vision/issues/8484).

    Raises
    ------
    TrainingError
        An entry cannot be called with a batch.

    Examples
    --------
    >>> Augmentation((RandomFlip(horizontal=1), torch.neg))(torch.tensor([[[[1, 2]]]])).images.tolist()
    [[[[-2.0, -1.0]]]]
    """

    entries: tuple[Transform | Mixer, ...]

    def __post_init__(self) -> None:
        for place, entry in enumerate(self.entries):
            _demand_entry(place, entry)

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Augmented:
        """Augment a batch of shape ``(n_images, ...)``; whole numbers become float32 first.

        Raises
        ------
        TrainingError
            An entry returns something else than a batch like the one it got.
        DataError
            An entry needs images, and the batch holds none.
        """
        if not images.is_floating_point():
            images = images.float()
        mixers = []
        for place, entry in enumerate(self.entries):
            if isinstance(entry, MixUp | CutMix):
                mixers.append(entry)
            elif isinstance(entry, OWN):
                images = entry(images)
            else:
                images = _call(place, entry, images)
        return _mix_by_one(mixers, images) if mixers else Augmented(images)


def _mix_by_one(mixers: list[Mixer], images: Tensor) -> Augmented:
    owns = [mixer.draw_own(images) for mixer in mixers]
    if len(owns) == 1:
        return mix(images, owns[0])
    # All have drawn, so that the choice stays on the device.
    drawn = torch.randint(len(owns), (1,), device=images.device)
    return mix(images, torch.stack(torch.broadcast_tensors(*owns)).index_select(0, drawn)[0])


def _call(place: int, entry: Transform, images: Tensor) -> Tensor:
    # A clone, for the function may work in place.
    given = images.clone()
    if not _is_torchvision(entry):
        _demand_same(place, entry, images, result := entry(given))
        return result.contiguous(memory_format=layout(images))
    for image, own in zip(images, given, strict=True):
        _demand_same(place, entry, image, result := entry(own))
        own.copy_(result)
    return given


def _is_torchvision(entry: object) -> bool:
    parts = entry.modules() if isinstance(entry, nn.Module) else (entry,)
    return any(type(part).__module__.partition(".")[0] == "torchvision" for part in parts)


def _demand_entry(place: int, entry: object) -> None:
    if isinstance(entry, type):
        raise TrainingError(
            f"augment[{place}] is the class {entry.__name__}. Give an object of it: {entry.__name__}()."
        )
    if not (callable(entry) or isinstance(entry, MixUp | CutMix)):
        raise TrainingError(
            f"augment[{place}] is {entry!r:.60} but must be a transform such as RandomFlip(), or a function from a "
            "batch of images to another."
        )
    if _is_torchvision(entry) and _name(entry) in ("MixUp", "CutMix"):
        raise TrainingError(
            f"augment[{place}] is torchvision's {_name(entry)}, which mixes labels itself. "
            f"Take depthwise.{_name(entry)}()."
        )


def _demand_same(place: int, entry: Transform, images: Tensor, result: object) -> None:
    got, want = _describe(result), _describe(images)
    if got != want:
        raise TrainingError(
            f"augment[{place}]: {_name(entry)} made {got} of {want}. Return a tensor like the one given."
        )


def _describe(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"{format_shape(tuple(value.shape))} {str(value.dtype).removeprefix('torch.')} on {value.device}"


def _name(entry: object) -> str:
    return getattr(entry, "__name__", type(entry).__name__)
