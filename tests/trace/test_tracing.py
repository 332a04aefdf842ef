"""Tracing records what a module does, names it as the module does, and leaves the module alone."""

import copy
from math import prod

import pytest
import torch
from odd_networks import (
    ByValue,
    ConvNeXtBlock,
    Focus,
    Gate,
    Patchify,
    ResNet18,
    Transformer,
    UNet,
    ViewedGate,
)
from torch import nn
from torch.nn import functional as F

from depthwise.analysis import analyze_graph
from depthwise.errors import DepthwiseError, SizeError, TargetError
from depthwise.layers.mixing import Opaque, Reshape
from depthwise.trace import trace_module


def shapes(module, *input_shape):
    graph = trace_module(module, input_shape).at()
    return {node.name: node.output_shape for node in graph.nodes}


def rows(module, *input_shape):
    return analyze_graph(trace_module(module, input_shape).at()).layers


def params(module):
    return sum(value.numel() for value in module.parameters())


class Functions(nn.Module):
    """One function after another."""

    def __init__(self, *functions):
        super().__init__()
        self.functions = functions

    def forward(self, x):
        for function in self.functions:
            x = function(x)
        return x


def test_rows_bear_the_paths_of_a_resnet():
    names = [row.name for row in rows(ResNet18(), 3, 224, 224)]
    assert names[:9] == [
        *["input0", "conv1", "bn1", "maxpool", "layer1.0.conv1", "layer1.0.bn1", "layer1.0.conv2", "layer1.0.bn2"],
        "layer1.0.add",
    ]
    assert names[-3:] == ["layer4.1.add", "avgpool", "fc"]


def test_a_resnet_is_counted_as_the_literature_counts_it():
    analysis = analyze_graph(trace_module(ResNet18(), (3, 224, 224)).at())
    assert (analysis.params, analysis.buffers, analysis.macs) == (11_689_512, 9_600, 1_814_073_344)
    assert analysis["layer4.1.add"].receptive_field == (435, 435)
    assert analysis["layer4.1.add"].least_receptive_field == (11, 11)


def test_unfolded_every_operation_is_a_row():
    graph = trace_module(ResNet18(), (3, 64, 64))
    names = [row.name for row in analyze_graph(graph.unfolded().at()).layers]
    assert names == [node.name for node in graph.nodes]
    assert "layer1.0.relu#2" in names


@pytest.mark.parametrize(
    ("module", "input_shape", "output_shape"),
    [
        (nn.Sequential(nn.Conv2d(3, 8, 3), Gate(8), nn.Conv2d(8, 8, 3), ViewedGate(8)), (3, 20, 24), (8, 16, 20)),
        (nn.Sequential(nn.Conv2d(3, 8, 4, 4), ConvNeXtBlock(8), ConvNeXtBlock(8)), (3, 32, 48), (8, 8, 12)),
        (Transformer(class_token=True), (3, 32, 32), (10,)),
        (Transformer(class_token=False), (3, 32, 32), (10,)),
        (UNet(), (1, 40, 36), (8, 32, 28)),
        (Focus(), (3, 24, 32), (4, 3, 3)),
        (Patchify(), (3, 32, 48), (4, 2, 4)),
        (ByValue(), (1, 12, 12), (4, 10, 10)),
        (nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 3)), (10,), (3,)),
        (nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.MaxPool1d(2), nn.LSTM(7, 5)), (2, 16), (4, 5)),
        (nn.Sequential(nn.Conv3d(1, 2, 3), nn.MaxPool3d(2), nn.Flatten(), nn.Linear(54, 3)), (1, 8, 8, 8), (3,)),
        (
            nn.Sequential(nn.Linear(10, 64), nn.Unflatten(1, (4, 4, 4)), nn.ConvTranspose2d(4, 2, 4, 2, 1)),
            (10,),
            (2, 8, 8),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_output_and_parameters_of_a_network(module, input_shape, output_shape):
    graph = trace_module(module, input_shape)
    assert graph.at().output_shape == output_shape
    assert graph.at(input_shape).nodes == graph.at().nodes
    assert analyze_graph(graph.at()).params == params(module)
    with torch.no_grad():
        true = module.eval()(torch.rand(1, *input_shape))
    assert (true[0] if isinstance(true, tuple) else true).shape[1:] == output_shape


def test_other_image_sizes_need_no_second_trace():
    graph = trace_module(ResNet18(), (3, 224, 224))
    assert graph.at((3, 97, 130)).nodes == trace_module(ResNet18(), (3, 97, 130)).at().nodes


def test_a_gate_keeps_the_local_field_and_says_that_it_sees_all():
    conv, gated = (
        row for row in rows(nn.Sequential(nn.Conv2d(3, 8, 3), Gate(8)), 3, 20, 24) if row.name in ("0", "1.mul")
    )
    assert (conv.sees_all, gated.sees_all) == (False, True)
    assert gated.receptive_field == conv.receptive_field == (3, 3)


def test_weights_that_are_shared_or_unused_are_counted_once():
    graph = trace_module(Focus(), (3, 24, 32))
    counted = {node.name: node.params for node in graph.at().nodes if node.node.op.params for node in [node.node]}
    assert counted["shared"] == 148
    assert counted["shared#2"] == 0
    assert graph.unused == (("unused.weight", 9), ("unused.bias", 3))


def test_an_unknown_function_is_measured_or_said_to_be_not_understood():
    class Unknown(nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(torch.cumsum(x, 2)), torch.fft.fft2(x).abs()

    nodes = {node.name: node for node in trace_module(Unknown(), (1, 6, 8)).at().nodes}
    window = nodes["cumsum"].op
    assert (window.kernel_size, window.padding) == ((6, 1), ((5, 0), (0, 0)))
    assert type(nodes["special_bessel_j0"].op).__name__ == "Activation"
    assert isinstance(nodes["fft_fft2"].op, Opaque)


def test_fields_behind_an_operation_that_is_not_understood_are_not_guessed():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), Functions(lambda x: torch.fft.fft2(x).abs()), nn.Conv2d(4, 4, 3))
    last = rows(net, 1, 12, 12)[-1]
    assert (last.receptive_field, last.capacity, last.coverage) == (None, None, None)
    analysis = analyze_graph(trace_module(net, (1, 12, 12)).at())
    assert analysis.not_understood == (("1.fft_fft2", "fft_fft2"),)
    assert str(analysis).endswith(
        "not understood, so that fields behind and work inside are not known: 1.fft_fft2 (fft_fft2)"
    )
    assert "at least 12.8 k MACs" in str(analysis)


