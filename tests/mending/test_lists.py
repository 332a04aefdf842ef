"""Changes of a graph made on the layer list: places, names and references follow."""

import pytest

from depthwise.errors import RuleError
from depthwise.graph import Edit, Insert, Remove
from depthwise.layers import (
    Add,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Input,
    MaxPool2D,
    Output,
    Residual,
    SeparableConv2D,
)
from depthwise.layers.ops import Activation, GlobalPool, Norm, Pool
from depthwise.mending import apply, change_layers
from depthwise.network import check

POOL = Pool(
    function="max", kernel_size=(2, 2), stride=(2, 2), padding=((0, 0), (0, 0)), dilation=(1, 1), ceil_mode=False
)


@pytest.mark.parametrize(
    ("layers", "changes", "wanted"),
    [
        ([Conv2D(8), Output(10)], [Edit("conv2d1", "bias", False)], (Conv2D(8, bias=False), Output(10))),
        ([Conv2D(8, 5)], [Edit("conv2d1", "kernel_size", (3, 1))], (Conv2D(8, (3, 1)),)),
        ([Conv2D(8)], [Edit("conv2d1", "padding", ((1, 1), (2, 2)))], (Conv2D(8, padding=(1, 2)),)),
        ([Conv2D(8)], [Edit("conv2d1", "padding", "same")], (Conv2D(8, padding="same"),)),
        ([Dense(8)], [Edit("dense1", "out_features", 9)], (Dense(9),)),
        ([Output()], [Edit("output1", "out_features", 9)], (Output(9),)),
        ([Dense(8)], [Edit("dense1.activation", "function", "tanh")], (Dense(8, "tanh"),)),
        ([Input((1, 8, 8)), Dense(8)], [Edit("input0", "shape", (1, 9, 9))], (Input((1, 9, 9)), Dense(8))),
        ([SeparableConv2D(8)], [Edit("separableconv2d1.depthwise", "kernel_size", (5, 5))], (SeparableConv2D(8, 5),)),
        ([SeparableConv2D(8)], [Edit("separableconv2d1.pointwise", "bias", False)], (SeparableConv2D(8, bias=False),)),
        ([Conv2D(8), MaxPool2D(3, 2)], [Edit("maxpool2d2", "kernel_size", (2, 2))], (Conv2D(8), MaxPool2D())),
    ],
)
def test_an_attribute_becomes_an_argument(layers, changes, wanted):
    assert change_layers(layers, changes) == wanted


@pytest.mark.parametrize(
    ("layers", "gone", "wanted"),
    [
        ([Conv2D(8), MaxPool2D(), Output(10)], ["maxpool2d2"], (Conv2D(8), Output(10))),
        ([Conv2D(8), Output(10)], ["conv2d1.activation"], (Conv2D(8, activation=None), Output(10))),
        ([Conv2D(8, norm="batch"), Output(10)], ["conv2d1.norm"], (Conv2D(8), Output(10))),
        ([Conv2D(8), Dense(9), Output(10)], ["dense2", "dense2.activation"], (Conv2D(8), Output(10))),
        (
            [Conv2D(8, name="a"), Conv2D(8, name="b"), Dropout(inputs="a"), Output(10)],
            ["b", "b.activation"],
            (Conv2D(8, name="a"), Dropout(inputs=("a",)), Output(10)),
        ),
        (
            [Conv2D(8, name="a"), MaxPool2D(name="b"), MaxPool2D(inputs="a"), Add(inputs=("b", "maxpool2d3"))],
            ["b"],
            (Conv2D(8, name="a"), MaxPool2D(inputs=("a",)), Add(inputs=("a", "maxpool2d2"))),
        ),
        (
            [Conv2D(8), Residual((Conv2D(8, padding=1), Dropout()), None), Output(10)],
            ["residual2.dropout1"],
            (Conv2D(8), Residual((Conv2D(8, padding=1),)), Output(10)),
        ),
    ],
)
def test_a_node_taken_out_takes_its_layer_or_argument_along(layers, gone, wanted):
    assert change_layers(layers, [Remove(name) for name in gone]) == wanted


