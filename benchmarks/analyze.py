"""Time to analyze networks, beside the other tools that tell parameters and operations of a module of PyTorch.

All in one process and one thread, on networks with their true widths, at 224 px.  Tools that are not installed are left
out, and it is said.  torchinfo, torch-scan, fvcore and FlopCounterMode run the network; none of them tells fields.

    python benchmarks/analyze.py --runs 10
"""

import argparse
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from machine import describe_machine
from torch import Tensor, nn

import depthwise as dw
from depthwise.analysis import analyze_graph
from depthwise.trace import trace_module

RESULTS = Path(__file__).resolve().parent / "results"
SHAPE = (3, 224, 224)
BATCH = 2
"""Images in the comparison of saved tensors; batch norm needs two."""

FRESH = """
import time, torch
from torch import nn
from benchmarks_analyze import resnet
net = resnet(2, 2, 2, 2)
start = time.perf_counter()
import depthwise as dw
str(dw.analyze(net, (3, 224, 224)))
print(time.perf_counter() - start)
"""


class Block(nn.Module):
    """Two 3x3 convolutions, or a bottleneck, and a shortcut."""

    def __init__(self, before: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        out = 4 * width if bottleneck else width
        sizes = [(1, 1), (3, stride), (1, 1)] if bottleneck else [(3, stride), (3, 1)]
        widths = [before, *[width] * (len(sizes) - 1), out]
        steps: list[nn.Module] = []
        for (kernel, step), a, b in zip(sizes, widths, widths[1:], strict=False):
            conv = nn.Conv2d(a, b, kernel, step, kernel // 2, bias=False)
            steps += [conv, nn.BatchNorm2d(b), nn.ReLU(inplace=True)]
        self.block = nn.Sequential(*steps[:-1])
        changes = stride > 1 or before != out
        shortcut = nn.Sequential(nn.Conv2d(before, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.shortcut = shortcut if changes else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Sum of both ways."""
        return self.relu(self.block(x) + self.shortcut(x))


def resnet(*times: int, bottleneck: bool = False) -> nn.Module:
    """A ResNet as torchvision lays it out."""
    steps: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    steps.append(nn.MaxPool2d(3, 2, 1))
    before = 64
    for place, count in enumerate(times):
        width = 64 << place
        for unit in range(count):
            steps.append(Block(before, width, 2 if place and not unit else 1, bottleneck))
            before = 4 * width if bottleneck else width
    return nn.Sequential(*steps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000))


class DenseLayer(nn.Module):
    """A bottleneck whose output is joined to what went in."""

    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(before), nn.Conv2d(before, 4 * growth, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * growth), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Input and new channels."""
        y = self.conv1(torch.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(torch.relu(self.norm2(y)))], 1)


def densenet(*times: int, growth: int = 32) -> nn.Module:
    """DenseNet-201 for 6, 12, 48, 32."""
    steps: list[nn.Module] = [
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    width = 64
    for place, count in enumerate(times):
        for _ in range(count):
            steps.append(DenseLayer(width, growth))
            width += growth
        if place < len(times) - 1:
            steps += [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
            width //= 2
    return nn.Sequential(
        *steps, nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 1000)
    )


def chain(length: int) -> nn.Module:
    """Convolutions and rectifiers, one behind the other."""
    return nn.Sequential(*[part for _ in range(length // 2) for part in (nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())])


NETS: dict[str, Callable[[], nn.Module]] = {
    "ResNet-18": lambda: resnet(2, 2, 2, 2),
    "ResNet-152": lambda: resnet(3, 8, 36, 3, bottleneck=True),
    "DenseNet-201": lambda: densenet(6, 12, 48, 32),
}


def ours(net: nn.Module) -> int:
    """Trace and analyze: sizes, parameters, operations, fields, capacity and coverage of every layer."""
    return dw.analyze(net, SHAPE).macs


def by_torchinfo(net: nn.Module) -> int:
    """Runs the network once."""
    from torchinfo import summary

    return summary(net, (1, *SHAPE), verbose=0, device="cpu").total_mult_adds


def by_torchscan(net: nn.Module) -> int:
    """Runs the network once."""
    from torchscan import crawl_module

    return int(crawl_module(net, SHAPE)["totals"]["macs"]["value"])


def by_fvcore(net: nn.Module) -> int:
    """Traces the network with TorchScript."""
    from fvcore.nn import FlopCountAnalysis

    counter = FlopCountAnalysis(net.eval(), torch.rand(1, *SHAPE))
    return int(counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


def by_flop_counter(net: nn.Module) -> int:
    """Runs the network once."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.rand(1, *SHAPE))
    return counter.get_total_flops() // 2


TOOLS: dict[str, tuple[str, Callable[[nn.Module], int]]] = {
    "depthwise": ("depthwise", ours),
    "torchinfo": ("torchinfo", by_torchinfo),
    "torch-scan": ("torchscan", by_torchscan),
    "fvcore": ("fvcore", by_fvcore),
    "FlopCounterMode": ("torch", by_flop_counter),
}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds that a call takes, and what it gives."""
    start = time.perf_counter()
    result = call()
    return 1e3 * (time.perf_counter() - start), result


def compare(name: str, runs: int) -> dict[str, Any]:
    """First and best time of each tool on one network, in milliseconds, and the multiply-accumulates that it tells."""
    found: dict[str, Any] = {}
    for tool, (package, call) in TOOLS.items():
        if importlib.util.find_spec(package) is None:
            found[tool] = "not installed"
            continue
        net = NETS[name]()
        try:
            first, macs = timed(lambda net=net, call=call: call(net))
            times = [timed(lambda net=net, call=call: call(net))[0] for _ in range(runs)]
        except Exception as problem:  # another tool's failure is a result, too
            found[tool] = f"{type(problem).__name__}: {problem}"
            continue
        found[tool] = {"first_ms": first, "best_ms": min(times), "median_ms": sorted(times)[runs // 2], "macs": macs}
    return found


def parts(name: str, runs: int) -> dict[str, float]:
    """Best times of the two steps, in milliseconds."""
    net = NETS[name]()
    sized = trace_module(net, SHAPE).at()
    return {
        "trace_ms": min(timed(lambda: trace_module(net, SHAPE))[0] for _ in range(runs)),
        "analyze_ms": min(timed(lambda: analyze_graph(sized))[0] for _ in range(runs)),
    }


def chains(runs: int) -> dict[str, float]:
    """Best milliseconds for chains of so many layers."""
    return {
        str(length): min(timed(lambda net=net: dw.analyze(net, (3, 32, 32)))[0] for _ in range(runs))
        for length in (250, 500, 1000, 2000)
        for net in [chain(length)]
    }


def fresh() -> list[float]:
    """Seconds of the first call in fresh processes behind ``import torch``; the first of them may compile bytecode."""
    code = FRESH.replace("benchmarks_analyze", Path(__file__).stem)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # The import of this file itself, of which a user has none, is timed apart: it loads depthwise.
    code = code.replace(f"from {Path(__file__).stem} import resnet\n", "").replace(
        "resnet(2, 2, 2, 2)", "make(2, 2, 2, 2)"
    )
    source = Path(__file__).read_text(encoding="utf-8")
    classes = source[source.index("class Block") : source.index("class DenseLayer")]
    head = "import torch\nfrom torch import Tensor, nn\n" + classes.replace("def resnet", "def make")
    command = [sys.executable, "-c", head + code]
    return [
        float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()[-1])
        for _ in range(4)
    ]


def memory() -> dict[str, float]:
    """How much the process grows while a module of 1e9 parameters without data is analyzed."""
    with torch.device("meta"):
        net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 6700), nn.ReLU(), nn.Linear(6700, 10))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    elapsed, analysis = timed(lambda: dw.analyze(net, SHAPE))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"parameters": analysis.params, "milliseconds": elapsed, "grown_mib": (after - before) / 1024}


def saved(name: str) -> dict[str, Any]:
    """Bytes kept for the backward pass: as PyTorch keeps them, as we tell them, and by torchinfo's rule."""
    net = NETS[name]().train()
    weights = {value.untyped_storage().data_ptr() for value in (*net.parameters(), *net.buffers())}
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    shape = (3, 96, 96)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = net(torch.rand(BATCH, *shape))
    truth = sum(kept.values())
    del out
    told = dw.analyze(net, shape).memory(batch_size=BATCH).saved_bytes
    result: dict[str, Any] = {"bytes": truth, "depthwise": told, "depthwise_off": told / truth - 1}
    if importlib.util.find_spec("torchinfo") is not None:
        from torchinfo import summary

        theirs = summary(net, (BATCH, *shape), verbose=0, device="cpu").total_output_bytes
        result |= {"torchinfo": theirs, "torchinfo_off": theirs / truth - 1}
    return result


def versions() -> dict[str, str]:
    """Versions of all that took part."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for package in ("torchinfo", "torchscan", "fvcore"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def main() -> None:
    """Measure, write the record, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="steady calls of each tool on each network")
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    record: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": describe_machine(1),
        "versions": versions(),
        "runs": runs,
        "tools": {name: compare(name, runs) for name in NETS},
        "parts": {name: parts(name, runs) for name in NETS},
        "chains_ms": chains(runs),
        "fresh_process_s": fresh(),
        "memory": memory(),
        "saved_for_backward": {name: saved(name) for name in NETS},
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / "analyze.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(_table(record))
    print(f"written to {path}")


def _table(record: dict[str, Any]) -> str:
    lines = [f"{'best of ' + str(record['runs']) + ', ms':<18}" + "".join(f"{tool:>17}" for tool in TOOLS)]
    for name, found in record["tools"].items():
        cells = [found[tool] for tool in TOOLS]
        texts = [f"{cell['best_ms']:.1f}" if isinstance(cell, dict) else cell.split(":")[0] for cell in cells]
        lines.append(f"{name:<18}" + "".join(f"{text:>17}" for text in texts))
    lines.append("chains of layers, ms: " + ", ".join(f"{k}: {ms:.1f}" for k, ms in record["chains_ms"].items()))
    lines.append("first call in a fresh process, s: " + ", ".join(f"{s:.3f}" for s in record["fresh_process_s"]))
    lines.append(f"1e9 parameters on meta: {record['memory']['grown_mib']:.1f} MiB more")
    for name, entry in record["saved_for_backward"].items():
        theirs = f", torchinfo {entry['torchinfo_off']:+.1%}" if "torchinfo" in entry else ""
        lines.append(f"bytes saved for backward, {name}: depthwise {entry['depthwise_off']:+.1%}{theirs}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
