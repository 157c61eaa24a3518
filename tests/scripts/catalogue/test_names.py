"""Names of persons, in their parts and from their parts; who is an organisation."""

from __future__ import annotations

import pytest

from scripts.catalogue import Author, Organisation
from scripts.catalogue.names import joined, split, surname


@pytest.mark.parametrize(
    ("person", "parts"),
    [
        ("Ada Lovelace", ("Ada", "", "Lovelace", "")),
        ("Martin King Jr.", ("Martin", "", "King", "Jr.")),
        ("Martin King Jr", ("Martin", "", "King", "Jr")),
        ("Martin King, Jr.", ("Martin", "", "King", "Jr.")),
        ("Martin Luther King, Sr", ("Martin Luther", "", "King", "Sr")),
        ("Ada van den Berg II", ("Ada", "van den", "Berg", "II")),
        ("Ada Byron III", ("Ada", "", "Byron", "III")),
        ("Ada Byron IV", ("Ada", "", "Byron", "IV")),
        # Initials that stand last, and no suffix.
        ("Sandeep V", ("Sandeep", "", "V", "")),
        ("Kumar SR", ("Kumar", "", "SR", "")),
        ("King Jr.", ("", "", "King", "Jr.")),
        ("Jr.", ("", "", "Jr.", "")),
        ("Aristotle", ("", "", "Aristotle", "")),
        ("Rianne van den Berg", ("Rianne", "van den", "Berg", "")),
        ("Guy Van den Broeck", ("Guy", "Van den", "Broeck", "")),
        ("Luc Van Gool", ("Luc Van", "", "Gool", "")),
        ("Christopher De Sa", ("Christopher", "", "De Sa", "")),
        ("Friedrich von der Linde", ("Friedrich", "von der", "Linde", "")),
        (
            "Charles de la Vallée Poussin",
            ("Charles", "de la", "Vallée Poussin", ""),
        ),
        ("de Finetti", ("", "de", "Finetti", "")),
        ("Jean d'Alembert", ("Jean", "", "d'Alembert", "")),
        ("Gerard 't Hooft", ("Gerard", "'t", "Hooft", "")),
        ("Omar al-Khayyam", ("Omar", "", "al-Khayyam", "")),
        ("Jascha Sohl-Dickstein", ("Jascha", "", "Sohl-Dickstein", "")),
        ("Diederik P. Kingma", ("Diederik P.", "", "Kingma", "")),
        ("e. e. cummings", ("e. e.", "", "cummings", "")),
        ("bell hooks", ("bell", "", "hooks", "")),
        ("Kim Jong-un", ("Kim", "", "Jong-un", "")),
        ("李 明", ("李", "", "明", "")),
        ("  Ada \n Lovelace ", ("Ada", "", "Lovelace", "")),
    ],
)
def test_a_name_in_its_parts(person: str, parts: tuple[str, ...]) -> None:
    assert tuple(split(person)) == parts


@pytest.mark.parametrize(
    ("given", "family", "suffix", "name"),
    [
        ("Martin", "King", "Jr.", "Martin King Jr."),
        ("Martin", "King", "JR", "Martin King Jr."),
        ("Martin", "King", "3rd", "Martin King III"),
        ("Martin", "King", "PhD", "Martin King"),
        ("Martin L., Jr.", "King", "", "Martin L. King Jr."),
        ("Martin", "King, Jr.", "", "Martin King, Jr."),
        ("Rianne", "van den Berg", "", "Rianne van den Berg"),
        ("", "Aristotle", "", "Aristotle"),
        ("Ada", "", "", "Ada"),
        ("", "", "", ""),
    ],
)
def test_a_name_from_its_parts(given: str, family: str, suffix: str, name: str) -> None:
    assert joined(given, family, suffix) == name


@pytest.mark.parametrize(
    ("author", "cited"),
    [
        ("Martin King, Jr.", "King"),
        ("Rianne van den Berg", "van den Berg"),
        ("Aristotle", "Aristotle"),
        (Organisation(organisation="Google DeepMind"), "Google DeepMind"),
    ],
)
def test_authors_are_cited_by_their_surnames(author: Author, cited: str) -> None:
    assert surname(author) == cited
