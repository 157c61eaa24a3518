"""A download is whole or not there; what broke off goes on; and one is told why."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest

from implementations.core.data import DataError, download
from implementations.core.data.download import Patience, fetch
from implementations.core.data.sources import Source
from tests.flows.data.making import files_up_to, md5
from tests.flows.data.mirror import FileMirror

CONTENT = bytes(range(256)) * 2**11  # 512 KiB
CUT = 2**17
QUICK = Patience(tries=3, pause=0.001, silence=5)
ONCE = Patience(tries=1, pause=0.001, silence=5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    return made


def source(mirror: FileMirror, *more: str, name: str = "data.bin") -> Source:
    """The file as the mirror has it; further addresses come first."""
    mirror.files.setdefault(f"/{name}", CONTENT)
    return Source("group", name, (*more, f"{mirror.url}/{name}"), md5(CONTENT), 1)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_comes_whole_and_nothing_stays_beside_it(
    mirror: FileMirror, folder: Path
) -> None:
    path = fetch(source(mirror), folder)
    assert path == folder / "data.bin"
    assert path.read_bytes() == CONTENT
    assert left(folder) == {"data.bin"}


def test_a_server_that_dies_is_asked_for_the_rest(
    mirror: FileMirror, folder: Path
) -> None:
    mirror.breaks = [CUT, CUT]
    assert fetch(source(mirror), folder, QUICK).read_bytes() == CONTENT
    # What had arrived of the last piece may be asked for again.
    first, second, third = mirror.ranges_asked()
    assert first is None
    assert CUT - 2**16 <= int((second or "")[6:-1]) <= CUT
    assert 2 * (CUT - 2**16) <= int((third or "")[6:-1]) <= 2 * CUT
    assert mirror.asked[1][1]["if-range"] == '"1"'
    assert mirror.sent <= len(CONTENT) + 2 * 2**16


def test_what_an_earlier_run_has_got_is_not_asked_for_again(
    mirror: FileMirror, folder: Path
) -> None:
    mirror.breaks = [CUT, 0]
    with pytest.raises(DataError, match=r"broke off.*it goes on where it stopped"):
        fetch(source(mirror), folder, ONCE)
    assert left(folder) == {"data.bin.part", "data.bin.part.json"}
    got = (folder / "data.bin.part").stat().st_size
    assert got >= CUT - 2**16
    assert fetch(source(mirror), folder).read_bytes() == CONTENT
    assert mirror.ranges_asked() == [None, *2 * [f"bytes={got}-"]]
    assert left(folder) == {"data.bin"}


def test_a_whole_part_is_only_checked(mirror: FileMirror, folder: Path) -> None:
    mirror.breaks = [CUT, 0]
    with pytest.raises(DataError):
        fetch(source(mirror), folder, ONCE)
    (folder / "data.bin.part").write_bytes(CONTENT)
    assert fetch(source(mirror), folder).read_bytes() == CONTENT
    assert len(mirror.asked) == 2


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(
    mirror: FileMirror, folder: Path
) -> None:
    mirror.breaks, mirror.ranges = [CUT], False
    assert fetch(source(mirror), folder, QUICK).read_bytes() == CONTENT
    assert mirror.ranges_asked()[1] is not None


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) + 5, CUT // 2])
@pytest.mark.parametrize("told", [True, False])
def test_two_editions_of_a_file_are_never_put_together(
    length: int, told: bool, mirror: FileMirror, folder: Path
) -> None:
    old = bytes(length)
    mirror.files["/data.bin"] = old
    mirror.validator = ("ETag", '"old"') if told else None
    mirror.breaks = [CUT, 0]
    wanted = source(mirror)
    with pytest.raises(DataError):
        fetch(wanted, folder, ONCE)
    mirror.files["/data.bin"] = CONTENT
    mirror.validator = ("ETag", '"new"') if told else None
    assert fetch(wanted, folder, QUICK).read_bytes() == CONTENT


def test_a_part_that_is_longer_than_the_file_is_dropped(
    mirror: FileMirror, folder: Path
) -> None:
    (folder / "data.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(source(mirror), folder, QUICK).read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ['W/"weak"', '"strong"'])
def test_only_what_says_that_bytes_are_the_same_is_sent_along(
    etag: str, mirror: FileMirror, folder: Path
) -> None:
    mirror.validator, mirror.breaks = ("ETag", etag), [CUT]
    assert fetch(source(mirror), folder, QUICK).read_bytes() == CONTENT
    assert mirror.asked[1][1].get("if-range") == (None if "W" in etag else etag)


def test_another_file_is_told_and_does_not_stay(
    mirror: FileMirror, folder: Path
) -> None:
    mirror.files["/data.bin"] = b"<html>Please log in</html>"
    with pytest.raises(DataError) as told:
        fetch(source(mirror), folder, QUICK)
    host = mirror.url.removeprefix("http://")
    found = md5(mirror.files["/data.bin"])
    assert str(told.value) == (
        f"data.bin cannot be downloaded: {host} has another file: its checksum is "
        f"{found}, expected {md5(CONTENT)} (try later; or download "
        f"{mirror.url}/data.bin into {folder})"
    )
    assert left(folder) == set()
    assert len(mirror.asked) == 1


def test_the_next_mirror_is_asked(mirror: FileMirror, folder: Path) -> None:
    wanted = source(mirror, f"{mirror.url}/gone.bin")
    assert fetch(wanted, folder, QUICK).read_bytes() == CONTENT
    assert [path for path, _ in mirror.asked] == ["/gone.bin", "/data.bin"]


def test_the_next_mirror_goes_on_where_the_first_one_stopped(
    mirror: FileMirror, folder: Path
) -> None:
    wanted = source(mirror, f"{mirror.url}/first/data.bin")
    mirror.files["/first/data.bin"] = CONTENT
    mirror.breaks = [CUT, 0]
    assert fetch(wanted, folder, ONCE).read_bytes() == CONTENT
    assert "if-range" not in mirror.asked[2][1]
    assert mirror.sent <= len(CONTENT) + 2**16


def test_each_mirror_s_answer_is_told(mirror: FileMirror, folder: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
        wanted = source(mirror, f"http://{nobody}/data.bin")
        mirror.files.clear()
        with pytest.raises(DataError) as told:
            fetch(wanted, folder, QUICK)
    host = mirror.url.removeprefix("http://")
    assert str(told.value) == (
        f"data.bin cannot be downloaded: {nobody} cannot be reached; {host} answered "
        "with status 404 (try later; or download "
        f"http://{nobody}/data.bin into {folder})"
    )


@pytest.mark.parametrize("code", [429, 500, 503])
def test_who_is_busy_is_asked_again(
    code: int, mirror: FileMirror, folder: Path
) -> None:
    mirror.codes = [code, code]
    assert fetch(source(mirror), folder, QUICK).read_bytes() == CONTENT
    mirror.codes = [code] * 3
    (folder / "data.bin").unlink()
    with pytest.raises(DataError, match=f"answered with status {code}"):
        fetch(source(mirror), folder, QUICK)


def test_a_server_that_says_nothing_is_given_up(
    mirror: FileMirror, folder: Path
) -> None:
    mirror.silent = 0.3
    with pytest.raises(DataError, match=r"said nothing for 0\.05 seconds"):
        fetch(source(mirror), folder, Patience(tries=1, silence=0.05))


def test_a_server_that_always_begins_anew_and_dies_is_given_up(
    mirror: FileMirror, folder: Path
) -> None:
    mirror.ranges, mirror.breaks = False, [CUT, CUT // 2] * 9
    with pytest.raises(DataError, match="broke off"):
        fetch(source(mirror), folder, QUICK)
    assert len(mirror.asked) <= 5


def test_of_a_zipped_file_the_inside_counts(mirror: FileMirror, folder: Path) -> None:
    mirror.files["/data.gz"] = gzip.compress(CONTENT, 1)
    # Some servers take the file's own form for one of transport.
    mirror.headers = {"Content-Encoding": "gzip"}
    path = fetch(source(mirror, name="data.gz"), folder)
    assert path.read_bytes() == mirror.files["/data.gz"]
    assert mirror.asked[0][1]["accept-encoding"] == "identity"
    mirror.files["/data.gz"] = gzip.compress(CONTENT)[:-9]
    with pytest.raises(DataError, match=r"has another file: .*ended before"):
        fetch(source(mirror, name="data.gz"), folder)


def test_a_disk_that_is_full_loses_nothing(mirror: FileMirror, folder: Path) -> None:
    with (
        files_up_to(CUT),
        pytest.raises(
            DataError, match=r"cannot be written: File too large \(make room"
        ),
    ):
        fetch(source(mirror), folder)
    assert (folder / "data.bin.part").stat().st_size == CUT
    assert fetch(source(mirror), folder).read_bytes() == CONTENT
    assert mirror.ranges_asked() == [None, f"bytes={CUT}-"]


def test_too_little_room_is_told_before_anything_is_written(
    mirror: FileMirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage)
    with pytest.raises(
        DataError, match=r"has no room: it needs 524,288 bytes more, 1,000 are free"
    ):
        fetch(source(mirror), folder)
    assert left(folder) == set()


def test_passwords_stay_at_home(mirror: FileMirror, folder: Path, home: Path) -> None:
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    fetch(source(mirror), folder)
    assert "authorization" not in mirror.asked[0][1]


def test_the_bar_begins_at_what_is_there(
    mirror: FileMirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = []
    made = download.tqdm

    def bar(**settings: object) -> object:
        bars.append((settings["initial"], settings["total"]))
        return made(**settings)  # pyright: ignore[reportCallIssue, reportArgumentType]

    monkeypatch.setattr(download, "tqdm", bar)
    mirror.breaks = [CUT]
    fetch(source(mirror), folder, QUICK)
    assert bars[0] == (0, len(CONTENT))
    assert bars[1] == (int((mirror.ranges_asked()[1] or "")[6:-1]), len(CONTENT))


def test_without_requests_one_is_told_what_to_install(
    mirror: FileMirror, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "requests", None)
    with pytest.raises(DataError, match=r"requests is not installed.*\[flows,scale\]"):
        fetch(source(mirror), folder)
