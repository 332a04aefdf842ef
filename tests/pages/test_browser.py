"""The page in a browser that has no network.  Needs playwright, and Chromium as Debian installs it."""

import os
import shutil
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

REPO = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
AXE = Path(os.environ.get("NODE_MODULES", REPO / "node_modules")) / "axe-core" / "axe.min.js"
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, page, tmp_path):
    """Open the report from its file with all addresses but that one blocked; complaints and requests end the test."""
    page.save(tmp_path / "net.html")
    address = (tmp_path / "net.html").as_uri()
    complaints, contexts = [], []

    def route(request):
        if request.request.url.partition("#")[0] == address:
            request.continue_()
        else:
            complaints.append(f"asked for {request.request.url}")
            request.abort()

    def open_page(width, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=False)
        context.route("**/*", route)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(address)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.mark.parametrize("width", [390, 1280])
def test_it_renders_without_sideways_scroll(visit, width):
    tab = visit(width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert tab.locator("section:visible").count() == 15
    cut = """[...document.querySelectorAll('main *')].filter(each => {
        const box = each.getBoundingClientRect();
        return box.width > 1 && box.right > innerWidth + 1 && !each.closest('.scroll, pre, .hidden');
    }).map(each => each.outerHTML.slice(0, 80))"""
    assert tab.evaluate(cut) == []


def test_pointing_at_a_layer_or_moving_to_it_shows_its_field(visit, taught):
    tab = visit(1280)

    def shown():
        return [float(tab.locator("#seen").get_attribute(side)) for side in ("y", "height", "x", "width")]

    for layer, reach in (("conv2d1", lambda row: row.hover()), ("conv2d3", lambda row: row.locator("button").focus())):
        reach(tab.locator(f"tr[data-layer={layer}]"))
        (top, bottom), (left, right) = taught[0].analysis_.region(layer).clipped
        assert shown() == [top, bottom - top + 1, left, right - left + 1]
        assert layer in tab.locator("#seen-text").inner_text()
    tab.locator(".drawing g.layer").first.hover()
    assert shown() == [6, 1, 8, 1]  # a unit of the input sees itself


def test_a_click_on_a_head_sorts_and_another_one_turns_the_order(visit, taught):
    tab = visit(1280)
    params = [layer.params for layer in taught[0].analysis_.layers]
    head = tab.locator("#layer-table thead th").nth(5)
    for order in ("ascending", "descending"):
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == order
        values = tab.evaluate(
            "[...document.querySelectorAll('#layer-table tbody td:nth-child(6)')].map(c => +c.dataset.value)"
        )
        assert values == sorted(params, reverse=order == "descending")
    tab.locator("#layer-table thead th button").first.click()
    names = [layer.name for layer in taught[0].analysis_.layers]
    assert tab.locator("#layer-table tbody th").all_inner_texts() == names


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm install --no-save axe-core, or set NODE_MODULES")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_no_violation(visit, width, scheme):
    tab = visit(width, scheme)
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']}).then(result => result.violations)")
    assert [(each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in found] == []
