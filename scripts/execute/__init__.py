"""What runs papers' files: notebooks, claims, figures, and short runs of them."""
