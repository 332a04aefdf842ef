import os
from itertools import count

import pytest
import torch

import depthwise as dw
from depthwise.analysis.layer_table import write_bytes
from depthwise.errors import DesignError
from depthwise.search import measuring, screening
from depthwise.search.screening import Screened, Screening, screen

SMALL = dw.design((1, 28, 28), 10, budget=dw.Budget(params=50_000, macs=6e6))


def ticking():
    """A clock on which every step takes a second."""
    ticks = count()
    return lambda: next(ticks)


def screened(designs, *shape, **options):
    return screen(designs, *shape, **{"batch_size": 4, "steps": 1, "device": "cpu", "clock": ticking(), **options})


def test_times_are_medians_for_one_image():
    laps = iter([1, 9, 2, 3, 3, 3])  # seconds of three answers, then of three steps
    now = [0.0]
    calls = count()

    def clock():
        if next(calls) % 2:
            now[0] += next(laps)
        return now[0]

    (row,) = screened(["4C3-GAP-10N"], (1, 8, 8), steps=3, clock=clock)
    assert (row.forward_seconds, row.step_seconds) == (2 / 4, 3 / 4)
    assert row.images_per_second == 4 / 3


def test_warm_up_is_not_timed(monkeypatch):
    done = []
    monkeypatch.setattr(measuring.Trial, "learn", lambda trial: done.append("learn"))
    monkeypatch.setattr(measuring.Trial, "answer", lambda trial: done.append("answer"))
    graph = dw.analyze("4C3-GAP-10N", (1, 8, 8)).graph
    clock = ticking()
    bench = measuring.Bench(torch.device("cpu"), "float32", 2, 5, clock)
    assert measuring.measure_seconds(graph, bench) == (1, 1)
    assert done == ["answer"] * 7 + ["learn"] * 7
    assert clock() == 2 * 2 * 5


def test_a_step_learns(monkeypatch):
    """What is timed changes the weights; what is asked for answers does not."""
    graph = dw.analyze("4C3-GAP-10N", (1, 8, 8)).graph
    trial = measuring.Trial(graph, measuring.Bench(torch.device("cpu"), "float32", 8, 1, ticking()))
    before = [each.clone() for each in trial.module.parameters()]
    trial.answer()
    assert all(map(torch.equal, before, trial.module.parameters()))
    trial.learn()
    assert not any(map(torch.equal, before, trial.module.parameters()))


@pytest.mark.parametrize("batch_size", [16, 64])
@pytest.mark.parametrize("notation", ["16C3ps-16C3ps-MP2-32C3ps-GAP-10N", "8C3ps-MP2-512N-512N-10N"])
def test_the_peak_is_what_the_analysis_says_and_what_kernels_work_in(notation, batch_size):
    """Never less than weights, gradients, optimizer and kept maps; the rest is gradients of maps and workspace."""
    analysis = dw.analyze(notation, (3, 32, 32))
    (row,) = screened([notation], (3, 32, 32), batch_size=batch_size)
    computed = analysis.memory(batch_size).training
    largest = max(each.activation_bytes for each in analysis.layers)
    weights = 4 * analysis.params
    assert computed <= row.peak_bytes <= computed + batch_size * 4 * largest + 2 * weights


def test_the_peak_does_not_depend_on_what_was_there(capfd):
    kept = torch.zeros(10**6)
    (first,), (second,) = (screened(["8C3-GAP-10N"], (1, 16, 16)) for _ in range(2))
    assert first == Screened("8C3-GAP-10N", "8C3-GAP-10N", 0.25, 0.25, second.peak_bytes)
    assert first.peak_bytes < kept.nbytes
    assert capfd.readouterr() == ("", "")  # PyTorch's profiler likes to say that it started


def test_what_is_over_budget_is_dropped_with_the_reason():
    deep, *_, lean = SMALL
    least = lean.analysis.memory(4).training
    peak = screened([lean])[0].peak_bytes
    assert least < peak < deep.analysis.memory(4).training
    found = screened([deep, lean], memory=peak)
    assert found.kept == (lean,) and found.kept[0] is lean
    needed, most = (write_bytes(count) for count in (deep.analysis.memory(4).training, peak))
    assert found[0].reason == f"memory: {needed}, at most {most}, not run" and found[0].peak_bytes is None
    (row,) = screened([lean], memory=peak - 1)
    assert row.reason.startswith("memory: ") and not row.reason.endswith("not run")
    assert (row.peak_bytes, row.step_seconds) == (peak, None)
    (row,) = screened([lean], seconds=0.2)
    assert row.reason == "time: 250 ms a step and image, at most 200 ms" and row.step_seconds == 0.25
    assert screened([lean], seconds=0.25).kept == (lean,)


def test_what_does_not_fit_is_dropped_and_the_others_measured():
    found = screened(["8C3-10N", "8C9-10N", "4C3-10N"], (1, 8, 8))
    assert found.kept == ("8C3-10N", "4C3-10N")
    assert found[1].reason.startswith("layer 'conv2d1': a 9x9 kernel does not fit into its 8x8 input.")


