"""Files that are written whole or not at all."""

import os
import stat

import pytest

from depthwise.errors import FileError
from depthwise.files import whole_file, write_whole


def rights(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_what_fails_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path):
    path = tmp_path / "kept"
    write_whole(path, b"before")
    with pytest.raises(ZeroDivisionError), whole_file(path) as stream:
        stream.write(b"half")
        raise ZeroDivisionError
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("kept", b"before")]


@pytest.mark.skipif(os.name == "nt", reason="no rights for groups there")
def test_rights_are_those_of_the_file_before_or_of_any_new_one(tmp_path):
    (tmp_path / "any").touch()
    write_whole(tmp_path / "new", b"")
    assert rights(tmp_path / "new") == rights(tmp_path / "any")
    (tmp_path / "new").chmod(0o600)
    write_whole(tmp_path / "new", b"more")
    assert rights(tmp_path / "new") == 0o600


def test_the_longest_name_there_is(tmp_path):
    path = tmp_path / ("x" * 255)
    write_whole(path, b"content")
    assert path.read_bytes() == b"content"


def test_a_name_that_is_too_long_is_told(tmp_path):
    path = tmp_path / ("x" * 256)
    with pytest.raises(FileError, match=r"cannot be written \(File name too long\)"):
        write_whole(path, b"")
    assert not list(tmp_path.iterdir())
