"""Several accelerators are shared out, one a job."""

import torch

from depthwise.search.devices import own_device


def test_each_job_has_a_device_of_its_own_while_there_are_enough(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
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
