"""A fitted network for programs without depthwise: as ONNX, or as the source of a plain PyTorch module."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from depthwise import __version__
from depthwise.designer.source import write_source
from depthwise.errors import FileError, GraphError
from depthwise.files import check_writable, write_whole
from depthwise.layers.ops import format_shape
from depthwise.modules import build

if TYPE_CHECKING:
    from depthwise.training.neural_net import NeuralNet

NEEDED = ("onnx", "onnxscript")
"""Packages with which PyTorch writes ONNX: the extra ``onnx``."""
LARGEST = 2**31 - 1
"""Bytes of one file of ONNX: the limit of a protocol buffer, https://onnx.ai/onnx/repo-docs/ExternalData.html."""

USAGE = """
Its weights are those of net.save, or of net.module_.state_dict():

    network = Network()
    network.load_state_dict(safetensors.torch.load_file("net.safetensors"))
    network.eval()
"""


def export(net: NeuralNet, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator for others; see :meth:`NeuralNetClassifier.export`."""
    check_is_fitted(net)
    writers = {".onnx": _write_onnx, ".py": _write_source}
    ending = Path(path).suffix.lower()
    if ending not in writers:
        raise FileError(
            f"{path}: export writes .onnx (for ONNX runtimes) and .py (source of a plain PyTorch module), not "
            f"{ending or 'a file without ending'}. End the path in one of them; net.save writes .safetensors."
        )
    check_writable(path)
    write_whole(path, writers[ending](net, path))


def _write_source(net: Any, path: str | os.PathLike[str]) -> bytes:
    if net.graph_ is None:
        raise FileError(
            f"{path}: the network was given as a module, whose source you have already. "
            "Save net.module_.state_dict() for it, or export to .onnx."
        )
    if net.outputs_are == "classes":
        named: dict[str, Any] = {"outputs": "Logits", "classes": net.classes_.tolist()}
    else:
        named = {"outputs": "Targets"}
    title = f"A trained network of {net.analysis_.params:,} parameters"
    try:
        text = write_source(net.graph_, title, more=USAGE, standardizes=True, **named)
    except GraphError as problem:
        raise FileError(f"{path}: {problem}") from None
    return text.encode()


def _write_onnx(net: Any, path: str | os.PathLike[str]) -> bytes:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise FileError(
            f"{path}: to write ONNX, PyTorch needs {' and '.join(missing)}. Install with: pip install 'depthwise[onnx]'"
        )
    module = _Answering(net)
    size = sum(value.nbytes for value in module.state_dict().values())
    if size > LARGEST:
        raise FileError(
            f"{path}: the weights take {size:,} bytes, but one ONNX file holds {LARGEST:,}. "
            "Export to .py and load net.module_.state_dict() there."
        )
    classifies = net.outputs_are == "classes"
    images = torch.zeros(2, *net.input_shape_)  # one would be taken for the only number there is
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                module,
                (images,),
                input_names=["images"],
                output_names=["probabilities" if classifies else "targets"],
                dynamic_shapes=({0: torch.export.Dim("n_images")},),
                dynamo=True,
                verbose=False,
            )
    except Exception as problem:
        reason = str(problem.__cause__ or problem).strip().partition("\n")[0]
        raise FileError(
            f"{path}: PyTorch cannot write this network as ONNX ({type(problem).__name__}: {reason}). "
            "Take what it names out of the module, or export to .py."
        ) from problem
    assert program is not None
    for node in program.model.graph:
        node.metadata_props.clear()  # lines of source and paths of this machine
    about = {"depthwise": __version__, "input_shape": format_shape(net.input_shape_)}
    if classifies:
        about["classes"] = json.dumps(net.classes_.tolist(), ensure_ascii=False)
    program.model.metadata_props.update(about)
    content: bytes = program.model_proto.SerializeToString()
    return content


class _Answering(nn.Module):
    """A copy of the network on the processor, with what its outputs say behind it."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        if net.graph_ is None:
            network = copy.deepcopy(net.module_).cpu()
        else:
            # Convolutions as products of matrices are for training; a runtime has ways of its own.
            network = build(net.graph_, gemm=False)
            network.load_state_dict(net.module_.state_dict())
        self.network = network
        self.answers = net._answers
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        answers: Tensor = self.answers(self.network(images))
        return answers


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notes on its own parts from the user."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        # Of a network that it cannot write, it prints the whole program.
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
