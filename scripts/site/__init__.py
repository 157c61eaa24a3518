"""Everything → the website, by MkDocs."""