def test_a_way_that_depends_on_values_is_observed():
    assert trace_module(ByValue(), (1, 12, 12)).observed
    text = str(analyze_graph(trace_module(ByValue(), (1, 12, 12)).at()))
    assert text.endswith(
        "run once, on a random image: if the module chooses its way by values, another may take another"
    )
    assert not trace_module(UNet(), (1, 40, 36)).observed


def test_in_place_operations_go_on_with_the_same_tensor():
    def halves(x):
        y = x.clone()
        y.mul_(2)
        y += x
        return y.relu_()

    names = [(node.name, node.inputs) for node in trace_module(Functions(halves), (1, 4, 4)).nodes]
    assert names == [("input0", ()), ("mul", ("input0",)), ("add", ("mul", "input0")), ("relu", ("add",))]


def test_several_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Conv2d(3, 4, 3), nn.Conv2d(1, 4, 3)

        def forward(self, x, y):
            return self.left(x) + self.right(y)

    graph = trace_module(Two(), inputs=((3, 16, 16), (1, 16, 16)))
    assert graph.at().output_shape == (4, 14, 14)
    assert trace_module(Two(), inputs=(torch.rand(2, 3, 9, 9), torch.rand(2, 1, 9, 9))).at().output_shape == (4, 7, 7)
    with pytest.raises(TargetError) as raised:
        trace_module(Two(), (3, 16, 16))
    assert str(raised.value).endswith(
        "missing 1 required positional argument: 'y'; it was called with 1 input. Give all of them: "
        "inputs=((3, 224, 224), (3, 224, 224)) as shapes without the batch, or as example tensors with it."
    )


