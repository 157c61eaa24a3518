"""What the website costs to build and to visit."""
