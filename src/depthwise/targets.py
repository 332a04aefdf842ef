"""Anything that a user hands over as a network -> Target, and of it its graph or module.

The rooms that know torch are imported only when the target needs them.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from depthwise.errors import NotationError, TargetError
from depthwise.files import SAVED_SUFFIX, check_readable
from depthwise.graph import Graph, SizedGraph
from depthwise.layers import Layer, as_layers
from depthwise.layers.layer import whole
from depthwise.layers.shapes import checked_shape

if TYPE_CHECKING:
    from torch import nn

IMPORTABLE = re.compile(r"(?P<file>.+\.py)(:(?P<name>\w*))?|(?P<module>[A-Za-z_][\w.]*):(?P<attribute>\w+)")
"""``mynet.py:Net``, or ``package.module:name``."""


@dataclass(frozen=True, eq=False)
class Target:
    """A network that was handed over, opened: names imported, classes called, files read, saved networks loaded.

    Attributes
    ----------
    layers, module
        What declares it: one of them, the other is ``None``.
    estimator
        What trains it, fitted or not, or ``None``.
    input_shape, n_outputs
        As given, else as the estimator was fitted with; ``None`` where nothing tells them.
    """

    layers: tuple[Layer, ...] | None = None
    module: nn.Module | None = None
    estimator: Any = None
    input_shape: tuple[int, ...] | None = None
    n_outputs: int | None = None

    @property
    def network(self) -> Any:
        """What the target stands for: the estimator, else the module, else the layers."""
        return next(one for one in (self.estimator, self.module, self.layers) if one is not None)

    @property
    def fitted(self) -> Any:
        """The estimator, if it is fitted; else ``None``."""
        return self.estimator if hasattr(self.estimator, "history_") else None


def open_target(target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None) -> Target:
    """Open whatever was handed over as a network; what is open already stays, with what else is told of it.

    Raises
    ------
    TargetError
        It is no network, or cannot have so many outputs.

    Examples
    --------
    >>> open_target("8C3-10N", (1, 28, 28))
    Target(layers=(Conv2D(8), Output(units=10)), module=None, estimator=None, input_shape=(1, 28, 28), n_outputs=None)
    """
    if n_outputs is not None and (whole(n_outputs) or 0) < 1:
        raise TargetError(f"n_outputs is {n_outputs!r} but must be a whole number of 1 or more, or None.")
    opened = target if isinstance(target, Target) else _opened(target)
    return replace(
        opened,
        input_shape=opened.input_shape if input_shape is None else checked_shape(input_shape),
        n_outputs=opened.n_outputs if n_outputs is None else n_outputs,
    )


def _opened(target: Any) -> Target:
    if isinstance(target, str) and IMPORTABLE.fullmatch(target) and not _is_notation(target):
        target = load_target(target)
    if inspect.isclass(target) or inspect.isroutine(target):
        target = _called(target, target.__name__)
    if isinstance(target, (str, Path)) and str(target).endswith(SAVED_SUFFIX):
        check_readable(target)  # before PyTorch is imported, which takes seconds
        from depthwise.training import load

        target = load(target)
    if hasattr(target, "get_params") and hasattr(target, "layers"):
        graph = getattr(target, "graph_", None)
        width = None if graph is None else graph.output_shape[0]
        return replace(open_target(target.layers, getattr(target, "input_shape_", None), width), estimator=target)
    if _is_module(target):
        return Target(module=target)
    if isinstance(target, (str, Path)):
        from depthwise.notation import read_layers

        return Target(read_layers(target))
    if isinstance(target, Iterable):
        return Target(as_layers(target))
    raise TargetError(
        f"{target!r} is not a network. Give a layer list, a notation such as '32C3-MP2-10N', a TOML or saved file, "
        "a torch module, 'mynet.py:Net', or an estimator."
    )


def read_graph(
    target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None, inputs: Any = None
) -> Graph:
    """Graph of a target as declared, sizes still open; arguments as for :func:`~depthwise.network.analyze`.

    An estimator is read from its layers, also where it is fitted: what is changed there can be trained anew.
    """
    opened = open_target(target, input_shape, n_outputs)
    if opened.layers is not None:
        return Graph.from_layers(opened.layers, opened.n_outputs)
    from depthwise.trace import trace_module

    return trace_module(opened.module, opened.input_shape, inputs)  # type: ignore[arg-type]


def size_graph(
    target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None, inputs: Any = None
) -> SizedGraph:
    """Graph of a target, with every size; a fitted estimator's as it was trained.  Arguments as for `read_graph`."""
    opened = open_target(target, input_shape, n_outputs)
    fitted = getattr(opened.estimator, "graph_", None)
    if fitted is None:
        graph = read_graph(opened, inputs=inputs)
        return graph.at() if opened.layers is None else graph.at(opened.input_shape)
    if opened.input_shape == fitted.input_shape:
        return fitted
    return Graph(tuple(sized.node for sized in fitted.nodes)).at(opened.input_shape)


