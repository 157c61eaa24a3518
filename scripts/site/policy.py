"""The Content-Security-Policy of a page: it may run the site's own scripts, no others.

GitHub Pages sends no headers of ours, so the policy stands in each page. What it allows
and why: docs/decisions/0009-hostile-input.md.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection, Sequence
from hashlib import sha256
from html.parser import HTMLParser

# Frames, objects, media and what browsers may add later fall under `default-src`.
_DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",  # the icons in the theme's stylesheet
    "font-src": "'self'",
    "connect-src": "'self'",  # the index of the search
    "worker-src": "'self'",  # the search itself
    "base-uri": "'none'",
    "form-action": "'none'",
}

# A parser of the whole page would take a fifth of the build.
_SCRIPT = re.compile(r"<script\b.*?</script\b", re.DOTALL | re.IGNORECASE)
_DATA = {"application/json", "application/ld+json"}
# Whatever came before the policy would be free of it.
_HEAD = re.compile(r"<head>\s*<meta charset=\"utf-8\">\n?")


class PolicyError(Exception):
    """A page that could not be published with a policy that protects it."""


class _Script(HTMLParser):
    """One script: its text, and whether the browser would run that."""

    def __init__(self, element: str) -> None:
        super().__init__(convert_charrefs=False)
        self.inline, self.text = True, ""
        self.feed(element)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        self.inline = "src" not in about and about.get("type") not in _DATA

    def handle_data(self, data: str) -> None:
        self.text += data


def inline_scripts(html: str) -> list[str]:
    """Return the text of each script that stands in the page and would run."""
    scripts = (_Script(f"{element}>") for element in _SCRIPT.findall(html))
    return [script.text for script in scripts if script.inline]


def protect(page: str, own: Collection[str]) -> str:
    """Put a policy first into the page, which allows its inline scripts that are `own`.

    PolicyError when it has others: what an entry might have brought in must not be
    allowed because it is there.
    """
    scripts = inline_scripts(page)
    for script in scripts:
        if script not in own:
            raise PolicyError(
                f"an inline script is not the theme's: {script.strip()[:60]!r} "
                "(move it to a file of its own under docs/assets/)"
            )
    return _insert(page, [_hash(script) for script in scripts])


def protect_preview(page: str) -> str:
    """Put the same policy into a page, but for inline scripts, which may be any.

    `mkdocs serve` adds one to each answer, after the build and with another number
    each time: it reloads the page.
    """
    return _insert(page, ["'unsafe-inline'"])


def _insert(page: str, allowed: Sequence[str]) -> str:
    directives = dict(_DIRECTIVES)
    directives["script-src"] = " ".join([directives["script-src"], *allowed])
    content = "; ".join(f"{name} {sources}" for name, sources in directives.items())
    meta = f'<meta http-equiv="Content-Security-Policy" content="{content}">\n'
    head = _HEAD.search(page)
    if not head:
        raise PolicyError('its head does not begin with <meta charset="utf-8">')
    return page[: head.end()] + meta + page[head.end() :]


def _hash(script: str) -> str:
    """Name a script in a policy: by the digest of its text, as browsers compute it."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
