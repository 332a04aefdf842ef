"""Operations as a user of PyTorch writes them."""

from __future__ import annotations

from collections.abc import Sequence

from depthwise.layers.ops import Conv, ConvTranspose, Dense, Op, Pool, Window

POOLS = {"max": "MaxPool", "avg": "AvgPool"}
ACTIVATIONS = {
    "relu": "ReLU", "leaky_relu": "LeakyReLU", "elu": "ELU", "gelu": "GELU", "silu": "SiLU", "tanh": "Tanh",
    "sigmoid": "Sigmoid", "softplus": "Softplus", "selu": "SELU", "celu": "CELU", "prelu": "PReLU", "mish": "Mish",
    "relu6": "ReLU6", "hardswish": "Hardswish", "hardsigmoid": "Hardsigmoid",
}  # fmt: skip


def square(value: Sequence[int]) -> str:
    """Write a setting of all axes as a layer takes it.

    >>> square((2, 2)), square((2, 3))
    ('2', '(2, 3)')
    """
    return str(value[0]) if len(set(value)) == 1 else str(tuple(value))


def write_module(op: Op) -> str | None:
    """Write the module that does a bound operation; ``None`` where no single one does.

    >>> write_module(Dense(out_features=10, in_features=128))
    'nn.Linear(128, 10)'
    """
    match op:
        case Dense(groups=1):
            return f"nn.Linear({op.in_features}, {op.out_features}{'' if op.bias else ', bias=False'})"
        case Conv():
            return _write_conv(op)
        case Pool() if op.function in POOLS and op.padding != "same":
            return _write_pool(op)
    return None


def write_activation(function: str) -> str:
    """Write the module of an activation.

    >>> write_activation("leaky_relu")
    'nn.LeakyReLU()'
    """
    return f"nn.{ACTIVATIONS[function]}()" if function in ACTIVATIONS else function


def _write_conv(op: Conv) -> str | None:
    padding = _write_padding(op)
    if padding is None:
        return None
    kind = "ConvTranspose" if isinstance(op, ConvTranspose) else "Conv"
    given = [str(op.in_channels), str(op.out_channels), square(op.kernel_size), square(op.stride), padding]
    while len(given) > 3 and given[-1] == ("1" if len(given) == 4 else "0"):
        given.pop()
    extra = op.output_padding if isinstance(op, ConvTranspose) else ()
    given += [f"output_padding={square(extra)}"] if any(extra) else []
    given += [f"dilation={square(op.dilation)}"] if max(op.dilation) > 1 else []
    given += [f"groups={op.groups}"] if op.groups != 1 else []
    given += [] if op.bias else ["bias=False"]
    return f"nn.{kind}{len(op.kernel_size)}d({', '.join(given)})"


def _write_pool(op: Pool) -> str | None:
    padding = _write_padding(op)
    if padding is None:
        return None
    given = [square(op.kernel_size), square(op.stride), padding]
    while len(given) > 1 and given[-1] == (given[0] if len(given) == 2 else "0"):
        given.pop()
    given += [f"dilation={square(op.dilation)}"] if max(op.dilation) > 1 else []
    given += ["ceil_mode=True"] if op.ceil_mode else []
    given += ["count_include_pad=False"] if op.function == "avg" and padding != "0" and not op.count_include_pad else []
    return f"nn.{POOLS[op.function]}{len(op.kernel_size)}d({', '.join(given)})"


def _write_padding(op: Window) -> str | None:
    """Pixels on both sides of each axis; ``None`` where the sides differ and PyTorch cannot pad so."""
    if all(before == after for before, after in op.sides):
        return square([before for before, _ in op.sides])
    plain = isinstance(op, Conv) and not isinstance(op, ConvTranspose) and set(op.stride) == {1}
    return '"same"' if plain and all(after - before == 1 or after == before for before, after in op.sides) else None
