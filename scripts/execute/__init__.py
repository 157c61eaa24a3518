"""Papers' files are run here: notebooks, claims, figures, and short runs of them."""
