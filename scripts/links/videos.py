"""Videos, whose pages answer 200 even when the video is gone: oEmbed tells."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from scripts.links.answers import Answer
from scripts.sources.services import Services, visible
from scripts.sources.web import NotFound, Web, WebError
from scripts.sources.works import NotIdentified, identify

_vimeo = re.compile(
    r"https?://(?:www\.|player\.)?vimeo\.com/(?:video/|channels/[\w-]+/)?\d+(?:[/?#].*)?"
).fullmatch


@dataclass(frozen=True)
class Videos:
    """The services that know videos; each waits `pause` seconds for its next question.

    Only 404 and 410 say that a video is gone. Private ones, and those that may not be
    embedded, answer 401 or 403.
    """

    web: Web
    youtube: str = Services.youtube
    vimeo: str = "https://vimeo.com/api/oembed.json"
    pause: float = 1

    def question(self, address: str) -> str | None:
        """Return the address that answers for a video; None for what is no video."""
        if _vimeo(address):
            return f"{self.vimeo}?{urlencode({'url': address})}"
        try:
            work = identify(address)
        except NotIdentified:
            return None
        if work.kind != "youtube":
            return None
        video = f"https://www.youtube.com/watch?v={work.name}"
        return f"{self.youtube}?{urlencode({'url': video, 'format': 'json'})}"

    def ask(self, addresses: Iterable[str]) -> Iterator[tuple[str, Answer]]:
        """Ask for each video in turn."""
        for number, address in enumerate(addresses):
            if number:
                time.sleep(self.pause)
            yield address, self._answer(self.question(address) or "")

    def _answer(self, question: str) -> Answer:
        try:
            self.web.json(question)
        except NotFound:
            return Answer("gone", "oEmbed: 404", 404)
        except WebError as error:
            return Answer("unclear", f"oEmbed: {visible(str(error))[:100]}")
        return Answer("here", status=200)
