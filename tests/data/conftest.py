"""Small sets on disk, written by means that the house does not use itself."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(array: np.ndarray) -> bytes:
    kind = array.dtype.str[1:]
    return (
        struct.pack(f">HBB{array.ndim}I", 0, CODES[kind], array.ndim, *array.shape) + array.astype(f">{kind}").tobytes()
    )


@pytest.fixture
def write_idx(tmp_path: Path) -> Callable[..., Path]:
    """``write_idx(name, array)``: an IDX file in tmp_path, gzipped if its name says so."""

    def write(name: str, array: np.ndarray) -> Path:
        content = idx_bytes(array)
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return tmp_path / name

    return write


@pytest.fixture
def write_picture(tmp_path: Path) -> Callable[..., Path]:
    """``write_picture(name, color, size=(height, width), mode)``: a picture of one color, with its folders."""

    def write(name: str, color=128, size=(6, 8), mode="L", **options) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size[::-1], color).save(path, **options)
        return path

    return write
