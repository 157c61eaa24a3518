"""Plain text as source of LaTeX, which BibTeX reads as well.

Old BibTeX counts bytes: of a letter beyond ASCII it would take half for an initial.
Letters of the Latin alphabet are therefore written as commands. Each command stands in
braces, which BibTeX then takes for one letter; other alphabets stay as they are.
"""

from __future__ import annotations

import re
import unicodedata

_SIGNS = {
    **{sign: f"\\{sign}" for sign in "$&#%_"},
    "\\": r"\textbackslash",
    "{": r"\textbraceleft",
    "}": r"\textbraceright",
    "^": r"\textasciicircum",
    "~": r"\textasciitilde",
    "`": r"\textasciigrave",
    "<": r"\textless",
    ">": r"\textgreater",
    "|": r"\textbar",
    "…": r"\ldots",
    "·": r"\textperiodcentered",
    "€": r"\texteuro",
    "£": r"\pounds",
    "§": r"\S",
    "©": r"\textcopyright",
    "®": r"\textregistered",
    "™": r"\texttrademark",
    "°": r"\textdegree",
}
_LETTERS = {
    **{"æ": r"\ae", "Æ": r"\AE", "œ": r"\oe", "Œ": r"\OE", "ß": r"\ss"},
    **{"å": r"\aa", "Å": r"\AA", "ø": r"\o", "Ø": r"\O", "ł": r"\l", "Ł": r"\L"},
    **{"đ": r"\dj", "Đ": r"\DJ", "ð": r"\dh", "Ð": r"\DH", "þ": r"\th", "Þ": r"\TH"},
    **{"ŋ": r"\ng", "Ŋ": r"\NG", "ı": r"\i", "ȷ": r"\j"},
}
_ACCENTS = {
    **{"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "="},
    **{"\u0306": "u", "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H"},
    **{"\u030c": "v", "\u0323": "d", "\u0326": "textcommabelow", "\u0327": "c"},
    **{"\u0328": "k", "\u0331": "b"},
}
_BELOW = "\u0323"  # From here on, accents stand below their letter.
# Of mathematics; Greek letters where they stand alone, a Greek word stays as it is.
_SYMBOLS = {
    **{"∞": r"\infty", "→": r"\to", "↔": r"\leftrightarrow", "≤": r"\le", "≥": r"\ge"},
    **{"≠": r"\ne", "≈": r"\approx", "±": r"\pm", "×": r"\times", "−": "-"},
    **{"∇": r"\nabla", "∂": r"\partial", "∈": r"\in", "∘": r"\circ", "µ": r"\mu"},
    **{"⊕": r"\oplus", "⊗": r"\otimes"},
    **{"α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta"},
    **{"ε": r"\varepsilon", "ζ": r"\zeta", "η": r"\eta", "θ": r"\theta"},
    **{"ι": r"\iota", "κ": r"\kappa", "λ": r"\lambda", "μ": r"\mu", "ν": r"\nu"},
    **{"ξ": r"\xi", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau"},
    **{"υ": r"\upsilon", "φ": r"\varphi", "χ": r"\chi", "ψ": r"\psi", "ω": r"\omega"},
    **{"Γ": r"\Gamma", "Δ": r"\Delta", "Θ": r"\Theta", "Λ": r"\Lambda", "Ξ": r"\Xi"},
    **{"Π": r"\Pi", "Σ": r"\Sigma", "Φ": r"\Phi", "Ψ": r"\Psi", "Ω": r"\Omega"},
}
# No command is needed to print these.
_PUNCTUATION = {"–": "--", "—": "---", "“": "``", "”": "''", "‘": "`", "’": "'"}

_opening_quote = re.compile(r'(?:(?<=[\s(\[{–—-])|^)"')
_pieces = re.compile(
    "[\u0370-\u03ff\u1f00-\u1fff]{2,}|[^\\W\\d_][\u0300-\u036f]*|.", re.DOTALL
)


def latex(text: str) -> str:
    """Write a text such that LaTeX prints it as it is, on one line."""
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    line = _opening_quote.sub("“", line).replace('"', "”")
    return "".join(map(_written, _pieces.findall(line)))


def _written(piece: str) -> str:
    if piece in _PUNCTUATION:
        return _PUNCTUATION[piece]
    if piece in _SYMBOLS:
        return f"{{${_SYMBOLS[piece]}$}}"
    if piece.isascii() and piece not in _SIGNS:
        return piece
    command = _SIGNS.get(piece) or _raised(piece) or _letter(piece)
    return f"{{{command}}}" if command else piece


def _raised(piece: str) -> str:
    r"""Write the ² of L² as \textsuperscript{2}; nothing for any other character."""
    kind, _, code = unicodedata.decomposition(piece[0]).partition(" ")
    command = {"<super>": "textsuperscript", "<sub>": "textsubscript"}.get(kind)
    plain = chr(int(code, 16)) if command and " " not in code else ""
    return f"\\{command}{{{plain}}}" if plain.isascii() and plain.isalnum() else ""


def _letter(text: str) -> str:
    """Write a Latin letter with its accents; nothing for what is none."""
    if text.isascii():
        return text if text.isalpha() else ""
    if text in _LETTERS:
        return _LETTERS[text]
    *letter, accent = unicodedata.normalize("NFD", text)
    base = _letter(unicodedata.normalize("NFC", "".join(letter)))
    if not base or accent not in _ACCENTS:
        return ""
    command = _ACCENTS[accent]
    if base in ("i", "j") and accent < _BELOW:
        base = f"\\{base}"  # An accent takes the place of the dot.
    elif len(base) > 1:
        base = f"{{{base}}}"
    gap = " " if command.isalpha() and base.isalpha() else ""
    return f"\\{command}{gap}{base}"