@pytest.mark.parametrize(
    "problem",
    [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: can't allocate memory: you")],
)
def test_a_device_without_the_memory_is_a_reason(monkeypatch, problem):
    def fail(*_):
        raise problem

    monkeypatch.setattr(screening, "measure_peak", fail)
    (row,) = screened(["8C3-GAP-10N"], (1, 8, 8))
    assert row.reason == "memory: cpu has not the memory for batches of 4 images (at least 8.28 KiB)"
    monkeypatch.setattr(screening, "measure_peak", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        screened(["8C3-GAP-10N"], (1, 8, 8))


def test_what_cannot_be_trained_is_a_reason():
    found = screened(["8CB8-10N", "8C3-10N"], (1, 8, 8), batch_size=1)
    assert found[0].reason.startswith("cannot be trained: Expected more than 1 value per channel when training")
    assert found.kept == ("8C3-10N",)


def test_nothing_is_left_behind():
    torch.manual_seed(3)
    before, level = torch.get_rng_state(), os.environ.get("KINETO_LOG_LEVEL")
    screened(["8C3-D-GAP-10N"], (1, 8, 8))
    assert torch.equal(before, torch.get_rng_state()) and os.environ.get("KINETO_LOG_LEVEL") == level


def test_layer_lists_and_classes():
    layers = [dw.Conv2D(4), dw.GlobalAvgPool2D(), dw.Output()]
    (row,) = screened([layers], (1, 8, 8), n_classes=3)
    assert row.design is layers and row.name == "4C3-GAP-N" and row.kept


def test_it_prints():
    rows = (
        Screened("a", "7-3 from 16", 0.0004, 0.0015, 3 * 2**20),
        Screened("b", "6 from 8", peak_bytes=2**30, reason="memory: 1 GiB, at most 0.5 GiB"),
    )
    found = Screening(rows, 32, 5, "cpu", "float32", 1)
    assert str(found) == (
        "design       ms forward  ms step  images/s  memory  dropped\n"
        "-----------  ----------  -------  --------  ------  ------------------------------\n"
        "7-3 from 16         0.4      1.5       666   3 MiB\n"
        "6 from 8                                     1 GiB  memory: 1 GiB, at most 0.5 GiB\n"
        "\n"
        "1 of 2 designs kept.  Measured on cpu in float32, 1 thread:\n"
        "median of 5 batches of 32 images, in milliseconds an image;\n"
        "step: forward, backward and optimizer; images/s: in training;\n"
        "memory: the most at one time while learning from a batch."
    )
    assert found._repr_html_().count("<tr>") == 3 and found.markdown().count("\n| ") == 3
    assert found.to_dict()["rows"][0] == {
        "name": "7-3 from 16", "forward_seconds": 0.0004, "step_seconds": 0.0015, "peak_bytes": 3 * 2**20,
        "reason": None, "images_per_second": 1 / 0.0015, "kept": True,
    }  # fmt: skip
    assert found[:1] == rows[:1] and list(found) == list(rows) and len(found) == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"seconds": 0}, "seconds is 0 but must be a number above 0, or None for no bound."),
        ({"memory": "1G"}, "memory is '1G' but must be a number above 0, or None for no bound."),
        ({"steps": 0}, "steps is 0 but must be a whole number of 1 or more."),
        ({"batch_size": 2.5}, "batch_size is 2.5 but must be a whole number of 1 or more."),
        ({"designs": "8C3-N"}, "designs is '8C3-N' but must be a DesignSet or a list of designs, such as ['32C3-N']."),
        ({"designs": [7]}, "designs: number 0 is 7 but must be a design, a layer list or a notation."),
        (
            {"designs": ["8C3-N"]},
            "8C3-N: the width of its output is not known. Give n_classes, or write Output(10).",
        ),
        ({"designs": ["8C3"]}, "8C3: its output is 8x6x6, but it must be a row of numbers. End it with Output(10)."),
    ],
)
def test_wrong_arguments(arguments, text):
    designs = arguments.pop("designs", ["8C3-10N"])
    with pytest.raises(DesignError) as problem:
        screened(designs, (1, 8, 8), **arguments)
    assert str(problem.value) == text


def test_an_image_size_is_needed():
    with pytest.raises(DesignError) as problem:
        screened(["8C3-10N"])
    assert str(problem.value) == (
        "8C3-10N: the shape of the images is not known. Give input_shape=(channels, height, width)."
    )
    assert screened([[dw.Input((1, 8, 8)), dw.Conv2D(4), dw.Output(10)]])[0].kept


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda():
    (row,) = screened(["16C3ps-GAP-10N"], (3, 32, 32), batch_size=64, device="cuda", precision="float32")
    computed = dw.analyze("16C3ps-GAP-10N", (3, 32, 32)).memory(64).training
    assert row.kept and computed <= row.peak_bytes
