"""`python -m implementations.scale RECIPE`: see command.py."""

from implementations.scale.command import main

if __name__ == "__main__":
    main()
