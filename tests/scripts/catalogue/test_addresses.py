"""One place has one name, however its address is spelled."""

import pytest

from scripts.catalogue.addresses import fault, place


@pytest.mark.parametrize(
    "spellings",
    [
        """https://arxiv.org/abs/1410.8516          http://arxiv.org/abs/1410.8516
           https://arxiv.org/abs/1410.8516v6        https://arxiv.org/abs/1410.8516/
           https://arxiv.org/pdf/1410.8516          https://arxiv.org/pdf/1410.8516v6.pdf
           https://www.arxiv.org/abs/1410.8516      https://export.arxiv.org/abs/1410.8516
           https://arxiv.org/html/1410.8516v2       https://arxiv.org/abs/1410.8516?ref=x
           https://doi.org/10.48550/arXiv.1410.8516 https://arxiv.org:443/abs/1410.8516
           http://arxiv.org:80/abs/1410.8516        https://ARXIV.org/abs/1410%2E8516""",
        """https://arxiv.org/abs/math/0309136       https://arxiv.org/abs/math.GT/0309136
           https://arxiv.org/pdf/math.GT/0309136v2  https://arxiv.org/abs/math%2F0309136
           https://doi.org/10.48550/arXiv.math/0309136""",
        """https://youtu.be/i7LjDvsLWCg             https://youtu.be/i7LjDvsLWCg?si=x&t=9
           https://www.youtube.com/watch?v=i7LjDvsLWCg
           https://m.youtube.com/watch?app=desktop&v=i7LjDvsLWCg&t=3s
           https://www.youtube-nocookie.com/embed/i7LjDvsLWCg
           https://www.youtube.com/shorts/i7LjDvsLWCg""",
        """https://doi.org/10.1109/TPAMI.2020.1     https://dx.doi.org/10.1109/tpami.2020.1
           https://www.doi.org/10.1109/TPAMI.2020.1 https://doi.org/10.1109%2FTPAMI.2020.1
           http://doi.org:80/10.1109/TPAMI.2020.1   https://doi.org:443/10.1109/tpami%2E2020.1
           https://example.org/doi/abs/10.1109/TPAMI.2020.1?x=1
           https://link.springer.com/content/pdf/10.1109/TPAMI.2020.1.pdf""",
        """https://doi.org/10.1002/(sici)1<1::aid-1>3.0.co;2-a
           https://doi.org/10.1002/%28SICI%291%3C1%3A%3AAID-1%3E3.0.CO%3B2-A"""
        .replace("<", "%3C").replace(">", "%3e"),
        """https://github.com/bayesiains/nsf        https://github.com/Bayesiains/nsf.git
           https://www.github.com/bayesiains/nsf/   https://github.com/bayesiains/nsf#readme
           https://github.com/bayesiains/nsf/tree/main""",
        """https://openreview.net/forum?id=HkpbnH9lx
           https://openreview.net/pdf?id=HkpbnH9lx&noteId=x""",
        """https://example.org/a?x=1&y=2            https://www.example.org/a/?y=2&x=1
           https://example.org/a?utm_source=n&x=1&fbclid=z&y=2&gclid=z#part
           https://EXAMPLE.org:443/a?x=1&y=2        https://example.org/%61?%78=1&y=%32
           https://example.org/a?x=1&&y=2""",
        """https://example.org/~ada/caf%C3%A9       https://example.org/%7Eada/caf%c3%a9/""",
        """https://example.org/#/a%20b              https://example.org:443/#/%61%20b""",
    ],
)  # fmt: skip
def test_spellings_of_one_place(spellings):
    places = {place(address) for address in spellings.split()}
    assert len(places) == 1
    assert places != {""}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://arxiv.org/abs/1410.8516", "https://arxiv.org/abs/1410.85161"),
        ("https://youtu.be/i7LjDvsLWCg", "https://youtu.be/P4Ta-TZPVi0"),
        ("https://github.com/a/b", "https://github.com/a/b/blob/main/c.ipynb"),
        ("https://github.com/a/b", "https://github.com/a"),
        ("https://example.org/a?x=1", "https://example.org/a?x=2"),
        ("https://example.org/#/a", "https://example.org/#/b"),
        ("https://blog.example.org/", "https://example.org/"),
        ("https://example.org/a?x=1%26y=2", "https://example.org/a?x=1&y=2"),
        ("https://example.org/a%3Fx=1", "https://example.org/a?x=1"),
        ("https://example.org/a%2541", "https://example.org/aA"),
        ("https://example.org/a%FE", "https://example.org/a%FF"),
        ("https://example.org:8443/", "https://example.org/"),
        ("https://example.org:80/", "https://example.org/"),
        ("https://arxiv.org/abs/math/0309136", "https://arxiv.org/abs/cs/0309136"),
        ("https://a.org/doi/10.1000/1", "https://a.org/doi/suppl/10.1000/1"),
    ],
)
def test_different_places(one, other):
    assert place(one) != place(other)


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org",
        "https://Example.ORG?x=1",
        "https://example.org:8080/~ada/#top",
        "https://xn--bcher-kva.example/",
        "https://en.wikipedia.org/wiki/Flow_(mathematics)",
        "https://example.org/a@b;c,d*e'f!g$h+i=j&k[l]%20",
        "https://arxiv.org/abs/1412.8516v3",
        "https://www.arxiv.org/pdf/1501.08516v2.pdf",
    ],
)
def test_good_addresses(address):
    assert fault(address) is None


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("HTTP://example.org", "is not https"),
        ("https:/example.org", "is not an https address"),
        ("https://", "has no proper host"),
        ("https://example", "has no proper host"),
        ("https://127.0.0.1/", "has no proper host"),
        ("https://[::1]/", "has no proper host"),
        ("https://bücher.example/", "has no proper host"),
        ("https://example.org:port/", "has no proper host"),
        ("https://-example.org/", "has no proper host"),
        ("https://example..org/", "has no proper host"),
        ("https://a@example.org/", "carries credentials"),
        ("https://example.org/é", "has characters that no address has"),
        ('https://example.org/"', "has characters that no address has"),
        ("https://example.org/a\\b", "has characters that no address has"),
        ("https://example.org/`x`", "has characters that no address has"),
    ],
)
def test_bad_addresses(address, problem):
    assert (fault(address) or ("",))[0] == problem
    assert place(address) == "" or address.startswith("HTTP:")


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("1611.0963", "since 2015 their numbers have five digits after the dot, not 4"),
        ("1501.0001v2", "since 2015 their numbers have five"),
        (
            "1412.00001",
            "before 2015 their numbers have four digits after the dot, not 5",
        ),
    ],
)
def test_numbers_that_arxiv_cannot_have(number, problem):
    found = fault(f"https://arxiv.org/abs/{number}")
    assert found and problem in found[0]
    assert number.removesuffix("v2") in found[1]
