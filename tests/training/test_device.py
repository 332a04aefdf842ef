"""Where to compute, and in which precision."""

import threading
import time

import pytest
import torch

from depthwise.errors import TrainingError
from depthwise.training import describe_system, device
from depthwise.training.device import Timing, choose_device, choose_precision, time_precisions, tuned

CPU = torch.device("cpu")


class Clock:
    """A stand-in: each measured convolution takes the next of the given times."""

    def __init__(self, monkeypatch, float32, bfloat16):
        self.now, self.taken = 0.0, []
        self.times = {torch.float32: float32, torch.bfloat16: bfloat16}
        monkeypatch.setattr(device.F, "conv2d", self.convolve)

    def __call__(self):
        return self.now

    def convolve(self, images, weight):
        assert images.shape == (1, 128, 28, 28) and weight.is_contiguous(memory_format=torch.channels_last)
        self.taken.append(images.dtype)
        times = self.times[images.dtype]
        self.now += times.pop(0) if len(times) > 1 else times[0]


@pytest.mark.parametrize(
    ("float32", "bfloat16", "expected"),
    [
        ([0.2, 0.001], [0.2, 0.001], "float32"),  # a tie
        ([0.002], [0.0016, 0.0016], "bfloat16"),  # 1.25 times
        ([0.002], [0.0017, 0.0017], "float32"),  # 1.18 times
        ([0.002], [0.05, 0.004, 0.0005], "bfloat16"),  # first uses and one slow round do not count
    ],
)
def test_bfloat16_is_taken_where_it_is_measured_to_be_faster(monkeypatch, float32, bfloat16, expected):
    timing = time_precisions(Clock(monkeypatch, list(float32), list(bfloat16)))
    monkeypatch.setattr(device, "_MEASURED", [timing])
    assert choose_precision("auto", CPU) == expected


def test_the_probe_ends_early(monkeypatch):
    clock = Clock(monkeypatch, [0.002], [0.0005])
    assert str(time_precisions(clock)) == "float32 2.00 ms, bfloat16 0.50 ms"
    assert len(clock.taken) == 2 * (1 + device.PROBE_ROUNDS)
    slow = Clock(monkeypatch, [0.002], [0.03])
    assert time_precisions(slow).gain == pytest.approx(1 / 15) and len(slow.taken) == 4
    late = Clock(monkeypatch, [0.03], [0.025])
    time_precisions(late)
    assert late.taken == [torch.float32, torch.bfloat16] * 2


def test_it_is_measured_once_whoever_asks(monkeypatch):
    calls = []
    monkeypatch.setattr(device, "_MEASURED", [])

    def measure():
        calls.append(1)
        time.sleep(0.02)
        return Timing(1.0, 0.5)

    monkeypatch.setattr(device, "time_precisions", measure)
    found = []
    threads = [threading.Thread(target=lambda: found.append(choose_precision("auto", CPU))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [1] and found == ["bfloat16"] * 6
    assert describe_system()["convolution"] == "float32 1000.00 ms, bfloat16 500.00 ms, on the processor"


def test_a_real_probe_is_short_and_leaves_the_random_state():
    before = torch.get_rng_state()
    timing = time_precisions()
    assert timing.float32 > 0 and timing.bfloat16 > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_a_device_of_another_kind_computes_in_float32(monkeypatch):
    monkeypatch.setattr(device, "_MEASURED", [Timing(1.0, 0.1)])
    assert choose_precision("auto", torch.device("mps")) == "float32"


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")])
def test_a_graphics_processor_is_judged_by_its_capability(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda asked: capability)
    assert choose_precision("auto", torch.device("cuda")) == expected


def test_a_choice_by_hand_is_taken(monkeypatch):
    assert choose_precision("bfloat16", CPU) == "bfloat16" and choose_precision("float32", CPU) == "float32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU


@pytest.mark.parametrize("name", ["toaster", "cuda:99", 3.5])
def test_a_device_that_is_not_there_is_told(name):
    with pytest.raises(TrainingError, match=r"device is .*, which cannot be used \(.*\)\. Write device='auto'"):
        choose_device(name)


FLAGS = ("enabled", "benchmark", "deterministic", "allow_tf32")


@pytest.mark.parametrize("chosen", [(True, False, False, False), (True, False, True, True), (False, True, False, True)])
@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_of_the_flags_of_cudnn_only_the_search_is_turned_on(kind, chosen):
    cudnn = torch.backends.cudnn
    given = dict(zip(FLAGS, chosen, strict=True))
    with cudnn.flags(**given):  # puts back what was there before this test
        with tuned(torch.device(kind)):
            searches = given["benchmark"] or (kind == "cuda" and not given["deterministic"])
            assert {name: getattr(cudnn, name) for name in FLAGS} == given | {"benchmark": searches}
        assert {name: getattr(cudnn, name) for name in FLAGS} == given


def test_whoever_asks_pytorch_for_equal_bits_gets_no_search():
    torch.use_deterministic_algorithms(True)
    try:
        with tuned(torch.device("cuda")):
            assert not torch.backends.cudnn.benchmark
    finally:
        torch.use_deterministic_algorithms(False)


def test_the_search_ends_with_an_error_too():
    with pytest.raises(ZeroDivisionError), tuned(torch.device("cuda")):
        1 / 0  # noqa: B018
    assert not torch.backends.cudnn.benchmark