@pytest.mark.parametrize(
    ("module", "input_shape", "text"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 4, 3)), (1, 8, 8),
            "layer '0': a convolution made for 3 channels gets 1. Give it in_channels=1, or an input of 3 channels.",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(5)), (1, 8, 8),
            "layer '1': a batch norm made for 5 channels gets 4 (4x6x6). Give it an input of 5 channels, or make "
            "it for 4.",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(20, 3)), (1, 6, 6),
            "layer '2': a dense layer made for 20 inputs gets 64. Use images of the size it was made for, or a "
            "dense layer "
            "of 64 inputs.",
        ),
        (
            nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(1, 4, 7)), (1, 8, 8),
            "layer '1': a 7x7 kernel does not fit into its 4x4 input. Remove a pooling layer before it, add "
            "padding, or use "
            "images of 14 px or more.",
        ),
        (
            Functions(lambda x: x.view(-1, 100)), (1, 16, 16),
            "layer 'view': a view as -1x100 does not fit to 1x16x16, which is 256 values an image, not 100. Use "
            "images of the "
            "size it was made for, or flatten(1) and layers of 256 inputs behind it.",
        ),
        (
            Functions(lambda x: x.view(-1, 128)), (2, 8, 8),
            None,
        ),
        (
            Functions(lambda x: x + F.max_pool2d(x, 3, 1)), (1, 16, 16),
            "layer 'add': maps of 1x16x16 and 1x14x14 cannot be added: their shapes differ. Make them equal.",
        ),
        (
            Functions(lambda x: torch.cat([x, F.max_pool2d(x, 2)], 1)), (1, 16, 16),
            "layer 'cat': maps of 1x16x16 and 1x8x8 cannot be joined: their sizes differ. Make them equal.",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.Linear(64, 3)), (1, 6, 6),
            "layer '1': a dense layer made for 64 inputs gets 4, the last axis of its input. Flatten the map "
            "before it, move "
            "the channels last, or use images of the size it was made for.",
        ),
        (
            nn.LayerNorm(8), (3, 6, 6),
            "layer 'layer_norm': a layer norm made for 8 gets 6. Use images of the size it was made for, or move "
            "the channels "
            "last.",
        ),
        (nn.Conv2d(1, 1, 3), (0, 4, 4), "input_shape is (0, 4, 4) but must be whole numbers of 1 or more: "
         "(channels, height, width) or (features,)."),
        (Functions(lambda x: 3), (1, 4, 4), "Functions returns int, in which no tensor was made of the image. "
         "Give a module that returns its output tensor."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place_and_both_numbers(module, input_shape, text):
    if text is None:
        trace_module(module, input_shape)
        return
    with pytest.raises(DepthwiseError) as raised:
        trace_module(module, input_shape)
    assert str(raised.value) == text


def test_a_view_that_would_cut_an_image_into_two_rows_is_refused():
    with pytest.raises(SizeError, match="layer 'view': a view as -1x800 does not fit to 64x5x5, which is 1600 values"):
        trace_module(Functions(lambda x: x.view(-1, 800)), (64, 5, 5))


def test_an_error_inside_the_module_names_the_layer():
    class Broken(nn.Module):
        def forward(self, x):
            raise KeyError("left")

    with pytest.raises(TargetError, match=r"Sequential cannot be traced: layer '1': KeyError: 'left'"):
        trace_module(nn.Sequential(nn.ReLU(), Broken()), (1, 4, 4))


def state(module):
    return (
        {name: value.clone() for name, value in module.state_dict().items()},
        [(dict(part.__dict__), *map(list, (part._forward_hooks, part._forward_pre_hooks, part._buffers,
          part._parameters, part._modules))) for part in module.modules()],
        [None if value.grad is None else value.grad.clone() for value in module.parameters()],
        torch.get_rng_state(),
    )  # fmt: skip


@pytest.mark.parametrize(
    "module", [ResNet18(), ByValue(), Transformer(class_token=True), Focus()], ids=lambda m: type(m).__name__
)
def test_the_module_is_left_as_it_was(module):
    shape = {ResNet18: (3, 32, 32), ByValue: (1, 12, 12), Transformer: (3, 32, 32), Focus: (3, 24, 32)}[type(module)]
    list(module.modules())[-1].eval()
    module(torch.rand(2, *shape)).float().sum().backward() if not isinstance(module, ByValue) else None
    weights, parts, gradients, random = state(module)
    trace_module(module, shape)
    after = state(module)
    assert all(torch.equal(weights[name], after[0][name]) for name in weights)
    for (attributes, *before), (others, *now) in zip(parts, after[1], strict=True):
        assert before == now
        assert attributes.keys() == others.keys()
        assert all(attributes[name] is others[name] for name in attributes)
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(gradients, after[2], strict=True))
    assert torch.equal(random, after[3])


def test_hooks_are_removed_when_the_module_fails():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(5, 4, 3))
    with pytest.raises(SizeError):
        trace_module(net, (1, 8, 8))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())
    assert all(part.training for part in net.modules())


def test_wrappers_for_compilation_and_parallel_training_are_opened():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    plain = trace_module(net, (1, 8, 8)).nodes
    assert trace_module(nn.DataParallel(net), (1, 8, 8)).nodes == plain

    class Compiled(nn.Module):
        def __init__(self, module):
            super().__init__()
            self._orig_mod = module

    assert trace_module(Compiled(net), (1, 8, 8)).nodes == plain
    nested = nn.Sequential(Compiled(net))
    assert [node.name for node in trace_module(nested, (1, 8, 8)).nodes] == ["input0", "0._orig_mod.0", "0._orig_mod.1"]


def test_a_lazy_module_is_measured_and_stays_lazy():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3))
    assert trace_module(net, (1, 6, 6)).at().output_shape == (3,)
    assert net[0].has_uninitialized_params()


