"""Names, numbers, notes and escaping: pure helpers that return text.

A note is plain text in which two things mean something: a link,
`[label](https://…)`, and a code span between backticks. All else is literal, and
each output escapes it in its own way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from markupsafe import Markup, escape


class Span(NamedTuple):
    """A stretch of a note; `url` is set on links only."""

    text: str
    kind: Literal["text", "code", "link"] = "text"
    url: str | None = None


def people(authors: Sequence[object]) -> str:
    """Join names as in "A, B and C"; an author's `str` is the name."""
    *others, last = map(str, authors)
    return f"{', '.join(others)} and {last}" if others else last


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def significant(value: float, digits: int) -> str:
    """1,230 or 0.0123, and 1.2×10⁻⁵ or 3×10¹⁴¹ where there would be many zeros.

    Whole numbers that are counts, of type int, are given in full.
    """
    if isinstance(value, int) or value == 0:
        return f"{value:,.0f}"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    power = int(exponent)
    if not -5 < power < 9:
        return f"{mantissa}×10{str(power).translate(_SUPERSCRIPTS)}"
    rounded = round(value, digits - 1 - power)
    return f"{rounded:,.{max(0, digits - 1 - power)}f}"


CODE = r"(?<!`)`(?P<code>[^`]+)`(?!`)"
_LINK_OR_CODE = re.compile(
    r"\[(?P<label>[^\[\]]+)\]"
    r"\((?P<url>https://[^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)*)\)"
    rf"|{CODE}"
)


def spans(note: str) -> list[Span]:
    """Cut the note into stretches of text, code and links."""
    return list(_spans(note))


def _spans(note: str) -> Iterator[Span]:
    end = 0
    for match in _LINK_OR_CODE.finditer(note):
        if match.start() > end:
            yield Span(note[end : match.start()])
        if match["url"]:
            yield Span(match["label"], "link", match["url"])
        else:
            yield Span(match["code"], "code")
        end = match.end()
    if end < len(note):
        yield Span(note[end:])


def plain(note: str) -> str:
    """Keep the note's words: labels without addresses, code without backticks."""
    return "".join(span.text for span in _spans(note))


def _runs_left(text: str) -> bool:
    """Return whether some of it is written from right to left."""
    return not text.isascii() and any(
        unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text
    )


def html(text: object) -> Markup:
    """Escape a text, and keep its direction to itself.

    Else a title in Hebrew would take the date beside it along to its other end.
    """
    escaped = escape(str(text))
    return Markup("<bdi>{}</bdi>").format(escaped) if _runs_left(escaped) else escaped


def html_people(authors: Sequence[object]) -> Markup:
    """Join names as `people` does, each with a direction of its own."""
    return Markup(people([html(author) for author in authors]))


def html_note(note: str) -> Markup:
    """Render the note as HTML, safe to place in a template."""
    rendered = Markup("").join(_html(span) for span in _spans(note))
    return Markup("<bdi>{}</bdi>").format(rendered) if _runs_left(note) else rendered


def _html(span: Span) -> Markup:
    match span.kind:
        case "text":
            return escape(span.text)
        case "code":
            return Markup("<code>{}</code>").format(span.text)
        case "link":
            return Markup('<a href="{}">{}</a>').format(span.url, html(span.text))


def markdown_note(note: str) -> str:
    """Render the note as one line of Markdown, inert but for its links and code."""
    line = "".join(_markdown(span) for span in _spans(note))
    return _isolated(_hide_line_start(line), note)


def _markdown(span: Span) -> str:
    match span.kind:
        case "text":
            return _escape_inline(span.text)
        case "code":
            return _markdown_code(span.text)
        case "link":
            label = _isolated(_escape_inline(span.text), span.text)
            return f"[{label}]({markdown_url(span.url or '')})"


def _markdown_code(code: str) -> str:
    # Python-Markdown reads some HTML and mathematics even between backticks.
    if re.search(r"[<&$\\]|^\s|\s$", code):
        return f"<code>{_escape_inline(code)}</code>"
    return f"`{' '.join(code.split())}`"


def markdown_url(url: str) -> str:
    """Percent-encode what Markdown might read in an address."""
    encoded = re.sub(r"[^\w/:?#@&=.,;%+~-]", _percent, url, flags=re.ASCII)
    return _AMPERSAND.sub("&amp;", encoded)


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8"))


def escape_markdown(text: str) -> str:
    """Write the text as one line of Markdown that means nothing but itself.

    Inert on GitHub and in Python-Markdown, inside a line, at its start and as the text
    of a link. What needs no escape is left alone: the source stays readable. Keeps the
    text's direction to itself, as `html` does.
    """
    return _isolated(_hide_line_start(_escape_inline(text)), text)


def _isolated(line: str, text: str) -> str:
    # GitHub takes <bdi> away.
    return f'<span dir="auto">{line}</span>' if _runs_left(text) else line


def markdown_people(authors: Sequence[object]) -> str:
    """Join names as `people` does, each as `escape_markdown` writes it."""
    return people([escape_markdown(str(author)) for author in authors])


# A character reference, which an ampersand must not happen to begin.
_AMPERSAND = re.compile(r"&(?=[#]|\w+;)", re.ASCII)

# `backslash`: both readers honour it. `entity`: Python-Markdown keeps the backslash, or
# takes `\[` for mathematics. `span`: GitHub looks for mathematics, addresses and emoji
# in the rendered text, where an entity is no longer seen, but never across elements.
_MEANINGFUL = re.compile(
    rf"""
      (?P<backslash> [\\`*{{] | (?<![^\W_])_ | !$ | [#](?=[#]*$) )
    | (?P<entity> [<\[\]|~] | {_AMPERSAND.pattern} )
    | (?P<span> \$ | :(?=//|[a-z0-9_+-]+:) | (?<=[wW][wW][wW])\. | (?<=\S)@(?=\S) )
    """,
    re.VERBOSE,
)
_WHITESPACE = re.compile(r"\s+", re.ASCII)


def _escape_inline(text: str) -> str:
    return _MEANINGFUL.sub(_hide, _WHITESPACE.sub(" ", text))


def _hide(match: re.Match[str]) -> str:
    match match.lastgroup:
        case "backslash":
            return f"\\{match[0]}"
        case "entity":
            return _entity(match[0])
        case _:
            return f"<span>{_entity(match[0])}</span>"


def _entity(character: str) -> str:
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(
        character, f"&#{ord(character)};"
    )


# Headings, lists, admonitions (backslash); quotes, underlines, definitions, objects of
# the code, details.
_LINE_START = re.compile(
    r"(\s*)(?:(?P<backslash>[#+!-])|(?P<number>\d+)(?=[.)](?:\s|$))"
    r"|(?P<entity>[>=]|:(?=\s|::)|\?(?=\?\?)))"
)


def _hide_line_start(line: str) -> str:
    match = _LINE_START.match(line)
    if not match:
        return line
    space, rest = match[1], line[match.end() :]
    if match["backslash"]:
        return f"{space}\\{match['backslash']}{rest}"
    if match["number"]:
        return f"{space}{match['number']}\\{rest}"
    return f"{space}{_entity(match['entity'])}{rest}"
