"""Random networks are checked and fixed without an exception, and no fix makes an error."""

from dataclasses import replace
from random import Random

import pytest
from strategies import random_layers

from depthwise.errors import DepthwiseError, GraphError
from depthwise.graph import Graph
from depthwise.layers import Conv2D, Dense, MaxPool2D
from depthwise.mending import apply, fix_all
from depthwise.network import check
from depthwise.rules import RULES

LOSSES = (None, "cross_entropy", "nll_loss")
PROFILES = ("natural", "natural", "natural", "digits", "segmentation")


def draw(rng: Random):
    """A random list, or a rule's bad example with layers left out, doubled or changed; with random facts."""
    if rng.random() < 0.5:
        layers, shape = random_layers(rng, open_output=True)
        layers = list(layers)
    else:
        example = rng.choice(RULES).bad
        layers, shape = list(example.layers), example.input_shape
        for _ in range(rng.randint(0, 3)):
            place = rng.randrange(len(layers))
            match rng.randint(0, 3):
                case 0 if len(layers) > 2:
                    del layers[place]
                case 1:
                    layers.insert(place, layers[place])
                case 2:
                    layers.insert(place, rng.choice((MaxPool2D(), MaxPool2D(4), Conv2D(8, 5), Conv2D(8, 2), Dense(20))))
                case 3:
                    shape = (shape[0], *(max(1, side + rng.randint(-6, 6)) for side in shape[1:]))
    if rng.random() < 0.5:
        layers = [replace(layer, activation=None) if hasattr(layer, "activation") and rng.random() < 0.3
                  and type(layer).__name__ != "Activation" else layer for layer in layers]  # fmt: skip
    facts = {
        "n_outputs": rng.choice((None, None, 10, 3)),
        "loss": rng.choice(LOSSES),
        "batch_size": rng.choice((None, 1, 32)),
        "profile": rng.choice(PROFILES),
    }
    return tuple(layers), shape, facts


def errors(findings):
    return sum(finding.severity == "error" for finding in findings)


def run(count, seed, fix):
    """Check (and fix) so many networks; codes that were found."""
    rng, codes, networks = Random(seed), set(), 0
    while networks < count:
        layers, shape, facts = draw(rng)
        try:
            Graph.from_layers(layers)
        except GraphError:  # an own name twice, or an input left out: no network at all
            continue
        networks += 1
        findings = check(layers, shape, **facts)
        codes |= {finding.code for finding in findings}
        assert str(findings) and findings.to_dict()
        for finding in findings:
            for remedy in finding.remedies:
                if remedy.fix is not None:
                    assert_applied(layers, shape, remedy)
        if fix:
            mended = fix_all(layers, shape, unsafe=rng.random() < 0.5, **facts)
            assert errors(mended.findings) <= errors(findings)
            assert not [one for one in mended.findings if one.fix and one.fix.safe and applicable(mended.network, one)]
    return codes


def assert_applied(layers, shape, remedy):
    """The list says what the edited graph says, or one clear error tells that no list can."""
    edited = Graph.from_layers(layers).edit(remedy.fix.edits)
    try:
        changed = Graph.from_layers(apply(remedy, layers))
    except DepthwiseError as error:
        assert str(error).endswith(".")
        return
    assert outline(changed, shape) == outline(edited, shape)


def outline(graph, shape):
    """What is done to what, without names and order, from the end; a flatten of flat values does nothing."""
    told = {}
    for node in graph.at(shape).nodes:
        inputs = tuple(told[name] for name in node.node.inputs)
        flatten = type(node.op).__name__ == "Flatten"
        told[node.name] = inputs[0] if flatten else hash((node.op, node.output_shape, inputs))
    return sorted(set(told.values())), told[graph.nodes[-1].name]


def applicable(network, finding):
    try:
        apply(finding, network)
    except DepthwiseError:
        return False
    return True


def test_a_few_random_networks():
    run(60, seed=1, fix=False)
    run(12, seed=2, fix=True)


@pytest.mark.slow
def test_a_thousand_random_networks_in_which_every_rule_of_architectures_fires():
    assert run(1000, seed=0, fix=True) == {rule.code for rule in RULES if "health" not in rule.needs}
