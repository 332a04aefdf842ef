"""What training runs on."""

from __future__ import annotations

import os
import platform

import numpy as np
import sklearn
import torch

from depthwise import __version__
from depthwise.training.device import choose_device, choose_precision, measured_timing


def describe_system() -> dict[str, str | int]:
    """Versions, processor and accelerators, and the device and precision that ``"auto"`` takes here.

    Examples
    --------
    >>> list(describe_system())
    ['depthwise', 'python', 'torch', 'scikit-learn', 'numpy', 'system', 'processor', 'instructions', 'cores', \
'threads', 'accelerators', 'device', 'precision', 'convolution']
    """
    device = choose_device("auto")
    accelerators = [torch.cuda.get_device_name(place) for place in range(torch.cuda.device_count())]
    return {
        "depthwise": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "accelerators": ", ".join(accelerators) or "none",
        "device": str(device),
        "precision": choose_precision("auto", device),
        "convolution": f"{measured_timing()}, on the processor",
    }
