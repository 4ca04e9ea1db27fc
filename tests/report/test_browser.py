"""The page in a browser: what a reader sees and does with it, on a screen, a phone, paper, and with a keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.pages import HOSTILE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright comes with the extra `lab`")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium in PATH")

A4 = 794
"""Width of A4 in CSS pixels."""
MARGINS = round(2 * 12 / 25.4 * 96)
Open = Callable[..., Any]

WIDER = """(limit) => [...document.querySelectorAll('body *')]
    .filter(one => !one.closest('svg svg, svg *') || one.tagName === 'svg')
    .filter(one => { const box = one.getBoundingClientRect(); return box.width && box.right > limit + 1; })
    .map(one => `${one.tagName} ${one.className} ${Math.round(one.getBoundingClientRect().right)}`)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open a page; whatever it asks of the network or complains of on the console fails the test."""
    complaints: list[str] = []
    contexts = []

    def show(page: str, *, width: int = 1280, height: int = 900, **options: Any) -> Any:
        path = tmp_path / "page.html"
        path.write_text(page, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda said: complaints.append(f"console: {said.text}"))
        tab.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        tab.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.on("request", lambda asked: complaints.append(asked.url) if asked.url != path.as_uri() else None)
        tab.goto(path.as_uri())
        return tab

    yield show
    for context in contexts:
        context.close()
    assert [one for one in complaints if not one.startswith("data:")] == []


def column(tab: Any, table: str, number: int) -> list[str]:
    """What the visible rows of a table have in a column."""
    texts: list[str] = tab.eval_on_selector_all(
        f"#table-{table} tbody tr:not([hidden]) td:nth-child({number})", "cells => cells.map(cell => cell.innerText)"
    )
    return texts


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_verdict_is_seen_at_once(show: Open, dead: str, scheme: str) -> None:
    tab = show(dead, color_scheme=scheme)
    verdict = tab.locator("section.verdict")
    assert verdict.is_visible() and "192.168.10.10 is reached directly" in verdict.inner_text()
    box = verdict.bounding_box()
    assert box["y"] + box["height"] < 600
    # The page's ground follows the system, and the figures' ground follows the page.
    ground = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    fills = tab.eval_on_selector_all(
        "figure svg > g > g:first-child > path, figure svg > g > path",
        "all => all.map(one => getComputedStyle(one).fill)",
    )
    assert fills and ground in fills and ("rgb(255, 255, 255)" in fills) == (scheme == "light")


def test_figures_have_colours_and_size(show: Open, dead: str) -> None:
    """Styles of figures are classes of the page's one style sheet: the policy would have dropped any other."""
    tab = show(dead)
    for figure in tab.locator("figure svg").all():
        box = figure.bounding_box()
        assert box["width"] > 500 and box["height"] > 80
    inks = set(tab.eval_on_selector_all("figure svg text", "all => all.map(one => getComputedStyle(one).fontSize)"))
    assert inks and inks != {"16px"}


def test_a_click_sorts_and_another_turns_it_round(show: Open, many: str) -> None:
    tab = show(many)
    before = column(tab, "sessions", 1)
    head = tab.locator("#table-sessions thead button").first
    head.click()
    assert tab.locator("#table-sessions thead th").first.get_attribute("aria-sort") == "ascending"
    assert [int(one) for one in column(tab, "sessions", 1)] == list(range(1, 1001)) != [int(one) for one in before]
    head.click()
    assert tab.locator("#table-sessions thead th").first.get_attribute("aria-sort") == "descending"
    assert [int(one) for one in column(tab, "sessions", 1)] == list(range(1000, 0, -1))
    tab.locator("#table-sessions thead button", has_text="state").click()
    states = [one.split()[-1] for one in column(tab, "sessions", 2)]
    assert states == sorted(states) and len(set(states)) == 2
    assert tab.locator("#table-sessions th[aria-sort]").count() == 1


def test_numbers_sort_as_numbers(show: Open, dead: str) -> None:
    tab = show(dead)
    tab.locator("#table-pairs-1 thead button", has_text="checks").last.click()
    place = [one.split("\n")[0].strip() for one in tab.locator("#table-pairs-1 thead th").all_inner_texts()].index(
        "checks"
    )
    numbers = [int(one.replace(",", "")) for one in column(tab, "pairs-1", place + 1)]
    assert numbers == sorted(numbers) and numbers[0] < 10 < numbers[-1]


