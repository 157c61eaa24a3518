"""A good catalogue, and the ways to spoil it with the messages that must follow."""

# ruff: noqa: E501 (a message is one line here, as on the screen)

GOOD = """\
tags:
  coupling: Moves one part by the other
  graphs: Works on graphs
publications:
  - id: nice
    title: "NICE: An Example"
    authors: [Laurent Dinh, Yoshua Bengio]
    date: 2014-10-30
    url: https://arxiv.org/abs/1410.8516
    links:
      Code: https://github.com/laurent-dinh/nice
    tags: [coupling]
    added: 2026-01-31
    note: Couples, see [the code](https://example.org/nice) and `nice.py`.
  - id: maf
    title: Masked Flow
    authors: [Iain Murray]
    affiliation: Lab
    date: 2017-05-19
    url: https://arxiv.org/abs/1705.07057
    tags: [coupling]
    added: 2026-01-30
    implementation: wanted
    note: Stacks.
videos:
  - id: talk
    title: A talk
    authors: [Ada Byron]
    date: 2019-01-02
    url: https://youtu.be/i7LjDvsLWCg
    papers: [nice, maf]
    tags: [graphs]
    added: 2026-01-31
    note: Explains.
blogs: []
code:
  - id: flows
    title: flows
    authors: [organisation: The Flows and Maps Lab]
    date: 2019-12-09
    url: https://github.com/flows/flows
    language: Python
    tags: [coupling]
    added: 2026-01-31
    note: Implements.
"""


