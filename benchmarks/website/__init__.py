"""The website's costs, to build and to visit."""
