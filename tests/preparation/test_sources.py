"""Folder and zip give the same files, however they are packed; what is not read is told."""

import os
import zipfile

import pytest

from rankpose_tf.core.errors import RankPoseError
from rankpose_tf.preparation import sources


def _zip(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_folder_and_zip_hold_the_same_and_leave_out_what_archivers_add(tmp_path):
    folder = tmp_path / "folder"
    wanted = {"a.txt": b"1", "s p/b.txt": b"22"}
    for name, content in {**wanted, "__MACOSX/a.txt": b"x", "s p/._b.txt": b"x"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    archive = _zip(tmp_path / "x.zip", **wanted, **{"__MACOSX/a.txt": b"x", "s p/._b.txt": b"x"})
    for source in (sources.open_source(folder), sources.open_source(archive)):
        assert sorted(source.stamps()) == sorted(wanted)
        assert {name: source.read(name) for name in wanted} == wanted
        source.close()


def test_stamps_change_with_the_content(tmp_path):
    stamps = []
    for content in (b"one", b"two"):
        source = sources.open_source(_zip(tmp_path / "x.zip", a=content))
        stamps.append(source.stamps())
        source.close()
    assert stamps[0] != stamps[1]


def test_a_cut_zip_and_no_zip_are_one_sentence(tmp_path):
    archive = _zip(tmp_path / "x.zip", a=b"1" * 1000)
    archive.write_bytes(archive.read_bytes()[:-10])
    (tmp_path / "renamed.zip").write_bytes(b"Rar!")
    for path, message in (
        (archive, "cut short"),
        (tmp_path / "renamed.zip", "no readable zip .*; pass a folder, a zip or a table"),
        (tmp_path / "absent", "there is nothing at"),
    ):
        with pytest.raises(RankPoseError, match=message):
            sources.open_source(path)


def test_names_are_the_same_however_an_archiver_wrote_them(tmp_path):
    for number, written in enumerate(("./A/b.jpg", "A\\b.jpg", ".\\A\\b.jpg", "A//b.jpg")):
        path = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("./A/", "A\\", written):
                entry = zipfile.ZipInfo("x")
                entry.filename = name
                archive.writestr(entry, b"" if name.endswith(("/", "\\")) else b"content")
        source = sources.open_source(path)
        assert list(source.stamps()) == ["A/b.jpg"]
        assert source.read("A/b.jpg") == b"content"
        source.close()


def test_linked_folders_are_read_once_and_a_circle_ends(tmp_path):
    (tmp_path / "real" / "AFW").mkdir(parents=True)
    (tmp_path / "real" / "AFW" / "a.jpg").write_bytes(b"1")
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "LFPW").mkdir()
    (folder / "LFPW" / "b.jpg").write_bytes(b"2")
    for name, target in (("AFW", tmp_path / "real" / "AFW"), ("again", tmp_path / "real" / "AFW"),
                         ("circle", folder), ("A", folder / "LFPW")):  # fmt: skip
        (folder / name).symlink_to(target, target_is_directory=True)
    (folder / "nowhere").symlink_to(tmp_path / "absent")
    source = sources.Folder(folder)
    assert sorted(source.stamps()) == ["AFW/a.jpg", "LFPW/b.jpg", "nowhere"]
    assert source.read("AFW/a.jpg") == b"1"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.tar.xz", "tar archive, .*unpack it"),
        ("x.TGZ", "tar archive, .*unpack it"),
        ("x.csv.gz", "a compressed file; unpack it"),
        ("x.TXT", "a text of no known form.*save it as one of .csv"),
        ("x.rar", "RAR archive, which is not read; unpack it"),
        ("x.7z", "7-Zip archive, which is not read; unpack it"),
        ("x.xlsx", "save it as one of .csv, .tsv, .jsonl"),
        ("x.json", "one object a line"),
        ("x.csv", "there is nothing at .* or a table"),
    ],
)
def test_what_is_not_read_is_told_by_its_kind_and_not_to_be_downloaded_again(
    tmp_path, name, message
):
    if name != "x.csv":
        (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(RankPoseError, match=message) as error:
        sources.open_source(tmp_path / name)
    assert "download" not in str(error.value)


def test_of_a_table_only_itself_is_listed_but_its_neighbours_are_read(tmp_path):
    for name in ("m.tsv", "a.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    source = sources.open_source(tmp_path / "m.tsv")
    assert (source.name, list(source.stamps())) == ("m.tsv", ["m.tsv"])
    assert source.read("a.jpg") == b"a.jpg"


def test_a_linked_table_is_what_the_link_is_called_and_its_pictures_lie_beside_the_link(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "0123abcd").write_bytes(b"image")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.jpg").write_bytes(b"a.jpg")
    (tmp_path / "set" / "m.csv").symlink_to(tmp_path / "store" / "0123abcd")
    source = sources.open_source(tmp_path / "set" / "m.csv")
    assert (source.name, list(source.stamps())) == ("m.csv", ["m.csv"])
    assert (source.read("m.csv"), source.read("a.jpg")) == (b"image", b"a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "set")
    # Where the system itself looks: the parent of the folder that is linked.
    assert sources.open_source(f"{tmp_path}/link/../set/m.csv").read("a.jpg") == b"a.jpg"


def test_a_link_without_a_suffix_is_what_it_leads_to(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "m.csv").write_bytes(b"image")
    (tmp_path / "table").symlink_to(tmp_path / "set" / "m.csv")
    (tmp_path / "folder").symlink_to(tmp_path / "set")
    assert sources.open_source(tmp_path / "table").name == "m.csv"
    assert sources.open_source(tmp_path / "folder").name == "set"


@pytest.mark.parametrize("name", ["loop", "loop.csv", "loop.zip"])
def test_a_link_to_itself_is_one_sentence(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / name)
    with pytest.raises(RankPoseError, match=f"there is nothing at .*{name}'; pass a folder"):
        sources.open_source(tmp_path / name)


def test_a_file_that_claims_too_much_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").write_bytes(b"1" * 1000)
    monkeypatch.setattr(sources, "_LARGEST", 999)
    for source in (tmp_path / "set", _zip(tmp_path / "x.zip", a=b"1" * 1000)):
        with pytest.raises(OSError, match="a: it has 1,000 bytes, and at most 999 are read"):
            sources.open_source(source).read("a")


def test_a_pipe_or_a_device_in_a_folder_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").symlink_to("/dev/zero")
    source = sources.Folder(tmp_path)
    for name in source.stamps():
        with pytest.raises(OSError, match="no regular file"):
            source.read(name)


def test_names_that_climb_and_links_in_a_zip_are_content_of_the_zip_alone(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"outside")
    link = zipfile.ZipInfo("link.jpg")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("../secret.jpg", b"inside")
        archive.writestr("A/../../../climbs.jpg", b"inside")
        archive.writestr("/etc/passwd.jpg", b"inside")
        archive.writestr(link, "secret.jpg")
    source = sources.open_source(tmp_path / "x.zip")
    content = {name: source.read(name) for name in source.stamps()}
    # What begins with a dot is passed over.
    assert content == {"/etc/passwd.jpg": b"inside", "link.jpg": b"secret.jpg"}
    assert source.read("../secret.jpg") == b"inside"
    for name in (str(tmp_path / "secret.jpg"), "secret.jpg", "/etc/passwd"):
        with pytest.raises(FileNotFoundError):
            source.read(name)
    source.close()
