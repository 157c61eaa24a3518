"""Measurements: `make bench` writes them to `benchmarks/results/`.

Each command is a module, `python -m benchmarks.flows --help`, and writes one JSON file
of its name. What the site reads (all but families and site) keeps these rules, which
`scripts/results` has as pydantic forms, so that writer, reader and test share one
definition:

- It begins with a `Head`: date, machine, versions by package (python, torch, every
  library measured), threads, and gpu, the card's name or "not measured".
- What follows are single values and tables. A table is a list of flat rows, one a
  line, whose keys name what was measured before how it came out.
- A flow of ours is known by `paper`, the publication's id, and its `name` in
  `benchmarks.ours.OUR_FLOWS`; the same flow in four libraries by `family`, `dim` and
  `library`, as in `benchmarks.libraries.families`.
- Values are as measured: a list with one for each repeat or seed, never a mean; times
  in seconds of one call, memory in bytes, densities in nats. Medians and ratios are the
  reader's business.
- What was not measured is said in words, in `left_out`, or is null where the form
  says what that means.
- A run of a part (`--quick`, `--only`) writes nothing unless told where; but
  `benchmarks.gpu --only` renews a part of gpu.json, since time on a GPU is short.
"""
