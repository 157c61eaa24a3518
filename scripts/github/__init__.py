"""Issue forms, pull requests and releases, for the workflows."""
