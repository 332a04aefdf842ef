"""Recurrent layers are counted as PyTorch's own counter counts them, where it does."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from depthwise.analysis import analyze_graph
from depthwise.trace import trace_module


class Rows(nn.Module):
    """Reads an image row by row, and classifies by the output or the state behind the last row."""

    def __init__(self, recurrent, width, by_state):
        super().__init__()
        self.recurrent, self.head, self.by_state = recurrent, nn.Linear(width, 3), by_state

    def forward(self, x):
        out, state = self.recurrent(x.squeeze(1) if self.recurrent.batch_first else x.squeeze(1).transpose(0, 1))
        state = state[0] if isinstance(state, tuple) else state
        return self.head(state[-1] if self.by_state else out[:, -1] if self.recurrent.batch_first else out[-1])


def analyze(module, *shape):
    return analyze_graph(trace_module(module, shape).at())


@pytest.mark.parametrize("by_state", [False, True])
@pytest.mark.parametrize(
    ("recurrent", "widths", "macs"),
    [
        (nn.GRU(8, 5, batch_first=True), (5, 5), 7 * 3 * (8 + 5) * 5),
        (nn.GRU(8, 5, 2, batch_first=True, bidirectional=True), (10, 5), 7 * 2 * 3 * ((8 + 5) * 5 + (10 + 5) * 5)),
        (nn.LSTM(8, 5, bias=False), (5, 5), 7 * 4 * (8 + 5) * 5),
        (nn.LSTM(8, 6, 2, proj_size=3), (3, 3), 7 * (4 * ((8 + 3) * 6 + (3 + 3) * 6) + 2 * 6 * 3)),
        (nn.RNN(8, 5, nonlinearity="relu"), (5, 5), 7 * (8 + 5) * 5),
        (nn.RNN(8, 5, batch_first=True), (5, 5), 7 * (8 + 5) * 5),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
def test_a_recurrent_layer_is_counted_as_pytorch_counts_it(recurrent, widths, macs, by_state):
    net = Rows(recurrent, widths[by_state], by_state).eval()
    analysis = analyze(net, 1, 7, 8)
    assert analysis["recurrent"].macs == macs
    assert analysis["recurrent"].params == sum(value.numel() for value in recurrent.parameters())
    assert analysis.params == sum(value.numel() for value in net.parameters())
    assert analysis.output_shape == (3,)
    assert "at least" not in str(analysis)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.rand(1, 1, 7, 8))
    fused = isinstance(recurrent, nn.LSTM) and not recurrent.proj_size  # the counter does not know this kernel
    assert fused or counter.get_total_flops() == 2 * analysis.macs


def test_a_state_that_nothing_reads_is_left_out():
    names = [row.name for row in analyze(Rows(nn.LSTM(8, 5), 5, by_state=False), 1, 7, 8).layers]
    assert names == ["input0", "recurrent", "slice", "head"]
    names = [row.name for row in analyze(Rows(nn.LSTM(8, 5), 5, by_state=True), 1, 7, 8).layers]
    assert names == ["input0", "recurrent", "recurrent.state", "head"]


def test_packed_sequences_are_told_to_be_not_understood():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(8, 5, batch_first=True)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(x.squeeze(1), [7], batch_first=True)
            return self.lstm(packed)[1][0][-1]

    analysis = analyze(Packed(), 1, 7, 8)
    assert analysis.params == 4 * 5 * (8 + 5 + 2)
    assert "at least 0 MACs" in str(analysis)


@pytest.mark.parametrize(
    ("cell", "gates"), [(nn.GRUCell(8, 5), 3), (nn.LSTMCell(8, 5), 4), (nn.RNNCell(8, 5), 1)], ids=str
)
def test_a_cell_is_counted_at_every_step(cell, gates):
    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x):
            state = None
            for step in x.unbind(1):
                state = self.cell(step, state)
            return state[0] if isinstance(state, tuple) else state

    analysis = analyze(Steps(), 7, 8)
    assert analysis.macs == 7 * gates * (8 + 5) * 5
    assert analysis.params == sum(value.numel() for value in cell.parameters())
    assert (analysis.output_shape, analysis.not_understood) == ((5,), ())
