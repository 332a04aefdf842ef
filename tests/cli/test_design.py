"""``depthwise design`` as a user would type it."""

import json

import pytest

import depthwise as dw

SMALL = ("design", "--input", "1x28x28", "--classes", "10", "--params", "50k")


def test_it_prints_the_designs_and_why_nothing_is_deeper(run):
    status, out, err = run(*SMALL, "--most", 3)
    assert (status, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 100
    assert out == dw.design((1, 28, 28), 10, budget=dw.Budget(params=5e4)).text(3) + "\n"
    assert "No design is deeper than 10 convolutions" in out


def test_it_prints_notations_and_json(run):
    designs = dw.design((1, 28, 28), 10, budget=dw.Budget(params=5e4))
    assert run(*SMALL, "--notation")[1].splitlines() == [one.notation for one in designs]
    assert json.loads(run(*SMALL, "--json")[1]) == designs.to_dict()


def test_it_writes_the_best_design(run, tmp_path):
    status, out, _ = run(*SMALL, "-o", tmp_path / "best.toml")
    assert status == 0
    assert out.splitlines()[-1].startswith("wrote 7-3 from 16: 10 convolutions")
    assert run("check", tmp_path / "best.toml", "--classes", "10")[0] == 0
    assert run(*SMALL, "-o", tmp_path / "best.py")[0] == 0
    assert "class Network(nn.Module):" in (tmp_path / "best.py").read_text()


def test_every_option_arrives(run):
    words = (
        "--macs",
        "1G",
        "--activations",
        "64MiB",
        "--training-memory",
        "2GiB",
        "--batch-size",
        8,
        "--kernel",
        "3x5",
    )
    rules = ("--downsampling", "stride", "--block", "separable", "--norm", "8", "--min-capacity", "1/8")
    found = run("design", "--input", "3x24x36", "--classes", 5, *words, *rules, "--coverage", 0.6, 1, "--measure",
                "receptive_field", "--json")  # fmt: skip
    assert found[0] == 0, found
    budget = dw.Budget(macs=1e9, activation_bytes=64 * 2**20, training_memory=2 * 2**30, batch_size=8)
    designs = dw.design(
        (3, 24, 36), 5, budget=budget, kernel_size=(3, 5), downsampling="stride", block="separable",
        norm=dw.GroupNorm(8), min_capacity=1 / 8, coverage=(0.6, 1), measure="receptive_field",
    )  # fmt: skip
    assert json.loads(found[1]) == designs.to_dict()
    words = ("design", "--input", "1x15x15", "--classes", 2, "--padding", "valid", "--downsampling", "none")
    designs = dw.design((1, 15, 15), 2, padding="valid", downsampling=None)
    assert run(*words, "--notation")[1].splitlines() == [one.notation for one in designs]


def test_no_design_is_status_1(run):
    status, out, err = run("design", "--input", "1x28x28", "--classes", "10", "--params", "100")
    assert (status, out) == (1, "")
    assert err.startswith("depthwise: no design for 1x28x28 images fits the budget. params is 100, but")
    status, out, _ = run("design", "--input", "1x28x28", "--classes", "10", "--params", "100", "--json")
    assert status == 1
    assert json.loads(out)["designs"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--params", "lots"), "--params is 'lots' but must be a number such as"),
        (("--macs", "5T"), "--macs is '5T' but must be"),
        (("--min-capacity", "1/0"), "--min-capacity is '1/0' but must be a number from 0 to 1"),
        (("--norm", "layer"), "norm is 'layer' but must be"),
        (("--coverage", "1", "0.5"), "coverage is (1.0, 0.5) but must be"),
        (("--input", "28x28"), "input_shape is (28, 28) but must be (channels, height, width)"),
        (("-o", "best.txt"), "best.txt: a design is written as .toml or .py."),
        (("-o", "no/such/folder/best.toml"), "best.toml: there is no folder no/such/folder. Make it, or"),
    ],
)
def test_wrong_use_is_status_2(run, words, message):
    status, _, err = run(*SMALL, *words)
    assert status == 2
    assert message in err


def test_it_draws_all_designs(run, tmp_path):
    status, out, err = run(*SMALL, "--plot", tmp_path / "designs.png")
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == f"wrote the picture of all to {tmp_path / 'designs.png'}"
    assert (tmp_path / "designs.png").read_bytes().startswith(b"\x89PNG")
    for name in ("designs", "designs.foo"):
        status, out, err = run(*SMALL, "-o", tmp_path / "best.toml", "--plot", tmp_path / name)
        assert (status, out) == (2, "") and f"{name}: a picture is written as .png, .svg, " in err
        assert not (tmp_path / "best.toml").exists()
    status, out, err = run(*SMALL, "--plot", tmp_path / "there" / "is" / "none.png")
    assert (status, out) == (2, "") and "there is no folder" in err
