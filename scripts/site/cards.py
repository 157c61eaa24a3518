"""The picture that other sites show beside a link to a page: drawn here, offline.

A page without a picture of its own, or with a title in letters that the font lacks,
shows the site's card.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from scripts.base.files import write_together
from scripts.base.text import people
from scripts.catalogue import Publication
from scripts.site.notebook_page import NotebookPage

SIZE = WIDTH, HEIGHT = 1200, 630
MARGIN, BAND = 72, 12
PAPER, INK, GREY, BLUE, ORANGE = "#fcfcfd", "#1d2230", "#5b6270", "#3f7ee8", "#e8663f"
COLOURS = 128


class Card(NamedTuple):
    """A card's texts and its `picture`, a PNG that is transparent where it is empty.

    `alt` tells what the picture shows.
    """

    title: str
    byline: str
    picture: bytes
    alt: str
    site: str

    @property
    def legible(self) -> bool:
        """True where the font has every letter of it."""
        return all(map(_has_glyph, {*self.title, *self.byline}))


def of_site(site: str, byline: str, picture: bytes, alt: str) -> Card:
    """Return the card of all pages without one of their own."""
    return Card(site, byline, picture, alt, site)


def of_papers(
    papers: Iterable[Publication], notebooks: Mapping[str, NotebookPage], site: str
) -> dict[str, Card]:
    """Id → card, by a notebook's picture, of papers that have one."""
    found = {}
    for paper in papers:
        notebook = notebooks.get(paper.id)
        if notebook and (figure := notebook.picture):
            picture = notebook.files[f"notebooks/{paper.id}/{figure.name}"]
            assert isinstance(picture, bytes)
            byline = f"{people(paper.authors)}, {paper.date.year}"
            card = Card(paper.title, byline, picture, figure.alt, site)
            if card.legible:
                found[paper.id] = card
    return found


def name_of(card: Card) -> str:
    """Name of the card's file, made of all that it depends on."""
    drawn = hashlib.sha256(Path(__file__).read_bytes())
    for part in card:
        data = part if isinstance(part, bytes) else part.encode("utf-8")
        drawn.update(len(data).to_bytes(8) + data)
    return f"{drawn.hexdigest()[:16]}.png"


def cached(card: Card, folder: Path) -> bytes:
    """Return the card as a PNG, from the folder where it was drawn before."""
    path = folder / name_of(card)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_together({path: draw(card)})
    return path.read_bytes()


def draw(card: Card) -> bytes:
    """Draw the card as a PNG: its words above its picture."""
    image = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(image)
    _band(image)
    small = _font("Regular", 30)
    if card.site != card.title:
        pen.text((MARGIN, 56), card.site, GREY, small)
    y = 104
    large, lines = _title(card.title)
    for line in lines:
        pen.text((MARGIN, y), line, INK, large)
        y += round(1.12 * large.size)
    y += 14
    for line in _broken(card.byline, small)[:2]:
        pen.text((MARGIN, y), line, GREY, small)
        y += 38
    _paste(image, card.picture, top=y + 28)
    packed = io.BytesIO()
    # A fast choice of colours, and no search for the smallest file: nothing to be seen.
    look = {"method": Image.Quantize.FASTOCTREE, "dither": Image.Dither.NONE}
    image.quantize(COLOURS, **look).save(packed, "PNG")
    return packed.getvalue()


def _band(image: Image.Image) -> None:
    """Draw the logo's colours along the upper edge."""
    step = Image.linear_gradient("L").rotate(90).resize((WIDTH, BAND))
    left, right = (Image.new("RGB", step.size, colour) for colour in (BLUE, ORANGE))
    image.paste(Image.composite(right, left, step))


def _title(title: str) -> tuple[ImageFont.FreeTypeFont, list[str]]:
    """Break the title into lines: in large letters two, else three of smaller ones."""
    large = _font("Semibold", 64)
    if len(lines := _broken(title, large)) <= 2:
        return large, lines
    small = _font("Semibold", 52)
    lines = _broken(title, small)
    return small, [*lines[:2], _cut(" ".join(lines[2:]), small)][:3]


def _broken(text: str, font: ImageFont.FreeTypeFont) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and _fits(longer := f"{lines[-1]} {word}", font):
            lines[-1] = longer
        else:
            lines.append(_cut(word, font))
    return lines


def _cut(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Cut the text where it would leave the card."""
    if _fits(text, font):
        return text
    kept = next(n for n in range(len(text), 0, -1) if _fits(f"{text[:n]}…", font))
    return f"{text[:kept].rstrip()}…"


def _fits(text: str, font: ImageFont.FreeTypeFont) -> bool:
    return font.getlength(text) <= WIDTH - 2 * MARGIN


def _paste(image: Image.Image, png: bytes, top: int) -> None:
    """Put the picture into what is left of the card, as large as it fits."""
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGBA")
    room = WIDTH - 2 * MARGIN, HEIGHT - top - 40
    factor = min(room[0] / picture.width, room[1] / picture.height)
    size = round(factor * picture.width), round(factor * picture.height)
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    image.paste(picture, (MARGIN, top + (room[1] - size[1]) // 2), picture)


@cache
def _font(weight: str, size: int) -> ImageFont.FreeTypeFont:
    name = f"SourceSansPro-{weight}.ttf"
    with as_file(files("font_source_sans_pro") / "files" / name) as path:
        # Without Raqm letters stand the same on every machine.
        return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@cache
def _has_glyph(letter: str) -> bool:
    # No font has a glyph for what Unicode says is no character.
    return _shape(letter) != _shape("\U0010fffe")


def _shape(letter: str) -> bytes:
    image = Image.new("L", (64, 64))
    ImageDraw.Draw(image).text((8, 8), letter, 255, _font("Regular", 30))
    return image.tobytes()
