"""Random modules of PyTorch with branches, for the property tests of tracing."""

from collections import Counter
from random import Random

import torch
from torch import nn
from torch.nn import functional as F

CHANNELS = 2  # where a unit looks does not depend on how many there are
LEAST_SIDE, LARGEST_SIDE = 7, 20
KINDS = (
    "conv", "conv", "conv", "transposed", "max", "avg", "ceil", "adaptive", "nearest", "bilinear", "resize", "pad",
    "slice", "pointwise", "add", "cat",
)  # fmt: skip


class RandomModule(nn.Module):
    """A network of ``depth`` random steps, each of which reads one or two of the results before it.

    Each unit reads at least one pixel: where rows of one branch read nothing but padding, and a crop leaves only these,
    what the columns read cannot be told from the columns alone.

    Attributes
    ----------
    kinds
        How often each kind of step is in it.
    plan
        The steps in words, to print where a test fails.
    """

    def __init__(self, seed: int, depth: int) -> None:
        super().__init__()
        self.rng = rng = Random(seed)
        torch.manual_seed(seed)
        self.shape = (1, rng.randint(LEAST_SIDE, LARGEST_SIDE), rng.randint(LEAST_SIDE, LARGEST_SIDE))
        self.steps: list[tuple[str, object, tuple[int, ...]]] = []
        self.parts = nn.ModuleList()
        self.kinds: Counter[str] = Counter()
        # All NaN: a unit that is not NaN reads nothing but padding.
        values = [nn.Conv2d(1, CHANNELS, 1)(torch.full((1, *self.shape), torch.nan))]
        self.stem = nn.Conv2d(1, CHANNELS, 1)
        for _ in range(40 * depth):
            if len(self.steps) == depth:
                break
            kind = rng.choice(KINDS)
            sources = (len(values) - 1,) if rng.random() < 0.8 else (rng.randrange(len(values)),)
            if kind in ("add", "cat"):
                sources = (len(values) - 1, rng.randrange(len(values)))
            step = getattr(self, f"_{kind}")([values[source] for source in sources])
            try:
                with torch.no_grad():
                    value = step(*(values[source] for source in sources))
            except RuntimeError:  # it does not fit
                continue
            if min(value.shape[2:]) < 1 or max(value.shape[2:]) > 2 * LARGEST_SIDE or not value.isnan().all():
                continue
            if isinstance(step, nn.Module):
                self.parts.append(step)
            self.steps.append((kind, step, sources))
            self.kinds[kind] += 1
            values.append(value)
        self.plan = "\n".join(f"{kind} {step} of {sources}" for kind, step, sources in self.steps)

    def forward(self, x):
        values = [self.stem(x)]
        for _, step, sources in self.steps:
            values.append(step(*(values[source] for source in sources)))
        return values[-1]

    def _pair(self, least, most):
        return (self.rng.randint(least, most), self.rng.randint(least, most))

    def _window(self):
        kernel = self._pair(1, 7)
        return kernel, {"stride": self._pair(1, 3), "padding": self._pair(0, 3), "dilation": self._pair(1, 3)}

    def _conv(self, _):
        kernel, options = self._window()
        return nn.Conv2d(CHANNELS, CHANNELS, kernel, **options, groups=self.rng.choice((1, CHANNELS)))

    def _transposed(self, _):
        kernel, options = self._window()
        extra = tuple(
            self.rng.randrange(max(s, d)) for s, d in zip(options["stride"], options["dilation"], strict=True)
        )
        return nn.ConvTranspose2d(CHANNELS, CHANNELS, kernel, **options, output_padding=extra)

    def _max(self, _, ceil_mode=False):
        kernel = self._pair(1, 4)
        padding = tuple(self.rng.randint(0, k // 2) for k in kernel)
        return nn.MaxPool2d(kernel, self._pair(1, 3), padding, self._pair(1, 2), ceil_mode=ceil_mode)

    def _avg(self, _, ceil_mode=False):
        kernel = self._pair(1, 4)
        padding = tuple(self.rng.randint(0, k // 2) for k in kernel)
        return nn.AvgPool2d(kernel, self._pair(1, 3), padding, ceil_mode=ceil_mode)

    def _ceil(self, values):
        return self.rng.choice((self._max, self._avg))(values, ceil_mode=True)

    def _adaptive(self, _):
        kind = self.rng.choice((nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d))
        return kind(self._pair(2, 9))

    def _nearest(self, _):
        return nn.Upsample(scale_factor=self._pair(1, 3), mode="nearest")

    def _bilinear(self, _):
        return nn.Upsample(scale_factor=self._pair(2, 3), mode="bilinear")

    def _resize(self, _):
        mode = self.rng.choice(("nearest", "nearest-exact", "bilinear", "bicubic"))
        corners = {"align_corners": True} if mode.startswith("bi") and self.rng.random() < 0.5 else {}
        return nn.Upsample(size=self._pair(3, LARGEST_SIDE), mode=mode, **corners)

    def _pad(self, _):
        mode = self.rng.choice(("constant", "reflect", "replicate", "circular"))
        sides = [self.rng.randint(-1, 0) if mode == "constant" else self.rng.randint(0, 3) for _ in range(4)]
        return lambda x: F.pad(x, sides, mode)

    def _slice(self, _):
        (top, left), (down, right) = self._pair(0, 2), self._pair(1, 3)
        return lambda x: x[:, :, top::down, left::right]

    def _pointwise(self, _):
        return self.rng.choice(
            (nn.ReLU(), nn.BatchNorm2d(CHANNELS).eval(), nn.Dropout(), nn.Conv2d(CHANNELS, CHANNELS, 1))
        )

    def _add(self, _):
        return lambda a, b: sum(_cropped(a, b))

    def _cat(self, _):
        narrow = nn.Conv2d(2 * CHANNELS, CHANNELS, 1)
        self.parts.append(narrow)
        return lambda a, b: narrow(torch.cat(_cropped(a, b), 1))


def _cropped(a, b):
    height, width = min(a.shape[2], b.shape[2]), min(a.shape[3], b.shape[3])
    return [a[:, :, :height, :width], b[:, :, :height, :width]]
