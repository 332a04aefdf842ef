"""Callbacks that kill or break the process in which they are called; workers import them from here."""

import os
import signal
from pathlib import Path

from depthwise.training import Callback


def width(net):
    """Channels of the first convolution, by which a test tells designs apart."""
    return net.module_.state_dict()["conv2d1.weight"].shape[0]


class Deadly(Callback):
    """Ends the process of networks of one width, after so many epochs, so many times; a folder counts."""

    def __init__(self, of_width, folder, times=1_000_000, epoch=1):
        self.of_width = of_width
        self.folder = str(folder)
        self.times = times
        self.epoch = epoch

    def on_epoch_end(self, net, record):
        deaths = len(list(Path(self.folder).iterdir()))
        if width(net) == self.of_width and record.epoch == self.epoch and deaths < self.times:
            Path(self.folder, str(deaths)).touch()
            os._exit(1)


class Breaks(Callback):
    """Raises what no design is to blame for, so many times."""

    def __init__(self, folder, times):
        self.folder = str(folder)
        self.times = times

    def on_epoch_end(self, net, record):
        failures = len(list(Path(self.folder).iterdir()))
        if failures < self.times:
            Path(self.folder, str(failures)).touch()
            raise RuntimeError("can't allocate memory")


class FailsOnceAnEpoch(Callback):
    """Raises what no design is to blame for, before every epoch but the first, once each."""

    def __init__(self, folder):
        self.folder = str(folder)

    def on_epoch_begin(self, net):
        before = Path(self.folder, str(len(net.history_)))
        if len(net.history_) and not before.exists():
            before.touch()
            raise RuntimeError("a cable was pulled")


class Interrupts(Callback):
    """Presses Ctrl-C once, after so many epochs in this process."""

    def __init__(self, after):
        self.left = after

    def on_epoch_end(self, net, record):
        Interrupts.seen += 1
        if Interrupts.seen == self.left:
            os.kill(os.getpid(), signal.SIGINT)

    seen = 0
