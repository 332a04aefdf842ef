"""How findings are chosen and told."""

import json

import pytest
from torch import nn
from torch.nn import functional
from tutorial_networks import DIGITS, NET1, NET2, NET3

from depthwise.errors import RuleError, SizeError
from depthwise.graph import Graph
from depthwise.layers import Conv2D, Dense, GlobalAvgPool2D, Input, Output
from depthwise.network import check
from depthwise.rules import RULES, Checked, check_graph, sarif_log, write_github


def test_findings_print_as_a_linter_does(golden):
    golden("findings_net2.txt", str(check(NET2, DIGITS)))
    golden("findings_net3.txt", str(check(NET3, DIGITS)))


def test_lines_keep_within_80_columns():
    text = str(check(NET3, DIGITS))
    assert max(map(len, text.splitlines())) <= 80
    assert "\033" not in text


def test_the_form_of_one_finding():
    (finding,) = check(NET2, DIGITS, select=["CAP001"])
    assert str(finding) == (
        "conv2d9..conv2d10: CAP001 low-capacity warning: capacity 15.8 % < 16.7 %, down to 14.3 % "
        "(filter 3 px, reach 19 px). Put MaxPool2D() before conv2d9 [*]."
    )
    assert finding.layers == ("conv2d9", "conv2d10")


def test_the_gravest_come_first():
    order = ["error", "warning", "info"]
    found = [order.index(finding.severity) for finding in check(NET3, DIGITS, n_outputs=3)]
    assert found == sorted(found) and found[0] == 0


@pytest.mark.parametrize(
    ("select", "ignore", "codes"),
    [
        (["CAP"], [], {"CAP001"}),
        ("CAP,HED", [], {"CAP001", "HED003"}),
        (["low-capacity"], [], {"CAP001"}),
        ([], ["SHP", "NRM004", "pool-before-head"], {"CAP001"}),
        (["CAP"], ["CAP001"], set()),
    ],
)
def test_rules_are_chosen_by_code_beginning_or_name(select, ignore, codes):
    assert {finding.code for finding in check(NET2, DIGITS, select=select, ignore=ignore)} == codes


def test_an_unknown_code_or_profile_is_refused():
    with pytest.raises(RuleError, match=r"there is no rule 'low-capacty'\. Did you mean 'low-capacity'\? `depthw"):
        check(NET2, DIGITS, select=["low-capacty"])
    with pytest.raises(RuleError, match="there is no rule ''"):
        check(NET2, DIGITS, ignore=[""])
    with pytest.raises(
        RuleError, match="profile is 'cats' but must be one of natural, digits, segmentation, detection"
    ):
        check(NET2, DIGITS, profile="cats")


def test_a_network_that_does_not_fit_is_a_finding_not_an_exception():
    findings = check([Conv2D(8), *[Conv2D(8, 5)] * 2, Output(10)], (1, 8, 8))
    assert [finding.code for finding in findings] == ["SHP001"]
    assert findings[0].message == "a 5x5 kernel does not fit into its 2x2 input"
    assert ("CAP001", "the network does not fit to the images") in findings.not_applicable


def test_a_missing_or_contradicted_shape_is_an_exception():
    with pytest.raises(SizeError, match="Give input_shape="):
        check([Conv2D(8), Output(10)])
    with pytest.raises(SizeError, match="declares images of 1x8x8 but input_shape is 1x9x9"):
        check([Input((1, 8, 8)), Conv2D(8), Output(10)], (1, 9, 9))


def test_an_own_rule_may_be_added():
    from depthwise.rules.rule import rule

    @rule("OWN001", "warning", title="x", why="x", source="x", bad=RULES[0].bad, good=RULES[0].good)
    def too_short(facts):
        if len(facts.weighted) < 3:
            yield too_short.finding([facts.last.node.layer], "too short")

    findings = check_graph(Graph.from_layers([Conv2D(8), Output(10)]), (1, 8, 8), rules=(*RULES, too_short))
    assert "OWN001" in {finding.code for finding in findings}


def test_github_annotations_escape_what_the_format_uses():
    line = write_github([Checked("net.py:Net", check(NET2, DIGITS, select=["CAP"]), "net,1.py", 3)])
    assert line.startswith("::warning file=net%2C1.py,line=3,title=CAP001 low-capacity::conv2d9..conv2d10: CAP001 ")
    assert "15.8 %25 < 16.7 %25" in line


def test_sarif_names_rules_levels_and_places():
    log = sarif_log([Checked("net.py:Net", check(NET1, DIGITS), "net.py", 3)], RULES, "1.0")
    (run,) = json.loads(json.dumps(log))["runs"]
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {rule.code for rule in RULES}
    first = run["results"][0]
    assert (first["ruleId"], first["level"]) == ("SHP003", "warning")
    location = first["locations"][0]
    assert location["physicalLocation"] == {"artifactLocation": {"uri": "net.py"}, "region": {"startLine": 3}}
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "net.py:Net/maxpool2d5"


def test_prices_tell_both_sides():
    (finding,) = check(NET2, DIGITS, select=["CAP001"])
    price = finding.remedies[0].price
    assert (price.before.params, price.after.params) == (273930, 212490)
    assert str(price).startswith("params 274 k -> 212 k, MACs 40 M -> 34.6 M")


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (nn.CrossEntropyLoss(label_smoothing=0.1), "CrossEntropyLoss"),
        (nn.CrossEntropyLoss, "CrossEntropyLoss"),
        (functional.cross_entropy, "cross_entropy"),
        ("nn.CrossEntropyLoss", "CrossEntropyLoss"),
        ("torch.nn.functional.cross_entropy", "cross_entropy"),
    ],
    ids=["object", "class", "function", "class name", "function name"],
)
def test_a_loss_is_told_by_name_class_object_or_function(loss, name):
    (finding,) = check([Conv2D(8), Dense(10, "softmax")], (1, 8, 8), select=["HED001"], loss=loss)
    assert finding.message == f"softmax before loss {name!r}"


def test_an_own_loss_is_one_that_no_rule_knows():
    def own(output, target):
        return (output - target).abs().mean()

    for loss in (own, "mse_loss", nn.MSELoss(), "squared_error"):
        assert not check([Conv2D(8), Dense(10, "softmax")], (1, 8, 8), select=["HED001"], loss=loss)


def test_an_unknown_loss_is_refused_with_the_closest_one():
    with pytest.raises(RuleError, match=r"loss is 'cros_entropy', .* Did you mean 'cross_entropy'\? Give a name of"):
        check([Conv2D(8), Output(10)], (1, 8, 8), loss="cros_entropy")
    for loss in ("foo", "", 3, "L2Loss"):
        with pytest.raises(RuleError, match="which is no known loss"):
            check([Conv2D(8), Output(10)], (1, 8, 8), loss=loss)


def test_no_pool_is_put_directly_behind_a_pool():
    titles = [
        remedy.title
        for finding in check("32C3-MP2-64C3-64C3-MP2-64N-10N", (1, 28, 28), select=["COV004"])
        for remedy in finding.remedies
    ]
    assert titles == ["Add convolutions or a pooling layer between them, or dilate the last ones"]


def test_one_of_a_kind_is_not_told_as_many():
    (finding,) = check([Conv2D(16, 7), GlobalAvgPool2D(), Output(10)], (1, 14, 14), select=["SHP009"])
    assert finding.message.startswith("1 unpadded convolution eats 42.9 % of the side")
