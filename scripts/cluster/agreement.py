"""Workers that differ: which of them, in what, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from scripts.cluster.facts import WorkerFacts
from scripts.cluster.place import ClusterError

_REMEDY = """\
Bring each to commit {commit} (git pull), run `make test` there once, which installs \
the same versions, and start it again: `.venv/bin/dask scheduler`, {start}"""
_CHANGED = (
    "\nWhat has changed here since that commit must be committed and pushed first."
)


def start_worker(address: str) -> str:
    """Return the command that starts a worker of this checkout."""
    return f"`.venv/bin/dask worker {address} --nthreads 1`"


def check_agreement(
    address: str,
    here: WorkerFacts,
    workers: Mapping[str, WorkerFacts | BaseException],
    alike: Sequence[str] = (),
) -> list[str]:
    """Refuse workers that would give other results; return what may be told of others.

    `workers` are facts by address, or why there are none. Raises ClusterError.
    """
    wrong = {
        worker: told
        for worker, found in workers.items()
        if (told := difference(here, found))
    }
    if wrong:
        raise ClusterError(_refusal(address, here, wrong, workers))
    known = {
        name: found for name, found in workers.items() if isinstance(found, WorkerFacts)
    }
    for field in alike:
        values = {name: getattr(found, field) for name, found in known.items()}
        if len(set(values.values())) > 1:
            raise ClusterError(_unlike(address, field, values))
    return [*_other_commits(here, known)]


def difference(here: WorkerFacts, found: WorkerFacts | BaseException) -> str:
    """Say in what a worker differs from this checkout; "" where in nothing."""
    if isinstance(found, BaseException):
        return f"this project, as it is here, cannot be imported there ({found})"
    parts = [
        f"{package} {theirs or 'missing'} (here {ours})"
        for package, ours in here.versions.items()
        if (theirs := found.versions.get(package)) != ours
    ]
    names = sorted(here.code.keys() | found.code.keys())
    files = [name for name in names if here.code.get(name) != found.code.get(name)]
    if files:
        more = f" and {len(files) - 1} more files" if files[1:] else ""
        commits = f"commit {found.commit or 'unknown'}, here {here.commit or 'unknown'}"
        parts.append(f"{files[0]}{more} of another text ({commits})")
    return "; ".join(parts)


def _refusal(
    address: str,
    here: WorkerFacts,
    wrong: Mapping[str, str],
    workers: Mapping[str, WorkerFacts | BaseException],
) -> str:
    lines = [f"{len(wrong)} of {len(workers)} asked at {address} differ from here:"]
    lines += [f"  {worker}: {told}" for worker, told in wrong.items()]
    commit = here.commit or "of this checkout"
    lines.append(_REMEDY.format(commit=commit, start=start_worker(address)))
    changed = [
        found
        for worker in wrong
        if isinstance(found := workers[worker], WorkerFacts)
        and (found.commit == here.commit and found.code != here.code)
    ]
    return "\n".join(lines) + (_CHANGED if changed else "")


def _unlike(address: str, field: str, values: Mapping[str, str]) -> str:
    lines = [f"The workers of {address} do not have one {field}:"]
    lines += [f"  {worker}: {value}" for worker, value in values.items()]
    lines.append(
        "Results stand beside each other only from one kind: stop those of the other"
    )
    return "\n".join(lines)


def _other_commits(
    here: WorkerFacts, workers: Mapping[str, WorkerFacts]
) -> Iterator[str]:
    for worker, found in workers.items():
        if found.commit != here.commit:
            yield (
                f"{worker} is at commit {found.commit or 'unknown'}, here is "
                f"{here.commit or 'unknown'}; the code that runs there is the same"
            )
