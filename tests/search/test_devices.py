"""Several accelerators are shared out, one a job."""

from types import SimpleNamespace

import pytest
import torch

from depthwise.search.devices import own_device


@pytest.fixture
def two_devices(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=f"GPU-{index}"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_what_another_user_has_locked_is_his(two_devices):
    (two_devices / "depthwise-cuda-GPU-0.lock").mkdir()  # cannot be opened
    with own_device("auto") as device:
        assert device == "cuda:1"


def test_each_job_has_a_device_of_its_own_while_there_are_enough(two_devices):
    with own_device("auto") as one:
        with own_device("auto") as other, own_device("auto") as third:
            assert {one, other} == {"cuda:0", "cuda:1"}
            assert third in ("cuda:0", "cuda:1")
        with own_device("auto") as again:
            assert again == other
    with own_device("auto") as first:
        assert first == "cuda:0"


def test_what_is_named_or_alone_stays(monkeypatch):
    with own_device("cpu") as device:
        assert device == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with own_device("auto") as device:
        assert device == "auto"
