"""Where to compute, and in which precision."""

import pytest
import torch

from depthwise.errors import TrainingError
from depthwise.training.device import choose_device, choose_precision

CPU = torch.device("cpu")
CHECKS = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")


@pytest.mark.parametrize(("amx", "avx"), [(False, False), (True, False), (False, True)])
def test_bfloat16_is_taken_where_the_processor_multiplies_it(monkeypatch, amx, avx):
    for name, answer in zip(CHECKS, (amx, avx), strict=True):
        monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer, raising=False)
    assert choose_precision("auto", CPU) == ("bfloat16" if amx or avx else "float32")


def test_private_names_of_pytorch_may_go(monkeypatch):
    for name in CHECKS:
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert choose_precision("auto", CPU) == "float32"


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "float32"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")])
def test_a_graphics_processor_is_judged_by_its_capability(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision("auto", torch.device("cuda")) == expected


def test_a_choice_by_hand_is_taken(monkeypatch):
    assert choose_precision("bfloat16", CPU) == "bfloat16" and choose_precision("float32", CPU) == "float32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU


@pytest.mark.parametrize("device", ["toaster", "cuda:99", 3.5])
def test_a_device_that_is_not_there_is_told(device):
    with pytest.raises(TrainingError, match=r"device is .*, which cannot be used \(.*\)\. Write device='auto'"):
        choose_device(device)
