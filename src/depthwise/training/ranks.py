"""What one of several processes does: its share of every batch, and what all of them add up.

All processes hold all images and the same weights.  Each computes the gradients of its share of a batch; the sum of all
shares is the gradient of the batch, so that every process makes the same step.  Nothing is assumed to be equally long:
a share is weighted by its number of images, and may be empty.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from depthwise.errors import LostProcessError, TrainingError

if TYPE_CHECKING:
    from depthwise.training.batches import DeviceData

TIMEOUT = timedelta(minutes=30)
"""How long one process waits for the others, which is PyTorch's default."""

T = TypeVar("T")


def is_launched() -> bool:
    """Whether this is one of several processes: of ``torchrun``, or of a fit with ``processes=``."""
    return dist.is_available() and (
        dist.is_initialized() or (dist.is_torchelastic_launched() and int(os.environ.get("WORLD_SIZE", "1")) > 1)
    )


def is_main_process() -> bool:
    """Whether this process is the only one, or the first of several: the one that prints and writes files.

    Examples
    --------
    >>> is_main_process()
    True
    """
    return not is_launched() or int(os.environ.get("RANK", Ranks.now().rank)) == 0


def join_group(device: str | torch.device) -> None:
    """Meet the other processes, if there are any and they have not met.

    Parameters
    ----------
    device
        The estimator's; each process takes a GPU of its own, unless it is ``"cpu"``.

    Raises
    ------
    TrainingError
        There are more processes than GPUs.
    """
    if not is_launched() or dist.is_initialized():
        return
    on_gpus = torch.cuda.is_available() and str(device) != "cpu"
    if on_gpus:
        place, here = int(os.environ["LOCAL_RANK"]), os.environ["LOCAL_WORLD_SIZE"]
        if place >= torch.cuda.device_count():
            raise TrainingError(
                f"processes: there are {here} on this machine, but it has {torch.cuda.device_count()} GPUs. "
                "Give each process one, or write device='cpu'."
            )
        torch.cuda.set_device(place)
    _together(dist.init_process_group, "cpu:gloo,cuda:nccl" if on_gpus else "gloo", timeout=TIMEOUT)
    atexit.register(_leave_group)


def _leave_group() -> None:
    # Threads of a group that is still there abort the process while it exits.
    if dist.is_initialized():
        dist.destroy_process_group()


@dataclass(frozen=True)
class Ranks:
    """A process among all of them.

    Attributes
    ----------
    rank
        Its number; 0 is the main process.
    size
        How many there are.

    Examples
    --------
    >>> [Ranks(rank, 3).share(8) for rank in range(3)]
    [slice(0, 2, None), slice(2, 5, None), slice(5, 8, None)]
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def now(cls) -> Self:
        """Those that have met."""
        if not (dist.is_available() and dist.is_initialized()):
            return cls()
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def is_main(self) -> bool:
        """Whether this process prints and writes."""
        return self.rank == 0

    def share(self, n_images: int) -> slice:
        """Places of this process in a batch: nearly equal parts in order, none of a single image.

        Batch normalization cannot learn from one value, so that the last processes get nothing of a tiny batch.
        """
        parts = max(min(self.size, n_images // 2), 1)
        return slice(*(min(place, parts) * n_images // parts for place in (self.rank, self.rank + 1)))

    def part_of(self, data: DeviceData) -> DeviceData:
        """The share of this process, where nothing is learned."""
        return data.part(data.rows[self.share(len(data))], data.weights)

    def average(self, module: nn.Module, loss: Tensor, n_images: int) -> Tensor:
        """Gradients of the own images -> gradients of the whole batch, in place; its mean loss, too.

        All travel in one buffer, each weighted by the number of own images, which may be 0.

        Parameters
        ----------
        module
            With gradients, where there are images.
        loss
            Mean over the own images.
        n_images
            Their number.
        """
        if self.size == 1:
            return loss
        parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        dtype = torch.float64 if any(each.dtype == torch.float64 for each in parameters) else torch.float32
        buffer = torch.zeros(sum(each.numel() for each in parameters) + 2, dtype=dtype, device=loss.device)
        views = _views(buffer, parameters)
        # Where images are, a parameter without a gradient is not used, and keeps none.
        pairs = [(each, view) for each, view in zip(parameters, views, strict=True) if each.grad is not None]
        if n_images:
            for parameter, view in pairs:
                view.copy_(parameter.grad)  # type: ignore[arg-type]  # it has one
            buffer[-2], buffer[-1] = loss, 1.0
            buffer *= n_images
        _together(dist.all_reduce, buffer)
        buffer /= buffer[-1].clone()
        for parameter, view in pairs if n_images else zip(parameters, views, strict=True):
            parameter.grad = view.to(parameter.dtype)
        return buffer[-2].clone()

    def add_up(self, *figures: float | Tensor) -> list[float]:
        """Each figure, summed over all processes."""
        if self.size == 1:
            return [float(figure) for figure in figures]
        sums = torch.tensor([float(figure) for figure in figures], dtype=torch.float64, device=_meeting_place())
        _together(dist.all_reduce, sums)
        return sums.tolist()

    def agree(self, value: T) -> T:
        """What the main process says."""
        if self.size == 1:
            return value
        said = [value]
        _together(dist.broadcast_object_list, said, src=0)
        return said[0]

    def gather(self, values: Sequence[T]) -> list[T]:
        """What all processes have, in their order; nothing but in the main process."""
        if self.size == 1:
            return list(values)
        found: list[Any] = [None] * self.size
        _together(dist.gather_object, list(values), found if self.is_main else None, dst=0)
        return [value for part in found if part is not None for value in part]

    def spread(self, tensors: Sequence[Tensor]) -> None:
        """Take over the values of the main process."""
        for tensor in tensors if self.size > 1 else ():
            values = tensor.detach().contiguous()
            _together(dist.broadcast, values, src=0)
            with torch.no_grad():
                tensor.copy_(values)

    def demand_equal(self, what: str, value: object) -> None:
        """Refuse processes that were given something else than the main process.

        Raises
        ------
        TrainingError
            They were.
        """
        first = self.agree(value)
        wrong = self.add_up(first != value)[0]
        if wrong:
            raise TrainingError(
                f"{what}: process {self.rank} of {self.size} has {value}, but process 0 has {first}. "
                "Give all of them the same, and set random_state where it is drawn."
            )


ALONE = Ranks()


def _views(buffer: Tensor, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """Parts of the buffer in the shapes and memory layouts of the parameters, which optimizers are fast in."""
    views, start = [], 0
    for parameter in parameters:
        strides = torch.empty_like(parameter, device="meta").stride()
        views.append(buffer.as_strided(parameter.shape, strides, start))
        start += parameter.numel()
    return views


def _meeting_place() -> torch.device:
    """Where figures are summed: a group of GPUs that the user has made may not know the processor."""
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")


def _together(collective: Callable[..., Any], *values: Any, **options: Any) -> None:
    """Call what all processes must call.

    Raises
    ------
    LostProcessError
        One of them did not.
    """
    try:
        collective(*values, **options)
    except RuntimeError as problem:
        reason = str(problem).splitlines()[0]
        raise LostProcessError(
            f"processes: another process has ended, or did not answer for {TIMEOUT.seconds // 60} minutes ({reason}). "
            "Look at what it says; with resume= the same call goes on from the last epoch."
        ) from problem
