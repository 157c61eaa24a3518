"""Faults read well on the screen, in GitHub's annotations and in other programs."""

import json

from scripts.catalogue import CatalogueError, Fault, format_faults

FAULTS = [
    Fault("a,b:c%.yaml", 3, 5, "maf, note", 'holds "100%\n::error::"', "remove it"),
    Fault("a,b:c%.yaml", 1, 1, "blogs", "is missing", 'add "blogs: []"'),
]


def test_text():
    assert format_faults(FAULTS[1:], "text") == (
        'a,b:c%.yaml:1:1: blogs: is missing (add "blogs: []")'
    )


def test_annotations_are_escaped_and_stay_on_one_line():
    assert format_faults(FAULTS, "github").split("\n") == [
        "::error file=a%2Cb%3Ac%25.yaml,line=3,col=5::"
        'maf, note: holds "100%25%0A::error::" (remove it)',
        "::error file=a%2Cb%3Ac%25.yaml,line=1,col=1::"
        'blogs: is missing (add "blogs: []")',
    ]


def test_json():
    assert json.loads(format_faults(FAULTS[1:], "json")) == [
        {
            "file": "a,b:c%.yaml",
            "line": 1,
            "column": 1,
            "where": "blogs",
            "problem": "is missing",
            "fix": 'add "blogs: []"',
        }
    ]


def test_an_error_has_its_faults_in_the_order_of_the_file():
    assert CatalogueError(FAULTS).faults == FAULTS[::-1]
