"""Where the project lives: every address derives from `repo_url` in mkdocs.yml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]

# Stands for docs/assets/figures/flow-*.png wherever they are shown.
FIGURE_ALT = (
    "A Gaussian density is carried step by step, through the layers of a trained flow, "
    "into the density of the data."
)


class _Plain(yaml.SafeLoader):
    """Reads mkdocs.yml without the Python objects that its tags name."""


_Plain.add_multi_constructor("", lambda loader, suffix, node: None)


@dataclass(frozen=True)
class Project:
    """The project's name and addresses."""

    name: str
    site_url: str
    repo_url: str

    def blob(self, path: str) -> str:
        """Address of a file as the repository's host shows it."""
        return f"{self.repo_url}/blob/main/{path}"

    def colab(self, path: str) -> str:
        """Address that opens a committed notebook in Colab."""
        repository = self.repo_url.removeprefix("https://github.com/")
        return f"https://colab.research.google.com/github/{repository}/blob/main/{path}"

    def page(self, path: str) -> str:
        """Address of a page of the website, `path` relative to its root."""
        return f"{self.site_url.rstrip('/')}/{path}"

    @property
    def how_to_implement(self) -> str:
        """Address of what there is to do for a paper without a notebook."""
        return self.blob("CONTRIBUTING.md#implement-a-paper")


def read_project(config: Path = ROOT / "mkdocs.yml") -> Project:
    """Read the project's name and addresses from mkdocs.yml."""
    settings = yaml.load(config.read_text("utf-8"), Loader=_Plain)
    return Project(settings["site_name"], settings["site_url"], settings["repo_url"])
