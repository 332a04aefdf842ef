"""The generated pages say what the docstrings say."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"

spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", generate.PAGES)
def test_no_page_is_stale(name):
    assert (DOCS / name).read_text() == generate.PAGES[name](), "run `make docs`"
