"""Anything that a user hands over as a network -> Graph, or module.

The rooms that know torch are imported only when the target needs them.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from depthwise.errors import TargetError
from depthwise.graph import Graph, SizedGraph

if TYPE_CHECKING:
    from torch import nn

SAVED_SUFFIX = ".safetensors"
IMPORTABLE = re.compile(r"(?P<file>.+\.py)(:(?P<name>\w*))?|(?P<module>[A-Za-z_][\w.]*):(?P<attribute>\w+)")
"""``mynet.py:Net``, or ``package.module:name``."""


def size_graph(
    target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None, inputs: Any = None
) -> SizedGraph:
    """Graph of a target, with every size; arguments as for :func:`~depthwise.network.analyze`."""
    target = open_target(target)
    if is_estimator(target):
        return _estimator_graph(target, input_shape, n_outputs)
    if is_module(target):
        from depthwise.trace import trace_module

        return trace_module(target, input_shape, inputs).at()  # type: ignore[arg-type]
    return Graph.from_layers(read_target(target), n_outputs).at(input_shape)


def read_graph(
    target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None, inputs: Any = None
) -> Graph:
    """Graph of a target as declared, sizes still open; arguments as for :func:`~depthwise.network.analyze`.

    An estimator is read from its layers, also where it is fitted: what is changed there can be trained anew.
    """
    target = open_target(target)
    if is_estimator(target):
        fitted = getattr(target, "graph_", None)
        width = n_outputs if n_outputs is not None or fitted is None else fitted.output_shape[0]
        return read_graph(target.layers, fitted_shape(target, input_shape), width, inputs)  # type: ignore[attr-defined]
    if is_module(target):
        from depthwise.trace import trace_module

        return trace_module(target, input_shape, inputs)  # type: ignore[arg-type]
    return Graph.from_layers(read_target(target), n_outputs)


def open_module(
    target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None
) -> tuple[nn.Module, tuple[int, ...]]:
    """Module of a target, and the shape of its images; a layer list is built with new weights.

    An ``Output()`` of unknown width gets one unit.
    """
    target = open_target(target)
    if is_estimator(target):
        fitted = getattr(target, "module_", None)
        if fitted is None:
            return open_module(target.layers, input_shape, n_outputs)  # type: ignore[attr-defined]
        input_shape, target = fitted_shape(target, input_shape), fitted
    if not is_module(target):
        from depthwise.modules import build

        graph = read_graph(target, input_shape, n_outputs).at(input_shape)
        if None in graph.output_shape:
            graph = read_graph(target, input_shape, 1).at(input_shape)
        return build(graph), tuple(side or 0 for side in graph.input_shape)
    if input_shape is None:
        raise TargetError(
            "the shape of the images is not known. Give input_shape=(channels, height, width), or --input CxHxW."
        )
    return target, tuple(input_shape)  # type: ignore[return-value]


def fitted_shape(estimator: object, input_shape: Iterable[int] | None) -> Iterable[int] | None:
    """The shape that is given, else the one that an estimator was fitted with."""
    return getattr(estimator, "input_shape_", None) if input_shape is None else input_shape


def open_target(target: object) -> object:
    """What a target stands for: names are imported, classes and factories called, saved networks loaded."""
    if isinstance(target, str) and IMPORTABLE.fullmatch(target):
        target = load_target(target)
    if inspect.isclass(target) or inspect.isroutine(target):
        target = _called(target, target.__name__)
    if isinstance(target, (str, Path)) and str(target).endswith(SAVED_SUFFIX):
        from depthwise.training import load

        return load(target)
    return target


def is_estimator(target: object) -> bool:
    """Whether it is one of our estimators."""
    return hasattr(target, "get_params") and hasattr(target, "layers")


def read_target(target: object) -> Iterable[object]:
    """Layer list that a target stands for."""
    if isinstance(target, (str, Path)):
        from depthwise.notation import read_layers

        return read_layers(target)
    if isinstance(target, Iterable):
        return target
    raise TargetError(
        f"{target!r} is not a network. Give a layer list, a notation such as '32C3-MP2-10N', a TOML or saved file, "
        "a torch module, 'mynet.py:Net', or an estimator."
    )


def _estimator_graph(estimator: object, input_shape: Iterable[int] | None, n_outputs: int | None) -> SizedGraph:
    fitted = getattr(estimator, "graph_", None)
    if fitted is None:
        return size_graph(estimator.layers, fitted_shape(estimator, input_shape), n_outputs)  # type: ignore[attr-defined]
    if input_shape is None or tuple(input_shape) == fitted.input_shape:
        return fitted
    return Graph(tuple(sized.node for sized in fitted.nodes)).at(input_shape)


def is_module(target: object) -> bool:
    """Whether it is a torch module; asking does not import torch."""
    torch = sys.modules.get("torch")  # whoever holds a module has imported torch already
    return torch is not None and isinstance(target, torch.nn.Module)


def load_target(text: str) -> object:
    """What ``"mynet.py:Net"`` or ``"package.module:name"`` names; a class or function is called without arguments.

    Raises
    ------
    TargetError
        There is no such file, module or name, it cannot be imported, or it needs arguments.
    """
    match = IMPORTABLE.fullmatch(text)
    if match is None:
        raise TargetError(f"{text!r} names no network. Write 'mynet.py:Net' or 'package.module:name'.")
    place = match["file"] or match["module"]
    module, name = _import(place, is_file=bool(match["file"])), match["name"] or match["attribute"] or ""
    target = getattr(module, name, None) if name else None
    if target is None:
        names = _networks(module)
        asked = f"has no {name!r}" if name else "is a file, and no name was given"
        meant = "".join(f" Did you mean {place}:{guess}?" for guess in get_close_matches(name, names, 1))
        raise TargetError(f"{place} {asked}.{meant} There are: {', '.join(names) or 'no networks'}.")
    return _called(target, text)


def _import(place: str, is_file: bool) -> ModuleType:
    path = Path(place)
    if is_file and not path.is_file():
        raise TargetError(f"there is no file {place}. Give the path of a Python file, such as mynet.py:Net.")
    folder = str(path.resolve().parent) if is_file else str(Path.cwd())
    sys.path.insert(0, folder)  # as for a script: a network may import its neighbors
    try:
        if not is_file:
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as problem:  # a script may end itself
        raise TargetError(
            f"{place} cannot be imported: {type(problem).__name__}: {problem}. Run it with python to see where."
        ) from problem
    finally:
        sys.path.remove(folder)
    return module


def _networks(module: ModuleType) -> list[str]:
    """Names of a module that may stand for networks: what it defines or makes itself."""
    names = []
    for name, value in vars(module).items():
        own = getattr(value, "__module__", None) == module.__name__
        if not name.startswith("_") and ((own and callable(value)) or is_module(value) or isinstance(value, list)):
            names.append(name)
    return names


def _called(target: object, text: str) -> object:
    if not inspect.isclass(target) and not inspect.isroutine(target):
        return target
    try:
        parameters = inspect.signature(target).parameters.values()
    except ValueError:
        parameters = {}.values()
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [entry.name for entry in parameters if entry.default is entry.empty and entry.kind not in kinds]
    if needed:
        raise TargetError(
            f"{text} needs arguments: {', '.join(needed)}. Name a function or an object that needs none, "
            f"such as: net = {text.rpartition(':')[2]}(...)."
        )
    try:
        return target()
    except Exception as problem:
        raise TargetError(
            f"{text} cannot be made: {type(problem).__name__}: {problem}. Run it with python to see where."
        ) from problem
