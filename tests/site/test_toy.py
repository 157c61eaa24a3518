"""The toy: a point, its path and its log-density, in numbers that are torch's."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect
from torch import Tensor

from implementations.core.flow import Flow
from implementations.figures import toy
from scripts.base.project import ROOT
from scripts.execute.figures import PICTURES
from tests.site.conftest import open_tab
from tests.support.visit import PHONE, Visit

FILES = sorted((ROOT / PICTURES).glob("toy-*.json"))
EVALUATE = """async ([script, file, points]) => {
  const { Flow } = await import(script)
  const flow = new Flow(await (await fetch(file)).json())
  return points.map(x => {
    const { stages, base, logDets } = flow.follow(x)
    const inverted = flow.generate(stages[0]).at(-1)
    return [...stages[0], base, logDets.reduce((a, b) => a + b), ...inverted]
  })
}"""


def trained(target: str, kind: str) -> Flow:
    path = ROOT / PICTURES / f"toy-{target}-{kind}.json"
    return toy.decode(path.read_text("utf-8")).double()


@torch.no_grad()
def by_torch(flow: Flow, x: Tensor) -> Tensor:
    """z, log p(z), log|det| and the inverse at z, of shape (batch, 6)."""
    z, log_det = flow.bijection(x)
    numbers = torch.stack((flow.base.log_prob(z), log_det), 1)
    return torch.cat((z, numbers, flow.bijection.inverse(z)[0]), 1)


@pytest.mark.sampled
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_the_browser_computes_what_torch_does(visit: Visit, file: Path) -> None:
    page = visit.open("exports/")
    # Knots and edges of splines are among them.
    side = torch.linspace(-3.5, 3.5, 15).double()
    x = torch.cartesian_prod(side, side)
    scripts, data = f"{visit.root}assets/flows.js", f"{visit.root}assets/figures/"
    numbers = page.evaluate(EVALUATE, [scripts, data + file.name, x.tolist()])
    found = torch.tensor(numbers, dtype=torch.double)
    wanted = by_torch(toy.decode(file.read_text("utf-8")).double(), x)
    torch.testing.assert_close(found[:, :4], wanted[:, :4], rtol=1e-9, atol=1e-9)
    # Torch's residual layers stop iterating at a tolerance of 1e-5.
    torch.testing.assert_close(found[:, 4:], wanted[:, 4:], rtol=1e-3, atol=1e-3)


def handle(page: Page) -> Locator:
    return page.get_by_role("slider", name="The point: arrow keys move it")


def place(page: Page) -> Locator:
    return page.locator(".journey .player output")


def shown(page: Page, name: str) -> list[float]:
    """The numbers that stand in one of the places."""
    text = page.locator(f"[data-number={name}]").inner_text().replace("−", "-")
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def tap(page: Page, right: float = 0.66, down: float = 0.3) -> None:
    """Tap the picture, as far from its corner as these parts of its side."""
    canvas = page.locator(".journey canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    position = {"x": right * box["width"], "y": down * box["height"]}
    canvas.click(position={"x": position["x"], "y": position["y"]})


def at_rest(visit: Visit, path: str = "") -> Page:
    visit.page.emulate_media(reduced_motion="reduce")
    page = visit.open(path)
    expect(place(page)).to_have_text("the data")
    return page


def awake(visit: Visit) -> Page:
    page = at_rest(visit)
    tap(page)
    expect(page.locator("[data-number=total]")).not_to_have_text("–")
    return page


def check_numbers(page: Page, flow: Flow) -> None:
    """Compare all that is shown with what torch says of the point that is shown."""
    x = torch.tensor([shown(page, "x")]).double()
    with torch.no_grad():
        z, log_det = flow.bijection(x)
        log_p = flow.log_prob(x).item()
    (total,), (base,), (layers,) = (shown(page, n) for n in ("total", "base", "layers"))
    assert total == pytest.approx(base + layers, abs=1e-9)
    assert total == pytest.approx(log_p, abs=0.0011)
    assert layers == pytest.approx(log_det.item(), abs=0.0006)
    assert shown(page, "z") == pytest.approx(z[0].tolist(), abs=0.006)
    each = shown(page, "each")
    assert shown(page, "units") == [len(each)]
    assert sum(each) == pytest.approx(layers, abs=0.006 * len(each))


def test_a_tap_tells_the_density_of_the_point(visit: Visit) -> None:
    page = awake(visit)
    expect(page.locator(".journey")).to_have_attribute("data-reach", str(toy.REACH))
    assert shown(page, "x") == pytest.approx([1.02, 1.28], abs=0.03)
    check_numbers(page, trained("swirl", "spline"))


@pytest.mark.thorough
def test_every_flow_tells_its_numbers(visit: Visit) -> None:
    page = awake(visit)
    menus = {
        name: page.locator(f".journey select[name={name}]")
        for name in ("target", "flow")
    }
    offered = {
        name: menu.locator("option").evaluate_all("all => all.map(o => o.value)")
        for name, menu in menus.items()
    }
    assert offered == {"target": [*toy.AIMS], "flow": [*toy.RECIPES]}
    assert len(FILES) == len(toy.AIMS) * len(toy.RECIPES)
    pairs = [("swirl", kind) for kind in toy.RECIPES]
    pairs += [(target, "continuous") for target in toy.AIMS]
    for target, kind in pairs[1:]:
        menus["target"].select_option(target)
        menus["flow"].select_option(kind)
        loaded = f"By {'step' if kind == 'continuous' else 'layer'}: "
        flow = trained(target, kind)
        wait_for_numbers(page, flow)
        expect(page.locator("[data-number=each]")).to_contain_text(loaded)
        check_numbers(page, flow)
        expect(place(page)).to_have_text("the data")


def wait_for_numbers(page: Page, flow: Flow) -> None:
    """Wait until this flow has been loaded and its numbers are shown."""
    x = torch.tensor([shown(page, "x")]).double()
    with torch.no_grad():
        log_p = flow.log_prob(x).item()
    page.wait_for_function(
        """log_p => {
          const { textContent } = document.querySelector("[data-number=total]")
          return Math.abs(Number(textContent.replace("−", "-")) - log_p) < 0.0011
        }""",
        arg=log_p,
    )


@pytest.mark.thorough
def test_the_point_is_moved_by_keys_and_its_numbers_are_spoken(visit: Visit) -> None:
    page = awake(visit)
    x, y = shown(page, "x")
    expect(handle(page)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("[data-number=x]")).to_have_text(
        f"({x + 0.05:.2f}, {y - 0.5:.2f})"
    )
    check_numbers(page, trained("swirl", "spline"))
    total = page.locator("[data-number=total]").inner_text()
    said = page.locator(".journey [aria-live=polite]")
    expect(said).to_contain_text(f"log p of ({x + 0.05:.2f}, {y - 0.5:.2f}) is {total}")
    expect(handle(page)).to_have_attribute(
        "aria-valuetext", f"{x + 0.05:.2f}, {y - 0.5:.2f}"
    )


@pytest.mark.thorough
def test_the_point_is_drawn_along_in_every_stage(visit: Visit) -> None:
    page = awake(visit)
    slider = page.get_by_role("slider", name="How far the points have flowed")
    slider.focus()
    page.keyboard.press("Home")
    expect(place(page)).to_have_text("the base")
    tap(page, 0.5, 0.4)
    assert shown(page, "z") == pytest.approx([0.0, 0.64], abs=0.03)
    flow = trained("swirl", "spline")
    with torch.no_grad():
        z = torch.tensor([shown(page, "z")]).double()
        x = flow.bijection.inverse(z)[0]
        log_p = flow.log_prob(x).item()
    assert shown(page, "x") == pytest.approx(x[0].tolist(), abs=0.006)
    assert shown(page, "total") == pytest.approx([log_p], abs=0.0011)


@pytest.mark.thorough
def test_a_flow_that_is_chosen_plays_once(visit: Visit) -> None:
    page = visit.open("")
    page.locator(".journey select[name=flow]").select_option("affine")
    expect(place(page)).to_have_text(re.compile("of 8"))
    expect(place(page)).to_have_text("the data")
    check_numbers(page, trained("swirl", "affine"))
    notebook = page.get_by_role("link", name="The notebook of this flow")
    expect(notebook).to_have_attribute("href", re.compile("notebooks/real_nvp/"))


def test_what_the_toy_needs_comes_on_demand(first_visit: Visit) -> None:
    asked: list[str] = []
    first_visit.page.on("request", lambda request: asked.append(request.url))
    page = at_rest(first_visit)
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if re.search(r"toy|flows\.js", url)]
    tap(page)
    expect(page.locator("[data-number=total]")).not_to_have_text("–")
    assert [url for url in asked if url.endswith("toy-swirl-spline.json")]


def test_a_flow_weighs_at_most_60_kb() -> None:
    for path in FILES:
        assert len(gzip.compress(path.read_bytes(), 6)) <= 60_000, path.name


@pytest.fixture
def phone(browser: Browser, root: str) -> Iterator[Page]:
    page = open_tab(browser, viewport=PHONE, has_touch=True, is_mobile=True)
    page.emulate_media(reduced_motion="reduce")
    page.goto(root)
    expect(place(page)).to_have_text("the data")
    yield page
    page.context.close()


def swipe(page: Page, start: Locator, by: tuple[float, float]) -> None:
    """Move a finger from the middle of an element."""
    box = start.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, part: float | None = None) -> None:
        at = [] if part is None else [{"x": x + part * by[0], "y": y + part * by[1]}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", 0)
    for k in range(1, 11):
        touch("touchMove", k / 10)
    touch("touchEnd")
    session.detach()


@pytest.mark.thorough
def test_a_finger_moves_the_point_and_scrolls_the_page(phone: Page) -> None:
    canvas = phone.locator(".journey canvas")
    box = canvas.bounding_box()
    assert box
    phone.touchscreen.tap(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"])
    expect(phone.locator("[data-number=total]")).not_to_have_text("–")
    x, y = shown(phone, "x")
    before = phone.evaluate("scrollY")
    # Past the middle, where the next finger begins.
    swipe(phone, handle(phone), (-100, 110))
    expect(phone.locator("[data-number=x]")).not_to_have_text(f"({x:.2f}, {y:.2f})")
    assert shown(phone, "x")[0] < x - 0.5
    assert shown(phone, "x")[1] < y - 0.5
    assert phone.evaluate("scrollY") == before
    moved = shown(phone, "x")
    swipe(phone, canvas, (0, -200))
    phone.wait_for_function("before => scrollY > before + 50", arg=before)
    assert shown(phone, "x") == moved


@pytest.mark.thorough
@pytest.mark.published
def test_nice_opens_with_the_toy(visit: Visit) -> None:
    page = at_rest(visit, "notebooks/nice/")
    assert page.locator("h1 ~ .journey ~ h2").count() > 0
    expect(page.locator("[data-number=total]")).not_to_have_text("–")
    flow = trained("moons", "additive")
    check_numbers(page, flow)
    # Its layers are shears: what they add is the same everywhere.
    layers = shown(page, "layers")
    tap(page, 0.4, 0.6)
    check_numbers(page, flow)
    assert shown(page, "layers") == layers
