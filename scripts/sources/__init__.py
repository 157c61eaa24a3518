"""Services that know works: arXiv, Crossref, oEmbed, GitHub."""
