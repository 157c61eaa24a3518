"""Which tests two workers may share out, and which stay together.

What a file sets up for all of its tests is set up once if one worker has the file; the
site is built once, and one browser started, if one has the room. Of the contract each
test stands for itself. (`--dist loadgroup` knows groups by names that it writes into
the tests' ids; pytest 9.2 no longer takes them.)
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

ONE_ROOM = "tests/site/"
APART = "tests/flows/test_contract"
ONE_PROCESS = "::test_two_processes"


class InFiles(LoadScopeScheduling):
    """Hands out whole files, and of the contract single tests."""

    def _split_scope(self, nodeid: str) -> str:
        """Name of what stays together with this test."""
        file, _, _ = nodeid.partition("::")
        if file.startswith(ONE_ROOM):
            return ONE_ROOM
        if ONE_PROCESS in nodeid:
            return ONE_PROCESS
        return nodeid if file.startswith(APART) else file