# name: what is replaced in the good catalogue, by what, and every message that follows
# fmt: off
CASES = {
    # YAML that cannot be read: the fault stands alone
    "a colon in a title": ("title: Masked Flow", "title: Masked: Flow",
        '16:18: syntax: mapping values are not allowed in this context (put a text that holds ": " in quotes)'),
    "an open quote": ("title: flows", "title: 'flows",
        "38:12: syntax: found unexpected end of stream (close the quote that opens here)"),
    "an open bracket": ("blogs: []", "blogs: [",
        "37:3: syntax: did not find expected node content (look at the indentation, quotes and brackets here and above)"),
    "a tab": ("    language: Python", "\tlanguage: Python",
        "42:1: syntax: found a tab character that violates indentation (indent with spaces)"),
    "a wrong indentation": ("    language: Python", "   language: Python",
        "42:4: syntax: did not find expected '-' indicator (indent each field of an entry like the first one: look here and one line above)"),
    "an indentation that is too deep": ("    language: Python", "     language: Python",
        "42:14: syntax: mapping values are not allowed in this context (indent each field of an entry like the first one: look here and one line above)"),
    "no indentation": ("    language: Python", "language: Python",
        "43:9: syntax: mapping values are not allowed in this context (indent each field of an entry like the first one: look here and one line above)"),
    "a character that YAML reserves": ("Python", "@Python",
        "42:15: syntax: found character that cannot start any token (indent with spaces; put a text that begins so in quotes)"),
    "no space after the colon": ("    language: Python", "    language:Python",
        "42:5: syntax: could not find expected ':' (write \"field: value\", with a space after the colon)"),
    "half a surrogate pair": ("Stacks.", '"\\ud800"',
        "24:14: syntax: found invalid Unicode character escape code (look at the indentation, quotes and brackets here and above)"),
    "two documents": ("blogs: []", "---\nblogs: []",
        '35:1: syntax: a second document begins here (remove the line "---")'),
    "a hundred thousand brackets": ("blogs: []", "blogs: " + "[" * 100_000,
        "35:13: syntax: lists are nested more than 6 deep (look for a stray bracket or dash)"),
    # YAML that means more, or less, than it says
    "a field twice": ("    date: 2017-05-19", "    date: 2017-05-19\n    date: 2017-05-20",
        "20:5: maf, date: is given twice, first on line 19 (remove one of the two)"),
    "a section twice": ("blogs: []", "blogs: []\nvideos: []",
        "36:1: videos: is given twice, first on line 25 (remove one of the two)"),
    "an anchor": ("title: Masked Flow", "title: &flow Masked Flow",
        '16:12: maf, title: has the anchor "&flow" (remove it)'),
    "an alias": ("blogs: []", "blogs: *videos",
        '35:8: blogs: is the alias "*videos" (write it out)'),
    "an alias bomb": ("blogs: []", "blogs: [&a [x, x], &b [*a, *a], [*b, *b]]",
        '35:9: blogs #1: has the anchor "&a" (remove it)',
        '35:9: blogs #1: is a list, not a mapping (write its fields one per line, the first as "- id: …")',
        '35:20: blogs #2: has the anchor "&b" (remove it)',
        '35:20: blogs #2: is a list, not a mapping (write its fields one per line, the first as "- id: …")',
        '35:24: blogs #2 #1: is the alias "*a" (write it out)',
        '35:28: blogs #2 #2: is the alias "*a" (write it out)',
        '35:33: blogs #3: is a list, not a mapping (write its fields one per line, the first as "- id: …")',
        '35:34: blogs #3 #1: is the alias "*b" (write it out)',
        '35:38: blogs #3 #2: is the alias "*b" (write it out)'),
    "a merge key": ("    implementation: wanted", "    <<: *nice\n    implementation: wanted",
        "23:5: maf, <<: is not a field of publications (known are id, title, authors, date, url, note, tags, added, venue, affiliation, links, implementation)",
        '23:9: maf, <<: is the alias "*nice" (write it out)'),
    "a tag that makes an object": ("title: Masked Flow", "title: !!python/name:os.system x",
        '16:12: maf, title: has the YAML tag "!!python/name:os.system" (remove it)'),
    "a list as a key": ("    date: 2017-05-19", "    date: 2017-05-19\n    ? [a, b]\n    : c",
        "20:7: maf, a key: is not text (write it as text)"),
    "a number as a key": ("    date: 2017-05-19", "    date: 2017-05-19\n    7: c",
        "20:5: maf, a key: reads as a number, not as text (put it in quotes)"),
    "a number": ("title: flows", "title: 1984",
        "38:12: flows, title: reads as a number, not as text (put it in quotes)"),
    "a number with an exponent": ("title: flows", "title: 1e3",
        "38:12: flows, title: reads as a number, not as text (put it in quotes)"),
    "a hexadecimal number": ("title: flows", "title: 0xF10",
        "38:12: flows, title: reads as a number, not as text (put it in quotes)"),
    "a truth value": ("title: flows", "title: true",
        "38:12: flows, title: reads as a truth value, not as text (put it in quotes)"),
    "null": ("title: flows", "title: null",
        "38:12: flows, title: reads as nothing, not as text (put it in quotes)"),
    "nothing": ("title: flows", "title:",
        "38:11: flows, title: is empty (write a value, or remove the line)"),
    # Characters that nobody sees
    "a bell": ("Stacks.", "Sta\x07cks.",
        "24:14: the file: holds an invisible character, U+0007 (remove it)"),
    "a zero byte": ("Stacks.", "Sta\0cks.",
        "24:14: the file: holds an invisible character, U+0000 (remove it)"),
    "a bidirectional override": ("Stacks.", "Sta\u202ecks.",
        "24:14: the file: holds an invisible character, U+202E Right-to-left override (remove it)"),
    "a bidirectional isolate in a comment": ("blogs: []", "blogs: [] # \u2066",
        "35:13: the file: holds an invisible character, U+2066 Left-to-right isolate (remove it)"),
    "a zero-width space in a key": ("    date: 2017", "    da\u200bte: 2017",
        "19:7: the file: holds an invisible character, U+200B Zero width space (remove it)"),
    "a zero-width joiner": ("Stacks.", "\U0001f469\u200d\U0001f52c",
        "24:12: the file: holds an invisible character, U+200D Zero width joiner (remove it: it joins or parts no letters here)"),
    "an escaped bidirectional override": ("Stacks.", '"Sta\\u202ecks."',
        "24:11: maf, note: holds an invisible character, U+202E Right-to-left override (remove it)"),
    "a letter without a shape": ("Stacks.", "Sta\u3164cks.",
        "24:14: the file: holds an invisible character, U+3164 Hangul filler (remove it)"),
    "a selector that hides data": ("Stacks.", '"Sta\\U000e0100cks."',
        "24:11: maf, note: holds an invisible character, U+E0100 Variation selector-17 (remove it)"),
    "a byte-order mark": ("tags:\n  coupling", "\ufefftags:\n  coupling",
        "1:1: the file: holds an invisible character, U+FEFF Zero width no-break space (save it without byte-order mark)"),
    # Shape
    "a misspelt field": ("    affiliation: Lab", "    afiliation: Lab",
        '18:5: maf, afiliation: is not a field of publications (did you mean "affiliation"?)'),
    "an unknown field": ("    affiliation: Lab", "    rating: five stars",
        "18:5: maf, rating: is not a field of publications (known are id, title, authors, date, url, note, tags, added, venue, affiliation, links, implementation)"),
    "a field of another section": ("    implementation: wanted", "    implementation: wanted\n    framework: JAX",
        "24:5: maf, framework: is not a field of publications (known are id, title, authors, date, url, note, tags, added, venue, affiliation, links, implementation)"),
    "a misspelt section": ("blogs: []", "blog: []",
        '1:1: blogs: is missing (add a line such as "blogs: []")',
        '35:1: blog: is not a section (did you mean "blogs"?)'),
    "an unknown section": ("blogs: []", "blogs: []\npodcasts: []",
        "36:1: podcasts: is not a section (known are tags, publications, videos, blogs, code)"),
    "a missing field": ("    date: 2017-05-19\n", "",
        '15:5: maf, date: is missing (add a line such as "date: 2019-06-10")'),
    "a missing field of one section": ("    language: Python\n", "",
        '37:5: flows, language: is missing (add a line such as "language: Python")'),
    "a missing section": ("blogs: []\n", "",
        '1:1: blogs: is missing (add a line such as "blogs: []")'),
    "a list for a text": ("title: flows", "title: [flows]",
        '38:12: flows, title: is a list, not text (write it as in "title: Neural Spline Flows")'),
    "a list for a date": ("date: 2017-05-19", "date: [2017-05-19]",
        '19:11: maf, date: is a list, not text (write it as in "date: 2019-06-10")'),
    "a mapping for an author": ("[Iain Murray]", "[{name: Iain Murray}]",
        '17:15: maf, authors #1, organisation: is missing (add a line such as "organisation: Google DeepMind")',
        "17:16: maf, authors #1, name: is not a field of an author (a person's name is plain text)"),
    "a text for a list": ("[Iain Murray]", "Iain Murray",
        '17:14: maf, authors: is text, not a list (write it as in "authors: [Ada Lovelace, Emmy Noether]")'),
    "a list for a mapping": ("      Code: https", "      - https",
        "11:7: nice, links: is a list, not a mapping (write it as in \"links: {Authors' code: https://github.com/bayesiains/nsf}\")"),
    "a text for an entry": ("blogs: []", "blogs: [a post]",
        '35:9: blogs #1: is text, not a mapping (write its fields one per line, the first as "- id: …")'),
    "a text for a section": ("blogs: []", "blogs: none",
        '35:8: blogs: is text, not a list (write it as in "blogs: []")'),
    "a list for the meaning of a tag": ("graphs: Works on graphs", "graphs: [Works on graphs]",
        '3:11: tags, graphs: is a list, not text (write it as in "tags: {coupling: Moves part of the vector}")'),
    "another implementation than wanted": ("wanted", "later",
        '23:21: maf, implementation: cannot be "later" (write "implementation: wanted", or remove the line)'),
    # Ids
    "an id with capitals": ("id: flows", "id: Flöws 2.0",
        '37:9: Flöws 2.0, id: "Flöws 2.0" is not made of a-z, 0-9 and _, a letter first (write it as in "flows_2_0")'),
    "an id that begins with a digit": ("id: flows", "id: 1x1",
        '37:9: 1x1, id: "1x1" is not made of a-z, 0-9 and _, a letter first (write it as in "the_1x1")'),
    "an id that is a word of Python": ("id: flows", "id: lambda",
        '37:9: lambda, id: "lambda" is reserved (choose another, such as "the_lambda")'),
    "an id that no file of Windows may have": ("id: flows", "id: com1",
        '37:9: com1, id: "com1" is reserved (choose another, such as "the_com1")'),
    "an id that a draft needs for itself": ("id: flows", "id: torch",
        '37:9: torch, id: "torch" is reserved (choose another, such as "the_torch")'),
    "an id that is a folder": ("id: flows", "id: figures",
        '37:9: figures, id: "figures" is reserved (choose another, such as "the_figures")'),
    "an id that is a place on the list": ("id: flows", "id: videos",
        '37:9: videos, id: "videos" is reserved (choose another, such as "the_videos")'),
    "an id that is too long for a file": ("id: flows", "id: " + "x" * 61,
        f"37:9: {'x' * 60}, id: has 61 characters (cut it to 60)"),
    "an id twice": ("id: flows", "id: talk",
        "37:9: talk, id: is the id of videos #1 too (choose another)"),
    # Dates
    "a date in words": ("2017-05-19", "19 May 2017",
        '19:11: maf, date: "19 May 2017" is not an ISO date (write it as in 2018-07-09, or 2018-07 or 2018 where no more is known)'),
    "a date by week": ("2017-05-19", "2017-W20-5",
        '19:11: maf, date: "2017-W20-5" is not an ISO date (write it as in 2018-07-09, or 2018-07 or 2018 where no more is known)'),
    "a day that never was": ("2017-05-19", "2017-02-30",
        "19:11: maf, date: 2017-02-30 is not in the calendar (check year, month and day)"),
    "a date in the future": ("2019-12-09", "2026-02-02",
        "40:11: flows, date: 2026-02-02 lies in the future (check year, month and day)"),
    "added in the future": ("added: 2026-01-30", "added: 2026-02-02",
        "22:12: maf, added: 2026-02-02 lies in the future (check year, month and day)"),
    "a date without dashes": ("2017-05-19", "20170519",
        '19:11: maf, date: "20170519" is not an ISO date (write it as in 2018-07-09, or 2018-07 or 2018 where no more is known)'),
    "a month that never was": ("2017-05-19", "2017-13",
        "19:11: maf, date: 2017-13 is not in the calendar (check year, month and day)"),
    "the month zero": ("2017-05-19", "2017-00",
        "19:11: maf, date: 2017-00 is not in the calendar (check year, month and day)"),
    "a month in the future": ("2019-12-09", "2026-03",
        "40:11: flows, date: 2026-03 lies in the future (check year, month and day)"),
    "a year in the future": ("2019-12-09", "2027",
        "40:11: flows, date: 2027 lies in the future (check year, month and day)"),
    "added in some month": ("added: 2026-01-30", "added: 2026-01",
        '22:12: maf, added: "2026-01" is not an ISO date (write it as in 2018-07-09)'),
    "added in some year": ("added: 2026-01-30", "added: 2025",
        '22:12: maf, added: "2025" is not an ISO date (write it as in 2018-07-09)'),
    "out of order, first": ("2017-05-19", "2014-10-29",
        "19:11: maf, date: 2014-10-29 is out of order (move the entry above nice)"),
    # Authors
    "et al.": ("[Iain Murray]", "[Iain Murray et al.]",
        '17:15: maf, authors #1: "Iain Murray et al." leaves authors out (name every author, one per item)'),
    "et al. by another name": ("[Iain Murray]", "[Iain Murray, and others]",
        '17:28: maf, authors #2: "and others" leaves authors out (name every author, one per item)'),
    "no authors": ("[Iain Murray]", "[]",
        "17:14: maf, authors: is empty (fill it in)"),
    "an author without a name": ("[Iain Murray]", '[""]',
        "17:15: maf, authors #1: is empty (fill it in)"),
    "authors in one text": ("[Iain Murray]", '["Ada Byron, Emmy Noether and Ida Rhodes"]',
        '17:15: maf, authors #1: "Ada Byron, Emmy Noether and Ida Rhodes" looks like several names (write one author per item, first name first; an organisation as {organisation: …})'),
    "two authors in one text": ("[Iain Murray]", "[Ada Byron and Emmy Noether]",
        '17:15: maf, authors #1: "Ada Byron and Emmy Noether" looks like several names (write one author per item, first name first; an organisation as {organisation: …})'),
    "an organisation that is not marked": ("[Iain Murray]", '["Weights & Biases"]',
        '17:15: maf, authors #1: "Weights & Biases" looks like several names (write one author per item, first name first; an organisation as {organisation: …})'),
    "an end of a name": ("[Iain Murray]", "[Iain Murray, Jr.]",
        '17:28: maf, authors #2: "Jr." is the end of a name (put the whole name in quotes: "Ada Byron, Jr.")'),
    "an end of a name and more": ("[Iain Murray]", '["Iain Murray, Jr., Ada Byron, Jr."]',
        '17:15: maf, authors #1: "Iain Murray, Jr., Ada Byron, Jr." looks like several names (write one author per item, first name first; an organisation as {organisation: …})'),
    "an organisation of no name": ("[Iain Murray]", "[organisation: '']",
        "17:29: maf, authors #1, organisation: is empty (fill it in)"),
    "a long organisation": ("[Iain Murray]", "[organisation: " + "x" * 301 + "]",
        "17:29: maf, authors #1, organisation: has 301 characters (cut it to 300)"),
    "a misspelt organisation": ("[Iain Murray]", "[Iain Murray, organization: Lab]",
        '17:28: maf, authors #2, organisation: is missing (add a line such as "organisation: Google DeepMind")',
        '17:28: maf, authors #2, organization: is not a field of an author (did you mean "organisation"?)'),
    "an organisation of the wrong kind": ("[Iain Murray]", "[organisation: [Lab]]",
        '17:29: maf, authors #1, organisation: is a list, not text (write it as in "organisation: Google DeepMind")'),
    "an organisation that is others": ("[Iain Murray]", "[organisation: Lab et al.]",
        '17:15: maf, authors #1: "Lab et al." leaves authors out (name every author, one per item)'),
    "an organisation twice": ("[Iain Murray]", "[Lab, organisation: Lab]",
        '17:20: maf, authors #2: "Lab" is there twice (remove one)'),
    "an author twice": ("[Iain Murray]", "[Iain Murray, Iain Murray]",
        '17:28: maf, authors #2: "Iain Murray" is there twice (remove one)'),
    # Addresses
    "http": ("https://arxiv.org/abs/1705.07057", "http://arxiv.org/abs/1705.07057",
        '20:10: maf, url: "http://arxiv.org/abs/1705.07057" is not https (write https://arxiv.org/abs/1705.07057)'),
    "no scheme": ("https://arxiv.org/abs/1705.07057", "arxiv.org/abs/1705.07057",
        '20:10: maf, url: "arxiv.org/abs/1705.07057" is not an https address (write all of it, beginning with https://)'),
    "another scheme": ("https://arxiv.org/abs/1705.07057", "javascript:alert(1)",
        '20:10: maf, url: "javascript:alert(1)" is not an https address (write all of it, beginning with https://)'),
    "credentials": ("https://arxiv.org/abs/1705", "https://ada:secret@arxiv.org/abs/1705",
        '20:10: maf, url: "https://ada:secret@arxiv.org/abs/1705.07057" carries credentials (remove what stands before the @)'),
    "a space": ("https://arxiv.org/abs/1705", "https://arxiv.org/abs/1705 ",
        '20:10: maf, url: "https://arxiv.org/abs/1705 .07057" has a space in it (remove it, or write it as %20)'),
    "a host without a dot": ("https://arxiv.org/abs/1705", "https://localhost/1705",
        '20:10: maf, url: "https://localhost/1705.07057" has no proper host (check what stands between https:// and the path)'),
    "characters of Markdown": ("https://arxiv.org/abs/1705", "https://arxiv.org/abs/<1705>",
        '20:10: maf, url: "https://arxiv.org/abs/<1705>.07057" has characters that no address has (percent-encode them)'),
    "http in links": ("Code: https://github", "Code: http://github",
        '11:13: nice, links, Code: "http://github.com/laurent-dinh/nice" is not https (write https://github.com/laurent-dinh/nice)'),
    "an address twice": ("https://arxiv.org/abs/1705.07057", "https://www.arxiv.org/pdf/1410.8516v6.pdf",
        "20:10: maf, url: leads to the same place as the address of nice (keep one of the two entries)"),
    "an address twice, once by http": ("https://arxiv.org/abs/1705.07057", "http://arxiv.org/abs/1410.8516/",
        '20:10: maf, url: "http://arxiv.org/abs/1410.8516/" is not https (write https://arxiv.org/abs/1410.8516/)',
        "20:10: maf, url: leads to the same place as the address of nice (keep one of the two entries)"),
    "a link that is the entry's address": ("https://github.com/laurent-dinh/nice", "https://arxiv.org/abs/1410.8516v2",
        "11:13: nice, links, Code: leads to the same place as another address of the entry (remove it)"),
    "a link without a label": ("      Code: https", '      "": https',
        "11:7: nice, links, : is empty (fill it in)"),
    "a long label": ("      Code: https", f"      {'x' * 301}: https",
        f"11:7: nice, links, {'x' * 60}: has 301 characters (cut it to 300)"),
    "a long address": ("https://github.com/laurent-dinh/nice", "https://github.com/" + "x" * 2000,
        "11:13: nice, links, Code: has 2019 characters (cut it to 2000)"),
    "no links": ("    links:\n      Code: https://github.com/laurent-dinh/nice", "    links: {}",
        "10:12: nice, links: is empty (fill it in)"),
    # Titles
    "a title twice": ("title: Masked Flow", "title: Nice – an example!",
        "16:12: maf, title: is the title of nice too (keep one of the two entries)"),
    "a long title": ("title: flows", "title: " + "x" * 301,
        "38:12: flows, title: has 301 characters (cut it to 300)"),
    "an empty title": ("title: flows", 'title: ""',
        "38:12: flows, title: is empty (fill it in)"),
    # Tags and references
    "a misspelt tag": ("[graphs]", "[graph]",
        '32:12: talk, tags #1: "graph" is not a known tag (did you mean "graphs"?)'),
    "an unknown tag": ("[graphs]", "[physics]",
        '32:12: talk, tags #1: "physics" is not a known tag (choose a known one, or explain it under tags)'),
    "a name of a tag that no address holds": ("  graphs: Works", "  spare tag&x=1: Is not used\n  graphs: Works",
        '3:3: tags, spare tag&x=1: "spare tag&x=1" is not made of a-z, 0-9 and -, a letter first (write it as in "density-estimation")'),
    "a tag twice": ("[graphs]", "[graphs, graphs]",
        '32:20: talk, tags #2: "graphs" is there twice (remove one)'),
    "a paper twice": ("[nice, maf]", "[nice, maf, nice]",
        '31:25: talk, papers #3: "nice" is there twice (remove one)'),
    "no tags": ("[graphs]", "[]",
        "32:11: talk, tags: is empty (fill it in)"),
    "a misspelt reference": ("[nice, maf]", "[nice, mfa]",
        '31:20: talk, papers #2: "mfa" is the id of no publication (did you mean "maf"?)'),
    "an unknown reference": ("[nice, maf]", "[resnet]",
        '31:14: talk, papers #1: "resnet" is the id of no publication (add the publication, or remove this)'),
    "a reference to a video": ("[nice, maf]", "[talk]",
        '31:14: talk, papers #1: "talk" is in videos, not in publications (name the paper that it is about)'),
    # Notes
    "an empty note": ("Stacks.", "''",
        "24:11: maf, note: is empty (fill it in)"),
    "a long note": ("Stacks.", "x" * 601,
        "24:11: maf, note: has 601 characters (cut it to 600)"),
    "HTML": ("Stacks.", "Stacks <b>flows</b>.",
        '24:11: maf, note: holds raw HTML, "<b>" (use plain text, and ` around code)'),
    "a comment of HTML": ("Stacks.", "Stacks <!-- not --> flows.",
        '24:11: maf, note: holds raw HTML, "<!-- not -->" (use plain text, and ` around code)'),
    "an image": ("Stacks.", "Stacks ![flows](https://example.org/flows.png).",
        "24:11: maf, note: holds an image (remove it, or link to it)"),
    "a link by http": ("Stacks.", "Stacks [flows](http://example.org).",
        '24:11: maf, note: holds a link to "http://example.org" (write links as [label](https://…))'),
    "a link inside the site": ("Stacks.", "Stacks [flows](/flows).",
        '24:11: maf, note: holds a link to "/flows" (write links as [label](https://…))'),
    "a link with credentials": ("Stacks.", "Stacks [flows](https://ada:secret@example.org).",
        '24:11: maf, note: holds a link to "https://ada:secret@example.org", which carries credentials (remove what stands before the @)'),
    "an address by http": ("Stacks.", "Stacks http://example.org.",
        "24:11: maf, note: holds an address that is not https (write links as [label](https://…))"),
    "code in a label": ("Stacks.", "Stacks [`flows`](https://example.org).",
        '24:11: maf, note: holds code in the label "`flows`" (remove the backticks)'),
    # Implementations
    "neither implemented nor wanted": ("    implementation: wanted\n", "",
        '15:5: maf: has no implementations/maf.py (write it, or add the line "implementation: wanted")'),
    "wanted, but implemented": ("id: nice", "id: nice\n    implementation: wanted",
        '6:21: nice, implementation: is "wanted", but there is implementations/nice.py (remove the line)'),
    "an implementation without publication": ("id: nice", "id: mice\n    implementation: wanted",
        '5:3: publications: none has the id "nice" of implementations/nice.py (add its entry, or rename the file)',
        '32:14: talk, papers #1: "nice" is the id of no publication (did you mean "mice"?)'),
}