def test_who_was_read_by_an_automatic_name_is_found_under_its_new_one():
    layers = [Conv2D(8), Conv2D(8, padding=1), Conv2D(8, padding=1), Add(inputs=("conv2d2", "conv2d3")), Output(10)]
    changed = change_layers(layers, [Insert("conv2d1.activation", POOL, "new", "new", "maxpool2d")])
    assert changed[1] == MaxPool2D()
    assert changed[4] == Add(inputs=("conv2d3", "conv2d4"))


def test_readers_by_name_read_the_new_layer_too():
    layers = [Conv2D(8, name="stem"), Conv2D(8, name="left"), Conv2D(8, inputs="stem"), Add(inputs=("left", "conv2d3"))]
    changed = change_layers(layers, [Insert("stem.activation", POOL, "new", "new", "maxpool2d")])
    assert [layer.inputs for layer in changed] == [None, None, None, ("maxpool2d2",), ("left", "conv2d4")]


def test_only_one_reader_reads_the_new_layer():
    block = Residual((Conv2D(8, stride=2, padding=1),), (Conv2D(8, 1, stride=2, activation=None),))
    pool = Insert("conv2d1.activation", POOL, "new", "new", "maxpool2d", only="residual2.shortcut.conv2d0")
    changed = change_layers([Conv2D(8), block], [pool, Edit("residual2.shortcut.conv2d0", "stride", (1, 1))])
    assert changed[1].shortcut == (MaxPool2D(), Conv2D(8, 1, activation=None))
    assert changed[1].layers == block.layers


def test_a_new_activation_or_norm_becomes_an_argument_where_there_is_one():
    relu = Insert("conv2d1", Activation(function="relu"), "conv2d1.activation", "conv2d1", "conv2d")
    assert change_layers([Conv2D(8, activation=None)], [relu]) == (Conv2D(8),)
    norm = Insert("conv2d1", Norm(function="batch"), "conv2d1.norm", "conv2d1", "conv2d")
    assert change_layers([Conv2D(8)], [norm]) == (Conv2D(8, norm="batch"),)
    after = Insert("batchnorm2", Activation(function="relu"), "batchnorm2.activation", "batchnorm2", "batchnorm")
    changed = change_layers([Conv2D(8, activation=None), BatchNorm()], [after])
    assert [type(layer).__name__ for layer in changed] == ["Conv2D", "BatchNorm", "Activation"]


def test_a_global_pool_comes_before_the_implied_flatten():
    pool = Insert("conv2d1.activation", GlobalPool(function="avg"), "new", "new", "x", only="output2.flatten")
    assert change_layers([Conv2D(8), Output(10)], [pool]) == (Conv2D(8), GlobalAvgPool2D(), Output(10))


def test_a_new_automatic_name_never_takes_an_own_one():
    layers = [Conv2D(8), Conv2D(8, name="conv2d3"), Conv2D(8, 1, name="x"), Conv2D(8, 1)]
    changed = change_layers(layers, [Remove("x"), Remove("x.activation")])
    assert [layer.name for layer in changed] == [None, "conv2d3", "conv2d3b"]


@pytest.mark.parametrize(
    ("layers", "changes", "message"),
    [
        (
            [DepthwiseConv2D()],
            [Edit("depthwiseconv2d1", "out_channels", 9)],
            r"\(DepthwiseConv2D\) has no argument 'out_ch",
        ),
        (
            [Conv2D(8)],
            [Edit("conv2d1", "padding", ((0, 1), (0, 1)))],
            r"both sides of an axis must be equal\. Put a ZeroPad2D",
        ),
        ([SeparableConv2D(8)], [Remove("separableconv2d1.depthwise")], r"'depthwise' cannot be taken out of layer"),
        ([Residual((Conv2D(8, padding=1, activation=None),))], [Remove("residual1.conv2d0")], "nothing would be left"),
        (
            [SeparableConv2D(8)],
            [Insert("separableconv2d1.depthwise", POOL, "new", "new", "x")],
            r"nothing can be put behind 'separableconv2d1\.depthwise' in a layer list",
        ),
        (
            [Conv2D(8)],
            [Insert("conv2d1.activation", Norm(function="layer"), "n", "n", "x")],
            "no layer does what Norm does",
        ),
    ],
)
def test_what_no_list_can_say_is_refused(layers, changes, message):
    with pytest.raises(RuleError, match=message):
        change_layers(layers, changes)


