"""A publication as an entry of BibTeX."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from scripts.catalogue import Author, Organisation, Publication, identifiers, names
from scripts.dates import PartialDate, long_date
from scripts.latex import latex


def bibtex_entry(publication: Publication) -> str:
    """Cite the publication, such that BibTeX and biblatex both print it right.

    Always `@misc`: the date is the preprint's, and a venue in free text does not say
    whether it was a journal or a conference. The venue is printed as the note.
    """
    fields = [
        ("title", f"{{{{{latex(publication.title)}}}}}"),
        ("author", f"{{{' and '.join(map(_author, publication.authors))}}}"),
        ("year", f"{{{publication.date.year}}}"),
        *_month(publication.date),
        *_identifiers([publication.url, *publication.links.values()]),
        ("url", f"{{{_raw(publication.url)}}}"),
    ]
    if publication.venue:
        fields.append(("note", f"{{{latex(publication.venue)}}}"))
    lines = "".join(f"  {name} = {value},\n" for name, value in fields)
    return f"@misc{{{publication.id},\n{lines}}}\n"


def _month(date: PartialDate) -> list[tuple[str, str]]:
    # A macro of every BibTeX style: jan, feb, …
    return [("month", long_date(date)[:3].lower())] if date.month else []


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
    means_more = "," in word or word.lower() in ("and", "others")
    return f"{{{latex(word)}}}" if means_more else latex(word)


def _surname_word(word: str) -> str:
    # BibTeX would take the "al" of al-Khayyam for a particle, and drop the hyphen.
    *before, _ = word.split("-")
    return f"{{{latex(word)}}}" if any(map(names.is_small, before)) else _word(word)


# Zenodo, figshare, OSF and Code Ocean: what is linked there is code or data.
_OF_FILES = ("10.5281/", "10.6084/", "10.17605/", "10.24433/")


def _identifiers(urls: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the DOI and the arXiv id; of several addresses the first one counts."""
    url, *links = map(identifiers.doi, urls)
    dois = [url, *(doi for doi in links if not doi.startswith(_OF_FILES))]
    if doi := next(filter(None, dois), ""):
        yield "doi", f"{{{_raw(doi)}}}"
    if preprint := next(filter(None, map(identifiers.preprint, urls)), None):
        yield "eprint", f"{{{preprint.id}}}"
        yield "archivePrefix", "{arXiv}"
        if preprint.subject:
            yield "primaryClass", f"{{{preprint.subject}}}"


# Styles print addresses and DOIs as they stand: a command would be a part of the link.
def _raw(text: str) -> str:
    """Percent-encode what would end the field, and spaces; leave all else alone."""
    return quote(text, safe=":/?#[]@!$&'()*+,;=%~<>|^`\"")
