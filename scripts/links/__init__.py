"""Which addresses of the list and the website still lead somewhere.

`checking` runs it: `places` says what there is to ask, `linkchecker` and `videos` ask,
`answers` says what an answer means, `history` what follows from several of them.
"""
