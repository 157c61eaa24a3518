"""What every room may use: files, the project's addresses, text, dates."""
