"""For every room to use: files, the project's addresses, text, dates."""