def test_apply_takes_fixes_remedies_and_findings_of_any_list():
    notation = "8CB3ps-MP-16C3ps-GAP-10N"
    (finding,) = check(notation, (1, 8, 8), select=["NRM001"])
    mended = apply(finding, notation)
    assert mended == apply(finding.remedies[0], notation) == apply(finding.fix, notation)
    assert mended[0] == Conv2D(8, padding="same", norm="batch", bias=False)
    with pytest.raises(RuleError, match=r"there is no fix to apply: the finding is mended by hand"):
        apply(None, notation)


def test_apply_leaves_the_target_alone():
    layers = [Conv2D(8, norm="batch"), Flatten(), Output(10)]
    before = list(layers)
    apply(check(layers, (1, 8, 8), select=["NRM001"])[0], layers)
    assert layers == before


def test_an_estimator_is_cloned_with_the_mended_layers():
    from depthwise import NeuralNetClassifier

    net = NeuralNetClassifier([Conv2D(8, norm="batch"), AvgPool2D(), Output(10)], max_epochs=3)
    mended = apply(check(net, (1, 8, 8), select=["NRM001"])[0], net)
    assert mended.layers[0] == Conv2D(8, norm="batch", bias=False) and mended.max_epochs == 3
    assert net.layers[0] == Conv2D(8, norm="batch")


def test_who_came_after_a_layer_that_read_by_name_reads_that_name():
    layers = [Conv2D(8, name="a"), Conv2D(8, name="b"), Dropout(inputs="a"), Output(10)]
    assert change_layers(layers, [Remove("dropout3")])[2] == Output(10, inputs=("a",))


def test_a_layer_before_one_that_reads_by_name_takes_the_name_over():
    layers = [Conv2D(8, name="a"), Conv2D(8, name="b"), Conv2D(8, 1, inputs="a")]
    changed = change_layers(layers, [Insert("a.activation", POOL, "new", "new", "maxpool2d", only="conv2d3")])
    assert changed[2:] == (MaxPool2D(inputs=("a",)), Conv2D(8, 1))


def test_a_fix_that_makes_an_error_is_not_taken(monkeypatch):
    from depthwise.mending import walking
    from depthwise.rules import Finding, Findings

    layers = [Conv2D(8, norm="batch", padding="same"), MaxPool2D(), Conv2D(8, padding="same"), Output(10)]
    assert walking.fix_all(layers, (1, 8, 8)).steps
    true_check = walking.check

    def check_with_error(target, *arguments, **options):
        findings = true_check(target, *arguments, **options)
        wrong = not target[0].bias
        error = Finding("SHP001", "x", "error", (), "network", "x", "")
        return Findings((*findings, *[error] * wrong))

    monkeypatch.setattr(walking, "check", check_with_error)
    assert list(walking.fix_all(layers, (1, 8, 8)).network) == layers


def test_a_network_that_does_not_fit_is_mended_first():
    from depthwise.mending import mend

    mended = mend([MaxPool2D(), Conv2D(8, 5), Conv2D(8, 5), GlobalAvgPool2D(), Output(10)], (1, 8, 8))
    assert mended.before is None and mended.price is None and mended.after is not None
    assert mended.steps[0].title == 'Set padding="same" on conv2d2, conv2d3'
    assert not [finding for finding in mended.findings if finding.severity == "error"]
    assert "in all" not in str(mended) and mended.to_dict()["price"] is None
    with pytest.raises(RuleError, match="goal is 'wider' but must be one of deeper, cheaper"):
        mend([Dense(3)], (4,), "wider")
