"""What services say of a work: arXiv, Crossref, oEmbed, GitHub."""
