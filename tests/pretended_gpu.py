"""A GPU without one: tensors lie on the processor, but are told apart, and to mix them is an error as in PyTorch."""

from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_leaves

from depthwise.training import randomness

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")
FREE = ("torch.Tensor.copy_", "_has_compatible_shallow_copy_type")
"""Functions whose arguments may lie on two devices; besides them, those that read or set an attribute."""


@contextmanager
def pretended_gpu():
    """Inside ``device="cuda"`` can be used; its generator is that of the processor."""
    with (
        mock.patch.object(torch.cuda, "is_available", lambda: True),
        mock.patch.object(randomness, "_cuda", lambda device: []),
        PretendedGpu(),
    ):
        yield


class PretendedGpu(TorchFunctionMode):
    """Remembers which memory is the GPU's, and looks at the arguments of every function that is called from Python.

    What a function calls itself is not looked at.  All values are computed by the processor.
    """

    def __init__(self):
        super().__init__()
        self._memory = {}  # kept, so that no address is given twice

    def has(self, tensor):
        return tensor.untyped_storage()._cdata in self._memory

    def put(self, values):
        for tensor in _tensors(values):
            storage = tensor.untyped_storage()
            self._memory[storage._cdata] = storage
        return values

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = resolve_name(func) or func.__name__
        match name:
            case "torch.Tensor.device.__get__":
                return GPU if self.has(args[0]) else CPU
            case "torch.Tensor.is_cuda.__get__":
                return self.has(args[0])
            case "torch.Tensor.grad.__get__":  # autograd made it, unseen
                gradient = func(*args)
                return self.put(gradient) if self.has(args[0]) else gradient
            case "torch.Tensor.numpy" | "torch.Tensor.__array__" if self.has(args[0]):
                raise TypeError(f"{name}: can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
            case "torch.Tensor.to" | "torch.Tensor.cpu":
                return self._move(*args, **({"device": CPU} if name.endswith("cpu") else kwargs))
        asked = kwargs.pop("device", None)
        self._demand_one_device(name, args, kwargs)
        values = func(*args, **kwargs)
        if asked is not None:
            return self.put(values) if torch.device(asked).type == "cuda" else values
        deciding = args[0] if name == "torch.Tensor.__getitem__" else (args, kwargs)
        return self.put(values) if any(map(self.has, _tensors(deciding))) else values

    def _move(self, tensor, *args, device=None, dtype=None, memory_format=None, **_):
        """``Tensor.to`` with all its ways to say where to."""
        for value in args:
            if isinstance(value, Tensor):
                dtype = value.dtype
                device = GPU if self.has(value) else CPU
            elif isinstance(value, (str, torch.device)):
                device = torch.device(value)
            elif isinstance(value, torch.dtype):
                dtype = value
        to_gpu = self.has(tensor) if device is None else torch.device(device).type == "cuda"
        layout = {} if memory_format is None else {"memory_format": memory_format}
        moved = tensor.to(dtype or tensor.dtype, copy=to_gpu != self.has(tensor), **layout)
        return self.put(moved) if to_gpu else moved

    def _demand_one_device(self, name, args, kwargs):
        if name in FREE or name.endswith(("__get__", "__set__")):
            return
        if name == "torch.Tensor.__getitem__":
            if not self.has(args[0]) and any(map(self.has, _tensors(args[1]))):
                raise RuntimeError("indices should be on the device of the tensor, cpu, but are on cuda:0")
            return
        lists = [values for values in args if isinstance(values, (list, tuple)) and _tensors(values)]
        for group in zip(*lists, strict=True) if name.startswith("torch._foreach") else [(args, kwargs)]:
            tensors = _tensors(group)
            # A number of the processor's may stand beside tensors of any device.
            if any(map(self.has, tensors)) and any(not self.has(each) and each.ndim for each in tensors):
                places = ", ".join(f"{tuple(each.shape)} {GPU if self.has(each) else CPU}" for each in tensors)
                raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found {places}")


def _tensors(values):
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]
