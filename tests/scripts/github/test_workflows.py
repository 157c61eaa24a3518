"""Workflows and forms are valid, call the Makefile, and give nothing away."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.base.project import ROOT, read_project
from scripts.github.clone import FIELDS, FORMS

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))

ISSUE_FORMS = sorted(
    form
    for form in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml")
    if form.name != "config.yml"
)
EVERY_WORKFLOW = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
# The workflows that write, and why each of their tokens may.
WRITERS = {"entry": {"contents", "issues", "pull-requests"}}
WRITERS |= {"links": {"contents", "issues", "pull-requests"}}
WRITERS |= {"readme": {"contents", "pull-requests"}, "pages": {"pages", "id-token"}}
WRITERS |= {"release": {"contents"}}


def read(path: Path) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for a truth value.
    return yaml.load(path.read_text("utf-8"), Loader=yaml.BaseLoader)


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_each_workflow_is_there() -> None:
    names = {path.stem for path in WORKFLOWS}
    assert names >= {"check", "test", "execute", "readme", "pages", "entry", "release"}
    assert "links" in names
    tested = read(GITHUB / "workflows" / "test.yml")["jobs"]["test"]
    assert tested["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


@EVERY_WORKFLOW
def test_workflows_run_targets_of_the_makefile_and_nothing_else(path: Path) -> None:
    commands = [step["run"] for step in steps(read(path)) if "run" in step]
    assert commands or path.stem == "pages"
    for command in commands:
        call = re.fullmatch(r"make ([a-z-]+)( [A-Z]+=[\w^]+)?", command)
        assert call and call[1] in targets(), command


@EVERY_WORKFLOW
def test_actions_are_pinned_by_commit_and_say_their_version(path: Path) -> None:
    uses = re.findall(r"uses: (.+)", path.read_text("utf-8"))
    assert uses
    for line in uses:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_one_action_has_one_version() -> None:
    uses = {
        use
        for path in WORKFLOWS
        for use in re.findall(r"uses: (.+)", path.read_text("utf-8"))
    }
    assert len({use.split("@")[0] for use in uses}) == len(uses)


@EVERY_WORKFLOW
def test_tokens_may_do_no_more_than_they_must(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] in ({}, "{}")
    granted = {
        scope
        for job in workflow["jobs"].values()
        for scope, level in job["permissions"].items()
        if level != "read"
    }
    assert granted == WRITERS.get(path.stem, set())
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


@EVERY_WORKFLOW
def test_code_from_forks_meets_no_secret(path: Path) -> None:
    triggers, text = read(path)["on"], path.read_text("utf-8")
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(triggers)
    assert "secrets." not in text
    if "pull_request" in triggers:
        assert "github.token" not in text and "write" not in text


def test_the_web_is_asked_by_a_step_without_a_token() -> None:
    asking, publishing = steps(read(GITHUB / "workflows" / "links.yml"))[-2:]
    assert asking["run"] == "make links" and "env" not in asking
    assert publishing["run"] == "make publish-links"
    pages, links = (
        read(GITHUB / "workflows" / f"{name}.yml")["on"]["schedule"][0]["cron"].split()
        for name in ("pages", "links")
    )
    # GitHub starts nothing for what links pushes; the site follows later that day.
    assert (pages[0], pages[2:]) == (links[0], links[2:])
    assert int(pages[1]) - int(links[1]) == 3


@EVERY_WORKFLOW
def test_workflows_end_and_do_not_pile_up(path: Path) -> None:
    workflow = read(path)
    assert workflow["concurrency"]["group"]
    assert all(int(job["timeout-minutes"]) <= 180 for job in workflow["jobs"].values())


def test_what_is_published_is_built_without_a_cache() -> None:
    for name in ("pages", "readme", "entry", "release", "links"):
        text = (GITHUB / "workflows" / f"{name}.yml").read_text("utf-8")
        assert "cache:" not in text


def test_a_pull_request_is_checked_without_torch() -> None:
    called = {step.get("run") for step in steps(read(GITHUB / "workflows/check.yml"))}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for command in called - {None}:
        target = str(command).split()[1]
        assert re.search(rf"^{target}: \.venv/site ##", makefile, re.MULTILINE), target


SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.github-issue-forms": ISSUE_FORMS,
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_github_takes_the_files(schema: str) -> None:
    checked = check_schema(schema, *SCHEMAS[schema])
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_misspelt_workflow_is_no_valid_one(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    text = WORKFLOWS[0].read_text("utf-8")
    wrong.write_text(text.replace("runs-on:", "run-on:"), "utf-8")
    assert "runs-on" in check_schema("vendor.github-workflows", wrong).stdout


def check_schema(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "check_jsonschema"]
    return subprocess.run(
        [*command, "--builtin-schema", schema, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=300,
    )


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    places = [sysconfig.get_path("scripts"), os.environ["PATH"]]
    program = shutil.which("zizmor", path=os.pathsep.join(places))
    assert program, "zizmor is missing: run `make test`, which installs it"
    command = [program, "--offline", "--persona=pedantic", "--no-progress", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_an_audit_of_the_workflows_finds_nothing() -> None:
    audit = zizmor(GITHUB)
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_the_audit_would_find_a_title_in_a_command(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text = (GITHUB / "workflows" / "entry.yml").read_text("utf-8")
    title = "${{ github.event.issue.title }}"
    wrong = text.replace("run: make answer-issue", f"run: make add ENTRY='{title}'")
    assert wrong != text
    (folder / "entry.yml").write_text(wrong, "utf-8")
    assert "template-injection" in zizmor(tmp_path / ".github").stdout


def questions(form: Path) -> dict[str, bool]:
    """The questions of a form, and whether an answer is required."""
    return {
        part["attributes"]["label"]: part.get("validations", {}).get("required")
        == "true"
        for part in read(form)["body"]
        if part["type"] != "markdown"
    }


def test_there_is_a_form_for_each_section() -> None:
    kinds = [next(iter(questions(form))) for form in ISSUE_FORMS]
    assert sorted(kinds) == sorted(FORMS)


@pytest.mark.parametrize("form", ISSUE_FORMS, ids=lambda path: path.stem)
def test_forms_ask_what_is_understood(form: Path) -> None:
    asked = questions(form)
    (kind,) = asked.keys() & FORMS.keys()
    assert asked.keys() - {kind} <= FIELDS.keys()
    assert asked[kind] and asked["Note"] and asked["Tags"]
    # The workflow answers issues that are titled so.
    assert read(form)["title"] == "Add: "
    entry = (GITHUB / "workflows" / "entry.yml").read_text("utf-8")
    assert "startsWith(github.event.issue.title, 'Add:')" in entry


def test_hooks_before_commits_call_the_makefile() -> None:
    (local,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    calls = {hook["entry"].removeprefix("make ") for hook in local["hooks"]}
    assert local["repo"] == "local"
    assert calls == {"check", "readme", "lint"}
    assert calls <= targets()
    for hook in local["hooks"]:
        assert hook["pass_filenames"] == "false" and re.compile(hook.get("files", ""))


def test_whoever_cites_or_reports_is_led_to_this_project() -> None:
    project, cited = read_project(), read(ROOT / "CITATION.cff")
    assert cited["repository-code"] == project.repo_url
    assert cited["url"] == project.site_url
    assert cited["title"] == project.name
    report = f"({project.repo_url}/security/advisories/new)"
    assert report in (ROOT / "SECURITY.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["SECURITY.md", ".github/pull_request_template.md"])
def test_every_make_target_that_is_named_exists(name: str) -> None:
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / name).read_text("utf-8")))
    assert named and named <= targets()
