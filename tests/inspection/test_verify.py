"""The numeric oracle: what is said equals what is, and what is not is told."""

import pytest
import torch
from odd_networks import ByValue, Focus, Gate, ResNet18, Transformer, UNet
from torch import nn

import depthwise as dw
from depthwise.analysis import intervals
from depthwise.errors import SizeError, TargetError
from depthwise.inspection.verify import verify_module


class Swallowing(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)

    def forward(self, x):
        return self.second(torch.nan_to_num(self.first(x)))


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (UNet(), (1, 20, 24)),
        (Focus(), (3, 24, 20)),
        (nn.Sequential(nn.Conv2d(3, 8, 3), Gate(8), nn.Conv2d(8, 8, 3)), (3, 12, 10)),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.MaxPool1d(2)), (2, 16)),
        (nn.Sequential(nn.Conv3d(1, 2, 3), nn.MaxPool3d(2), nn.GroupNorm(1, 2)), (1, 8, 6, 7)),
        (ResNet18(10), (3, 40, 33)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_true_fields_are_found_equal(module, shape):
    result = verify_module(module, shape)
    assert result.ok
    assert {layer.verdict for layer in result.layers} == {"equal"}


def test_a_gate_is_seen_to_spread_everything():
    result = verify_module(nn.Sequential(nn.Conv2d(3, 8, 3), Gate(8), nn.Conv2d(8, 8, 3)), (3, 12, 10))
    assert [layer.name for layer in result.layers if layer.sees_all][-2:] == ["1.mul", "2"]
    assert not result.layers[1].sees_all


def test_what_stands_behind_a_class_token_is_not_understood_until_attention_sees_all():
    verdicts = {layer.name: layer.verdict for layer in verify_module(Transformer(class_token=True), (3, 32, 32)).layers}
    assert verdicts["patches"] == "equal"
    assert verdicts["cat"] == "not understood"
    assert verdicts["encoder.self_attn"] == verdicts["head"] == "equal"


def test_an_operation_that_swallows_nan_is_not_verifiable():
    result = verify_module(Swallowing(), (1, 9, 9))
    assert {layer.name: layer.verdict for layer in result.layers} == {
        "input0": "equal", "first": "equal", "nan_to_num": "not verifiable", "second": "not verifiable",
    }  # fmt: skip
    assert str(result) == (
        "4 operations at 1x9x9: 2 equal, 2 not verifiable.\nTried: 9x9 of 9x9 rows and columns.\n"
        "nan_to_num: not verifiable.\nsecond: not verifiable."
    )


def test_a_wrong_field_is_found(monkeypatch):
    monkeypatch.setattr(intervals.UnitViews, "mask", lambda self, name, axis: [1 << place for place in range(9)])
    result = verify_module(nn.Conv2d(1, 2, 3, padding=1), (1, 9, 9))
    assert not result.ok
    assert [(layer.verdict, layer.units) for layer in result.layers] == [("equal", (0, 18)), ("different", (18, 18))]
    assert str(result).splitlines()[-1] == "conv2d: 18 of 18 units see other pixels than is said."


def test_large_images_are_sampled_and_it_is_said():
    result = verify_module(nn.Sequential(nn.Conv2d(1, 2, 7, 2, 3), nn.MaxPool2d(3, 2, 1)), (1, 20, 300))
    assert result.ok
    assert result.sampled
    assert result.probed == (20, 64)
    assert str(result).splitlines()[1] == "Tried: 20x64 of 20x300 rows and columns."


def test_a_module_that_looks_at_values_cannot_be_compared():
    with pytest.raises(TargetError, match="takes another way with another batch of images"):
        verify_module(ByValue(), (1, 12, 12))


def test_a_lazy_module_is_verified_and_stays_lazy():
    net = nn.Sequential(nn.LazyConv2d(2, 3), nn.ReLU())
    assert verify_module(net, (1, 8, 8)).ok and net[0].has_uninitialized_params()


def test_rows_of_values_have_no_fields():
    with pytest.raises(SizeError) as raised:
        verify_module(nn.Linear(3, 3), (3,))
    assert str(raised.value) == (
        "input_shape is (3,): rows of values have no fields to verify. Give (channels, height, width)."
    )


def test_the_module_and_the_random_state_stay_as_they_were():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True))
    weights, state = {name: value.clone() for name, value in net.state_dict().items()}, torch.get_rng_state()
    verify_module(net, (1, 8, 8))
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in weights.items())
    assert torch.equal(state, torch.get_rng_state())
    assert all(part.training and not part._forward_hooks for part in net.modules())


def test_half_precision_is_verified_as_a_copy_in_float32():
    net = nn.Conv2d(1, 2, 3).half()
    assert verify_module(net, (1, 8, 8)).ok
    assert net.weight.dtype == torch.float16


def test_layer_lists_and_notations_are_verified_as_the_module_that_is_built_of_them():
    assert dw.verify("8C5-MP2-8C3-10N", (1, 28, 28)).ok
    assert dw.verify([dw.Conv2D(4, padding="same", stride=2), dw.GroupNorm(2), dw.Output()], (1, 9, 12)).ok
    assert dw.verify(nn.Conv2d(1, 2, 3), (1, 9, 9)).ok
    with pytest.raises(TargetError) as raised:
        dw.verify(nn.Conv2d(1, 2, 3))
    assert str(raised.value) == (
        "the shape of the images is not known. Give input_shape=(channels, height, width), or --input CxHxW."
    )
