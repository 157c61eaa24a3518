"""A publication as an entry of BibTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from scripts.base.dates import long_date
from scripts.catalogue import Author, Organisation, Publication, identifiers, names
from scripts.exports.latex import latex

# The meetings with proceedings that a venue such as "ICML 2015" may name.
_MEETINGS = """
    AAAI ACL ACML AISTATS BMVC COLT CVPR ECCV ECML EMNLP ICASSP ICCV ICLR ICML ICRA
    IJCAI Interspeech KDD MICCAI NAACL NeurIPS NIPS SIGGRAPH UAI WACV
""".split()
_meeting = re.compile(r"(?P<booktitle>\w+) (?P<year>\d{4})", re.ASCII).fullmatch
_volume = re.compile(
    r"(?P<journal>[^\d,]+) (?P<volume>\d+)(?:\((?P<number>[\d–-]+)\))?"
    r"(?:(?::|, )(?P<pages>\d+(?:[–-]+\d+)?))?, (?P<year>\d{4})",
    re.ASCII,
).fullmatch


def bibtex_entry(publication: Publication) -> str:
    """Cite the publication, such that BibTeX and biblatex both print it right."""
    kind, published = _published(publication)
    fields = {
        "title": f"{{{{{latex(publication.title)}}}}}",
        "author": f"{{{' and '.join(map(_author, publication.authors))}}}",
        **published,
        **_identifiers([publication.url, *publication.links.values()]),
        "url": f"{{{_raw(publication.url)}}}",
    }
    lines = "".join(f"  {name} = {value},\n" for name, value in fields.items())
    return f"@{kind}{{{publication.id},\n{lines}}}\n"


def _published(publication: Publication) -> tuple[str, dict[str, str]]:
    """Return the type of entry, and the fields that say where and when it appeared.

    A venue such as "ICML 2015" or "JMLR 22(57), 2021" tells, and brings its own year.
    Any other may be a workshop or a book: it is the note of a `@misc`, whose date is
    the publication's.
    """
    venue = publication.venue or ""
    meeting = _meeting(venue)
    if meeting and meeting["booktitle"] in _MEETINGS:
        return "inproceedings", _braced(meeting.groupdict())
    if volume := _volume(venue):
        return "article", _braced(volume.groupdict())
    date = publication.date
    # A macro of every BibTeX style: jan, feb, …
    month = {"month": long_date(date)[:3].lower()} if date.month else {}
    note = {"note": f"{{{latex(venue)}}}"} if venue else {}
    return "misc", {"year": f"{{{date.year}}}", **month, **note}


def _braced(fields: Mapping[str, str | None]) -> dict[str, str]:
    return {name: f"{{{latex(text)}}}" for name, text in fields.items() if text}


def _author(author: Author) -> str:
    """Write "particle family, suffix, given"; an organisation in braces."""
    if isinstance(author, Organisation):
        return f"{{{latex(str(author))}}}"
    name = names.split(author)
    surname = " ".join(map(_surname_word, name.surname.split()))
    if not name.given:
        # Behind a comma nothing may be missing.
        return f"{{{latex(author)}}}" if name.suffix else surname
    given = " ".join(map(_word, name.given.split()))
    return ", ".join(filter(None, (surname, name.suffix, given)))


def _word(word: str) -> str:
    """Put into braces what BibTeX would take for a sign between names."""
    written = latex(word)
    means_more = "," in word or word.lower() in ("and", "others")
    # Hyphens stand between the parts of a name: what has nothing else is no name.
    return f"{{{written}}}" if means_more or not written.strip("-") else written


def _surname_word(word: str) -> str:
    # BibTeX would take the "al" of al-Khayyam for a particle, and drop the hyphen.
    *before, _ = word.split("-")
    return f"{{{latex(word)}}}" if any(map(names.is_small, before)) else _word(word)


# Zenodo, figshare, OSF and Code Ocean: what is linked there is code or data.
_OF_FILES = ("10.5281/", "10.6084/", "10.17605/", "10.24433/")


def _identifiers(urls: list[str]) -> dict[str, str]:
    """Return the DOI and the arXiv id; of several addresses the first one counts."""
    url, *links = map(identifiers.doi, urls)
    dois = [url, *(doi for doi in links if not doi.startswith(_OF_FILES))]
    fields = {}
    if doi := next(filter(None, dois), ""):
        fields["doi"] = f"{{{_raw(doi)}}}"
    if preprint := next(filter(None, map(identifiers.preprint, urls)), None):
        fields |= {"eprint": f"{{{preprint.id}}}", "archivePrefix": "{arXiv}"}
        if preprint.subject:
            fields["primaryClass"] = f"{{{preprint.subject}}}"
    return fields


# Styles print addresses and DOIs as they stand: a command would be a part of the link.
def _raw(text: str) -> str:
    """Percent-encode what would end the field, and spaces; leave all else alone."""
    return quote(text, safe=":/?#[]@!$&'()*+,;=%~<>|^`\"")