def test_a_word_filters(show: Open, many: str) -> None:
    tab = show(many)
    field = tab.locator("#table-sessions input[type=search]")
    assert tab.get_by_label("Filter rows").count() >= 1
    field.fill("no-answer failed")
    shown = column(tab, "sessions", 3)
    assert 0 < len(shown) < 1000 and set(shown) == {"no-answer"}
    assert tab.locator("#table-sessions [role=status]").inner_text() == f"{len(shown)} of 1000 rows"
    field.fill("there is no such word")
    assert column(tab, "sessions", 3) == []
    field.fill("")
    assert len(column(tab, "sessions", 3)) == 1000


def test_the_overview_leads_to_the_failed_ones(show: Open, many: str) -> None:
    tab = show(many)
    link = tab.locator("#table-sessions a").first
    number = link.inner_text()
    link.click()
    assert tab.url.endswith(f"#session-{number}")
    assert tab.locator(f"#session-{number}").bounding_box()["y"] < 900


def test_a_filter_for_wireshark_is_copied(show: Open, dead: str) -> None:
    tab = show(dead, permissions=["clipboard-read", "clipboard-write"])
    tab.locator("button.copy").first.click()
    tab.get_by_text("copied").first.wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == tab.locator("code.filter").first.inner_text()


def test_with_the_keyboard_alone(show: Open, dead: str) -> None:
    tab = show(dead)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.locator(".skip").bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    head = tab.locator("#table-pairs-1 thead button").first
    for _ in range(200):
        tab.keyboard.press("Tab")
        if head.evaluate("one => one === document.activeElement"):
            break
    assert head.evaluate("one => getComputedStyle(one).outlineStyle") != "none"
    tab.keyboard.press("Enter")
    assert tab.locator("#table-pairs-1 thead th").first.get_attribute("aria-sort") == "ascending"


def test_without_scripts_it_is_complete(show: Open, dead: str) -> None:
    tab = show(dead, java_script_enabled=False)
    assert tab.locator("section.verdict").is_visible()
    assert tab.locator("button").count() == 0 and tab.locator("input").count() == 0
    assert tab.locator("#table-pairs-1 tbody tr").count() == 5
    assert "frame.number in {" in tab.locator("code.filter").first.inner_text()


@pytest.mark.parametrize("name", ["dead", "hostile", "many"])
def test_on_paper_nothing_is_cut_off(show: Open, name: str, request: pytest.FixtureRequest) -> None:
    tab = show(request.getfixturevalue(name), width=A4 - MARGINS)
    tab.emulate_media(media="print")
    for fold in tab.locator("details").all():
        fold.evaluate("one => one.open = true")
    assert tab.evaluate(WIDER, A4 - MARGINS) == []
    # A figure fits a page, with its heading and its words.
    heights = tab.eval_on_selector_all("figure svg", "all => all.map(one => one.getBoundingClientRect().height)")
    assert heights and max(heights) <= 225 / 25.4 * 96 + 1
    assert not tab.locator("nav").is_visible() and not tab.locator("button.copy").first.is_visible()


@pytest.mark.parametrize("name", ["dead", "hostile", "many"])
def test_on_a_phone_only_boxes_scroll_sideways(show: Open, name: str, request: pytest.FixtureRequest) -> None:
    tab = show(request.getfixturevalue(name), width=390, height=844, device_scale_factor=2, is_mobile=True)
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.locator("section.verdict").bounding_box()["y"] < 844
    boxes = tab.eval_on_selector_all(".box, .drawing, pre", "all => all.map(one => one.getBoundingClientRect().right)")
    assert boxes and max(boxes) <= 390


def test_hostile_words_are_read_and_nothing_else(show: Open, hostile: str) -> None:
    tab = show(hostile)  # a dialog would be a complaint
    words = tab.evaluate("document.body.textContent")
    assert all(text in words for text in HOSTILE.values())
    assert tab.locator("body img, body b, body iframe, main script").count() == 0
