"""Each rule: declared completely, its bad example fires, its good one keeps all rules, its fix silences it."""

import re
from pathlib import Path

import pytest

import depthwise.rules
from depthwise.graph import Graph
from depthwise.mending import apply
from depthwise.rules import FAMILIES, RULES, Example, check_graph

ROOM = Path(depthwise.rules.__file__).parent
ENGINE = {
    "__init__",
    "checking",
    "facts",
    "finding",
    "findings",
    "forms",
    "losses",
    "misfits",
    "register",
    "remedies",
    "rule",
    "settings",
    "torch_words",
    "trained",
    "wording",
}
MOST_FIXES = 12


def check_example(example: Example, layers=None):
    return check_graph(
        Graph.from_layers(example.layers if layers is None else layers),
        example.input_shape,
        n_outputs=example.n_outputs,
        loss=example.loss,
        batch_size=example.batch_size,
        health=example.health,
    )


def of_rule(findings, rule):
    return [finding for finding in findings if finding.code == rule.code]


every_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])


def test_the_register_is_the_folder():
    files = {path.stem for path in ROOM.glob("*.py")} - ENGINE
    assert files == {rule.check.__name__ for rule in RULES}
    assert all(rule.check.__module__ == f"depthwise.rules.{rule.check.__name__}" for rule in RULES)


def test_no_rule_knows_another():
    names = {rule.check.__name__ for rule in RULES}
    for name in names:
        imported = re.findall(r"^from depthwise\.rules\.(\w+) import", (ROOM / f"{name}.py").read_text(), re.MULTILINE)
        assert not set(imported) & names, name


def test_codes_and_names_are_unique_and_codes_are_families():
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    assert all(re.fullmatch(r"[A-Z]{3}\d{3}", rule.code) and rule.code[:3] in FAMILIES for rule in RULES)
    families = [rule.code[:3] for rule in RULES]
    assert families == sorted(families, key=families.index), "a family stands together"


@every_rule
def test_a_rule_says_what_why_and_whence(rule):
    for text in (rule.title, rule.why, rule.source):
        assert len(text) > 10 and text.endswith(".")
    assert rule.check.__doc__
    assert rule.bad != rule.good


@every_rule
def test_the_bad_example_fires(rule):
    found = of_rule(check_example(rule.bad), rule)
    assert found
    names = {node.layer for node in Graph.from_layers(rule.bad.layers).nodes}
    for finding in found:
        assert names.issuperset(finding.layers) and finding.place
        assert not finding.message.endswith(".") and not any(r.title.endswith(".") for r in finding.remedies)


@every_rule
def test_the_good_example_keeps_all_rules(rule):
    findings = check_example(rule.good)
    assert not findings, str(findings)


@every_rule
def test_the_fix_silences_the_rule(rule):
    layers, findings = rule.bad.layers, check_example(rule.bad)
    errors = {finding.code for finding in findings if finding.severity == "error"}
    for _ in range(MOST_FIXES):
        found = of_rule(findings, rule)
        fixable = [finding for finding in found if finding.fix]
        if not fixable:
            break
        layers = apply(fixable[0], layers)
        findings = check_example(rule.bad, layers)
    assert not fixable and (not found or layers == rule.bad.layers)
    assert {finding.code for finding in findings if finding.severity == "error"} <= errors


@every_rule
def test_every_remedy_that_has_a_fix_can_be_applied_and_has_its_price(rule):
    for finding in of_rule(check_example(rule.bad), rule):
        for remedy in finding.remedies:
            if remedy.fix is None:
                continue
            after = Graph.from_layers(apply(remedy, rule.bad.layers)).at(rule.bad.input_shape)
            edited = Graph.from_layers(rule.bad.layers).edit(remedy.fix.edits).at(rule.bad.input_shape)
            assert shapes(after) == shapes(edited)
            if remedy.trial is not None:
                assert remedy.price.after.params == sum(node.node.params or 0 for node in after.nodes)


def shapes(graph):
    """What is done, without names; an implied flatten may stand where there is nothing left to flatten."""
    return [(node.op, node.output_shape) for node in graph.nodes if type(node.op).__name__ != "Flatten"]


@every_rule
def test_findings_become_plain_values(rule):
    import json

    findings = check_example(rule.bad)
    assert json.loads(json.dumps(findings.to_dict()))["findings"][0]["code"] == findings[0].code
    assert all(finding.code in findings._repr_html_() for finding in findings)


@every_rule
def test_a_missing_fact_means_not_applicable(rule):
    bare = check_graph(Graph.from_layers(rule.bad.layers), rule.bad.input_shape)
    needed = {"n_outputs", "loss", "batch_size", "health"} & set(rule.needs)
    if needed:
        assert rule.code in dict(bare.not_applicable) and not of_rule(bare, rule)


@every_rule
def test_a_profile_silences_what_makes_no_sense(rule):
    for profile in ("natural", "digits", "segmentation", "detection"):
        example = rule.bad
        findings = check_graph(
            Graph.from_layers(example.layers), example.input_shape, n_outputs=example.n_outputs, loss=example.loss,
            batch_size=example.batch_size, profile=profile, health=example.health,
        )  # fmt: skip
        assert profile in rule.profiles or not of_rule(findings, rule)