def test_memory_does_not_grow_with_the_weights():
    with torch.device("meta"):
        net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 6700), nn.ReLU(), nn.Linear(6700, 10))
    assert params(net) > 1e9
    assert analyze_graph(trace_module(net, (3, 224, 224)).at()).params == params(net)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning", "ignore::FutureWarning")
def test_a_script_is_read_from_the_operations_of_the_core():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Upsample(scale_factor=2),
        nn.ZeroPad2d(1), nn.GroupNorm(2, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip
    plain, script = trace_module(net, (3, 20, 24)).at(), trace_module(torch.jit.script(net), (3, 20, 24))
    assert script.observed
    assert script.at().output_shape == plain.output_shape
    assert {"0", "1", "6", "9"} <= {node.name for node in script.nodes}
    ours, theirs = analyze_graph(plain), analyze_graph(script.at())
    assert (theirs.params, theirs.macs) == (ours.params, ours.macs)
    assert theirs["6"].receptive_field == ours["6"].receptive_field


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
def test_functions_tell_their_shapes_as_pytorch_does():
    calls = [
        lambda x: F.conv2d(x, torch.ones(6, 2, 3, 2), stride=(2, 1), padding="valid", groups=2),
        lambda x: F.conv2d(x, torch.ones(6, 4, 3, 4), padding="same"),
        lambda x: F.conv_transpose2d(x, torch.ones(4, 3, 3, 3), stride=2, output_padding=1, dilation=2),
        lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True),
        lambda x: F.avg_pool2d(x, (2, 3)),
        lambda x: F.lp_pool2d(x, 2, 3, 2),
        lambda x: F.adaptive_max_pool2d(x, (None, 3)),
        lambda x: F.interpolate(x, size=(5, 31), mode="bicubic"),
        lambda x: F.interpolate(x, scale_factor=1.5, mode="nearest"),
        lambda x: F.interpolate(x, size=7, mode="area"),
        lambda x: F.pixel_shuffle(x, 2),
        lambda x: F.pad(x, (1, 2, -1, 0), mode="constant"),
        lambda x: F.pad(x, (1, 1, 1, 1), mode="circular"),
        lambda x: F.glu(x, 1),
        lambda x: x.mean((2, 3)),
        lambda x: x.amax((1,), keepdim=True),
        lambda x: x.std(dim=(1, 2, 3)),
        lambda x: x.max(1)[0],
        lambda x: x.permute(0, 2, 3, 1).matmul(torch.ones(4, 5)),
        lambda x: torch.einsum("bchw,dc->bdhw", x, torch.ones(5, 4)),
        lambda x: torch.einsum("bchw,bdhw->bcd", x, x),
        lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2),
        lambda x: torch.stack([x, x], 2),
        lambda x: torch.cat([x, x[:, :1]], 1),
        lambda x: torch.cat([x, x], 2),
        lambda x: x.repeat(1, 2, 1, 1),
        lambda x: x.split([1, 3], 1)[1],
        lambda x: x.unbind(2)[0],
        lambda x: x[:, [0, 2]],
        lambda x: x[:, :, 1:-1, ::2],
        lambda x: x.unsqueeze(2).squeeze(2),
        lambda x: x.movedim(1, -1),
        lambda x: x.reshape(1, -1, 2).transpose(1, 2),
        lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
        lambda x: x.mT.mT + x.transpose(1, 2).swapaxes(2, 1),
        lambda x: 1 - x / 2 + x**2,
        lambda x: F.normalize(x) * x.softmax(1),
        lambda x: F.scaled_dot_product_attention(x, x, x),
        lambda x: F.unfold(x, 3),
        lambda x: x.new_zeros(x.shape) + x,
        lambda x: x.roll(1, 2),
        lambda x: x.flip(3),
        lambda x: F.one_hot(x.argmax(1), 4).float(),
    ]
    image = torch.rand(1, 4, 12, 14)
    last = {18, 31, 32}  # channels last: the graph has them first
    for place, call in enumerate(calls):
        net = Functions(call)
        graph = trace_module(net, (4, 12, 14)).at()
        true = tuple(call(image).shape)
        found = graph.output_shape
        assert prod(found) == prod(true), (place, found, true)
        if len(found) == len(true) - 1 and place not in last:
            assert found == true[1:], place


def test_a_module_is_its_own_witness_about_lost_places():
    net = Functions(lambda x: torch.cat([x, x], 2), lambda x: F.max_pool2d(x, 3))
    nodes = trace_module(net, (1, 6, 6)).nodes
    assert isinstance(nodes[1].op, Reshape)
    assert rows(net, 1, 6, 6)[-1].receptive_field is None


def test_a_copy_gives_the_same_graph():
    net = ResNet18(10)
    assert trace_module(copy.deepcopy(net), (3, 64, 64)) == trace_module(net, (3, 64, 64))
