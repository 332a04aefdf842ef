"""What the README shows is what happens."""

import re
from pathlib import Path

import pytest
from torch import nn

README = (Path(__file__).parents[2] / "README.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHOWN = [text.splitlines() for text in re.findall(r"```text\n(.*?)```", README, re.DOTALL)]
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


class MyResNet(nn.Module):
    """Stands for the reader's own: a stem for photographs, and a block with a shortcut."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.first, self.second = nn.Conv2d(16, 16, 3, 1, 1), nn.Conv2d(16, 16, 3, 1, 1)
        self.head = nn.Linear(16, 10)

    def forward(self, images):
        maps = self.stem(images)
        maps = (maps + self.second(self.first(maps).relu())).relu()
        return self.head(maps.mean((2, 3)))


def test_the_code_runs_and_prints_what_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"MyResNet": MyResNet}
    printed = []
    for block in CODE:
        exec(block, names)
        printed += capsys.readouterr().out.splitlines()
    for lines in SHOWN:
        for line in lines:
            assert line == "..." or line in printed
    assert (tmp_path / "digits.safetensors").exists()


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("depthwise")])
def test_the_commands_are_commands(line, monkeypatch, capsys):
    from depthwise.cli import main

    words = line.split("#")[0].split()
    if words[1] in ("train", "test", "predict", "look", "report", "search", "export") or "mynet.py:Net" in words:
        words = [*words[:2], "--help"]  # photos/ and mynet.py are the reader's
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as end:
        main()
        raise SystemExit(0)
    assert end.value.code in ((0, 1) if words[1] == "check" else (0,)), capsys.readouterr().err