def open_module(
    target: object, input_shape: Iterable[int] | None = None, n_outputs: int | None = None
) -> tuple[nn.Module, tuple[int, ...]]:
    """Module of a target, and the shape of its images; a layer list is built with new weights.

    An ``Output()`` of unknown width gets one unit.
    """
    opened = open_target(target, input_shape, n_outputs)
    module = getattr(opened.estimator, "module_", opened.module)
    if module is None:
        from depthwise.modules import build

        graph = read_graph(opened).at(opened.input_shape)
        if None in graph.output_shape:
            graph = read_graph(opened, n_outputs=1).at(opened.input_shape)
        return build(graph), tuple(side or 0 for side in graph.input_shape)
    if opened.input_shape is None:
        raise TargetError(
            "the shape of the images is not known. Give input_shape=(channels, height, width), or --input CxHxW."
        )
    return module, opened.input_shape


def _is_module(target: object) -> bool:
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
    with _as_script(place, is_file=bool(match["file"])):
        module, name = _import(place, is_file=bool(match["file"])), match["name"] or match["attribute"] or ""
        target = getattr(module, name, None) if name else None
        if target is None:
            names = _networks(module)
            asked = f"has no {name!r}" if name else "is a file, and no name was given"
            meant = "".join(f" Did you mean {place}:{guess}?" for guess in get_close_matches(name, names, 1))
            raise TargetError(f"{place} {asked}.{meant} There are: {', '.join(names) or 'no networks'}.")
        return _called(target, text)


def _is_notation(text: str) -> bool:
    """Whether what could name a module is a layer in short, such as ``A:relu``."""
    from depthwise.notation.compact import read_compact

    try:
        read_compact(text)
    except NotationError:
        return False
    return True


@contextmanager
def _as_script(place: str, is_file: bool) -> Iterator[None]:
    """What is imported is looked for beside a file first, as for a script, and forgotten afterwards.

    Another file may have other neighbors of the same names: two versions of a project are compared so.
    """
    folder = Path(place).resolve().parent if is_file else Path.cwd()
    private = is_file and folder not in (Path(entry).resolve() for entry in sys.path)
    own = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    own -= sys.stdlib_module_names
    hidden = {name: sys.modules.pop(name) for name in [*sys.modules] if private and name.partition(".")[0] in own}
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()  # a file may be younger than what is known of its folder
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if private and name not in before and _is_beside(folder, name)]:
            del sys.modules[name]
        sys.modules.update(hidden)


def _is_beside(folder: Path, name: str) -> bool:
    """Whether a module was found in a folder itself, not in an environment below it."""
    module, top = sys.modules[name], folder / name.partition(".")[0]
    file = getattr(module, "__file__", None)
    places = [Path(place) for place in ([file] if file else getattr(module, "__path__", ()))]
    return any(place == top.with_suffix(".py") or place == top or top in place.parents for place in places)


def _import(place: str, is_file: bool) -> ModuleType:
    path = Path(place)
    if is_file and not path.is_file():
        raise TargetError(f"there is no file {place}. Give the path of a Python file, such as mynet.py:Net.")
    try:
        if not is_file:
            return importlib.import_module(place)
        spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module  # where its dataclasses look for it
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as problem:  # a script may end itself
        raise TargetError(
            f"{place} cannot be imported: {type(problem).__name__}: {problem}. Run it with python to see where."
        ) from problem
    return module


def _networks(module: ModuleType) -> list[str]:
    """Names of a module that may stand for networks: what it defines or makes itself."""
    names = []
    for name, value in vars(module).items():
        own = getattr(value, "__module__", None) == module.__name__
        if not name.startswith("_") and ((own and callable(value)) or _is_module(value) or isinstance(value, list)):
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
