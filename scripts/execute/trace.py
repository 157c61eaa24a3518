"""A trace: the numbers that a short run of a paper leaves, and whether two agree."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from scripts.execute.outputs import Output

_NUMBER = re.compile(r"[-+]?\d[\d,.]*(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Trace:
    """The trace of a short run: losses of every fit, values of claims, its text.

    Numbers stand in strings, six digits each; of the text there is a hash, for which
    every number in it counts as the same.
    """

    losses: Sequence[str]
    claims: Sequence[str]
    text: str

    @classmethod
    def of(cls, records: Iterable[dict[str, Any]], outputs: Iterable[Output]) -> Trace:
        """Build it from what was recorded, in its order, and from what was shown."""
        losses, claims = [], []
        for record in records:
            if "losses" in record:
                losses.append(" ".join(f"{loss:.6g}" for loss in record["losses"]))
            else:
                least = min(map(abs, record["bound"].values()))
                claims.append(f"{record['value']:.6g} of {least:g}")
        shown = _NUMBER.sub("#", "\n".join(_texts(outputs)))
        words = " ".join(shown.split())
        digest = hashlib.sha256(words.encode()).hexdigest()[:16]
        return cls(losses, claims, digest)

    @property
    def numbers(self) -> Trace:
        """The same without the hash of its text."""
        return replace(self, text="")

    def difference(self, before: Trace) -> str:
        """Say what differs first; "" where words and, to rounding, numbers agree."""
        for name, ours, theirs in (
            ("losses of fit", self.losses, before.losses),
            ("claim", self.claims, before.claims),
        ):
            for number, (now, then) in enumerate(zip_longest(ours, theirs), 1):
                if now is None or then is None or not _same(now, then):
                    return f"{name} {number}: {now or 'none'}, before {then or 'none'}"
        return "" if self.text == before.text else "other words are printed"


def _same(one: str, other: str) -> bool:
    """Compare "1.5 1.4", or the claim "1e-13 of 1e-10", up to rounding."""
    (mine, _, bound), (theirs, _, same) = one.partition(" of "), other.partition(" of ")
    numbers = [[float(word) for word in words.split()] for words in (mine, theirs)]
    # What a claim bounds by 1e-10 is an error of rounding itself.
    small = 0.01 * float(bound or 0) if float(bound or 1) < 1e-5 else 0.0
    return (
        bound == same
        and len(numbers[0]) == len(numbers[1])
        and all(
            math.isclose(a, b, rel_tol=1e-5, abs_tol=small) or (a != a and b != b)
            for a, b in zip(*numbers, strict=True)
        )
    )


def _texts(outputs: Iterable[Output]) -> Iterator[str]:
    for output in outputs:
        yield output.get("text", "")
        data = output.get("data", {})
        yield from (data[mime] for mime in sorted(data) if mime.startswith("text/"))
        about = output.get("metadata", {})
        yield from (about[mime].get("alt", "") for mime in sorted(about))
