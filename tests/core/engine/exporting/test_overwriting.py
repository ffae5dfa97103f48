"""What ig4 did not write stays: no file of others is replaced unasked, and no link is followed."""

from __future__ import annotations

import json
import os

import pytest

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.writing.staging import staged
from ig4.core.files.writing.written import MANIFEST

from ...conftest import record

resource = pytest.importorskip("resource")  # links need a privilege on Windows


@pytest.fixture
def dataset(folder, read):
    for n in range(2):
        folder.picture(f"images/{n}.png", (n, 0, 0))
    folder.write(record("a", "one", "images/0.png"), record("b", "two", "images/1.png"))
    return read().dataset


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def listed(folder):
    """All that is in a folder but ig4's list, with what it holds."""
    return {
        str(path.relative_to(folder)): (
            f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes()
        )
        for path in sorted(folder.rglob("*"))
        if path.name != MANIFEST and (path.is_symlink() or path.is_file())
    }


def test_a_file_of_the_user_is_kept_and_named(session, dataset, out):
    (out / "set.json").write_text("mine")
    with pytest.raises(UsageError, match=r"set\.json exists, and it was not written by ig4"):
        export(session, dataset, ExportTarget(out / "set.json"))
    assert listed(out) == {"set.json": b"mine"}


def test_so_is_one_in_the_place_of_an_image_and_then_nothing_is_written(session, dataset, out):
    (out / "images").mkdir()
    (out / "images" / "1.png").write_text("mine")
    before = listed(out)
    for images in ("copy", "link"):
        with pytest.raises(UsageError, match=r"1\.png exists"):
            export(session, dataset, ExportTarget(out / "set.json", images=images))
        assert listed(out) == before


def test_overwrite_replaces_them(session, dataset, out):
    (out / "set.json").write_text("mine")
    export(session, dataset, ExportTarget(out / "set.json", overwrite=True))
    assert len(json.loads((out / "set.json").read_text())) == 2


def test_what_ig4_wrote_is_replaced_unasked(session, dataset, out):
    for images in ("copy", "link", "copy"):
        export(session, dataset, ExportTarget(out / "set.json", images=images))
    assert set(listed(out)) == {"set.json", "images/0.png", "images/1.png"}


def test_what_the_user_changed_since_is_the_users(session, dataset, out):
    export(session, dataset, ExportTarget(out / "set.json"))
    (out / "set.json").write_text("[]")
    with pytest.raises(UsageError, match="changed since"):
        export(session, dataset, ExportTarget(out / "set.json"))
    assert (out / "set.json").read_text() == "[]"


def test_a_copied_export_is_still_ig4s(session, dataset, out):
    export(session, dataset, ExportTarget(out / "set.json", images="copy"))
    for path in out.rglob("*.*"):
        os.utime(path)  # a copy has other times
    export(session, dataset, ExportTarget(out / "set.json", images="copy"))


def test_a_file_that_holds_the_same_is_left_and_does_not_become_ig4s(session, dataset, folder, out):
    (out / "images").mkdir()
    mine = out / "images" / "0.png"
    mine.write_bytes((folder.path.parent / "images" / "0.png").read_bytes())
    inode = mine.stat().st_ino
    for _ in range(2):
        export(session, dataset, ExportTarget(out / "set.json", images="copy"))
        assert mine.stat().st_ino == inode
    mine.write_text("changed")
    with pytest.raises(UsageError, match=r"0\.png exists"):
        export(session, dataset, ExportTarget(out / "set.json", images="copy"))


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("precious")
    return tmp_path / "outside"


@pytest.mark.parametrize(
    ("place", "leads_to"),
    [
        ("set.json", "precious"),
        ("set.json", "nothing"),
        ("images", "."),
        ("images/0.png", "precious"),
        ("images/0.png", "nothing"),
        (MANIFEST, "precious"),
        (MANIFEST, "nothing"),
    ],
)
def test_links_in_the_target_are_not_followed(session, dataset, out, outside, place, leads_to):
    images = "link" if place == "images/0.png" else "copy"
    (out / place).parent.mkdir(exist_ok=True)
    (out / place).symlink_to(outside / leads_to)
    target = ExportTarget(out / "set.json", images=images)
    with pytest.raises(UsageError, match="is a link"):
        export(session, dataset, target)
    assert listed(outside) == {"precious": b"precious"}
    assert (out / place).is_symlink()
    assert set(listed(out)) == set() if place == MANIFEST else {place}
    export(session, dataset, ExportTarget(out / "set.json", images=images, overwrite=True))
    assert listed(outside) == {"precious": b"precious"}
    assert {"set.json", "images/0.png", "images/1.png"} == set(listed(out))
    assert not (out / place).is_symlink() or (place.startswith("images/") and images == "link")


def test_a_target_that_is_a_link_to_a_folder_is_not_followed(session, dataset, outside, tmp_path):
    (tmp_path / "link").symlink_to(outside)
    for target in (
        ExportTarget(tmp_path / "link"),
        ExportTarget(tmp_path / "link", trainer="llamafactory"),
    ):
        with pytest.raises(UsageError, match="is a link to"):
            export(session, dataset, target)
    export(session, dataset, ExportTarget(tmp_path / "link", overwrite=True))
    assert listed(outside) == {"precious": b"precious"}
    assert (tmp_path / "link" / "llava.json").is_file()
    assert not (tmp_path / "link").is_symlink()


def test_a_target_that_becomes_a_link_while_it_is_written_leads_nothing_out(out, outside, tmp_path):
    before = listed(outside)

    def write_elsewhere():
        with staged(out) as staging:
            out.rename(tmp_path / "away")
            out.symlink_to(outside)
            images = staging.path / "images"  # formats make folders for what they write
            images.mkdir(parents=True)
            (images / "1.png").write_bytes(b"x")

    with pytest.raises(UsageError, match="is a link"):
        write_elsewhere()
    assert listed(outside) == before
    assert listed(tmp_path / "away") == {}


def test_a_pipe_is_no_target(session, dataset, out):
    os.mkfifo(out / "set.json")
    with pytest.raises(UsageError, match="no file and no folder"):
        export(session, dataset, ExportTarget(out / "set.json", overwrite=True))
    with pytest.raises(UsageError, match="name a file or a folder"):
        export(session, dataset, ExportTarget(type(out)("-")))


def test_a_pipe_or_a_huge_file_in_the_place_of_the_list_is_neither_waited_for_nor_read(
    session, dataset, out
):
    os.mkfifo(out / MANIFEST)
    with pytest.raises(UsageError, match=r"\.ig4-files exists, and it was not written by ig4"):
        export(session, dataset, ExportTarget(out))
    (out / MANIFEST).unlink()
    (out / MANIFEST).touch()
    os.truncate(out / MANIFEST, 1 << 40)
    with pytest.raises(UsageError, match=r"\.ig4-files exists, and it was not written by ig4"):
        export(session, dataset, ExportTarget(out))


def test_a_folder_in_the_place_of_a_file_is_not_removed(session, dataset, out):
    (out / "images" / "0.png").mkdir(parents=True)
    with pytest.raises(UsageError, match="is a folder"):
        export(session, dataset, ExportTarget(out / "set.json", images="copy", overwrite=True))
    assert (out / "images" / "0.png").is_dir()


def test_the_data_set_is_safe_even_from_overwrite(session, dataset, folder, tmp_path):
    before = listed(folder.path.parent)
    for target in (folder.path, folder.path.parent):
        with pytest.raises(UsageError, match="is the data set itself"):
            export(session, dataset, ExportTarget(target, overwrite=True))
    hard = tmp_path / "llava.json"
    hard.hardlink_to(folder.path)
    with pytest.raises(UsageError, match="is the data set itself"):
        export(session, dataset, ExportTarget(hard, overwrite=True))
    assert listed(folder.path.parent) == before


def test_a_configuration_that_was_edited_is_kept(session, dataset, out):
    target = ExportTarget(out, trainer="llamafactory", images="copy")
    first = export(session, dataset, target)
    assert [path.name for path in first.beside] == ["dataset_info.json", "train.yaml"]
    export(session, dataset, target)
    (out / "train.yaml").write_text("num_train_epochs: 9\n")
    with pytest.raises(UsageError, match=r"train\.yaml exists"):
        export(session, dataset, target)
    assert (out / "train.yaml").read_text() == "num_train_epochs: 9\n"


def test_a_disk_that_takes_no_more_leaves_nothing_behind(session, folder, read, tmp_path):
    folder.picture("big.bmp", "red", size=(1200, 1200))
    folder.write(record("a", "one", "big.bmp"))
    dataset = read().dataset
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, limits[1]))
    try:
        with pytest.raises(DatasetError, match=r"new/set\.json cannot be written: File too large"):
            export(session, dataset, ExportTarget(tmp_path / "new" / "set.json", images="copy"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_named(session, dataset, out):
    out.chmod(0o500)
    with pytest.raises(DatasetError, match="cannot be written: Permission denied"):
        export(session, dataset, ExportTarget(out / "set.json"))
    out.chmod(0o700)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives groups away")
def test_files_get_the_group_of_a_folder_that_gives_it_on(session, dataset, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, -1, 4711)
    shared.chmod(0o2775)
    export(session, dataset, ExportTarget(shared, images="copy"))
    assert {path.lstat().st_gid for path in shared.rglob("*") if path.name != MANIFEST} == {4711}


def test_what_a_killed_export_left_is_removed_by_the_next(session, dataset, out):
    target = ExportTarget(out / "set.json", images="copy")
    child = os.fork()
    if child == 0:
        os.chdir("/")

        def kill(*_: object) -> None:
            os.kill(os.getpid(), 9)

        import ig4.core.engine.exporting.images as module

        module.ImagePlacer.place = kill
        try:
            export(session, dataset, target)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 9
    assert [path.name[:5] for path in out.iterdir()] == [".ig4-"]
    export(session, dataset, target)
    assert {path.name for path in out.iterdir()} == {"set.json", "images", MANIFEST}


def test_an_export_killed_between_two_files_is_ig4s(session, dataset, out, monkeypatch):
    from ig4.core.files.writing.openfolder import OpenFolder

    target = ExportTarget(out / "set.json", images="copy")
    export(session, dataset, ExportTarget(out / "set.json", images="link"))
    move, moved = OpenFolder.move_in, []

    def stop(self, source, name, **options):
        if len(moved) == 2:
            raise KeyboardInterrupt
        moved.append(name)
        move(self, source, name, **options)

    monkeypatch.setattr(OpenFolder, "move_in", stop)
    with pytest.raises(KeyboardInterrupt):
        export(session, dataset, target)
    monkeypatch.undo()
    export(session, dataset, target)
    assert not (out / "images" / "0.png").is_symlink()


@pytest.mark.parametrize("images", ["copy", "link"])
def test_equal_exports_are_equal_in_every_byte(session, dataset, tmp_path, images):
    lists = []
    for name in ("one", "two"):
        for _ in range(2):  # again at the same place, too
            export(session, dataset, ExportTarget(tmp_path / name / "set.json", images=images))
            lists.append((tmp_path / name / MANIFEST).read_bytes())
    assert len(set(lists)) == 1
    assert b"mtime" not in lists[0]


def test_a_list_with_times_of_an_older_version_is_read(session, dataset, out):
    target = ExportTarget(out / "set.json", images="copy")
    export(session, dataset, target)
    head, *lines = (out / MANIFEST).read_text().splitlines()
    older = [json.dumps({**json.loads(line), "mtime_ns": 17}) for line in lines]
    (out / MANIFEST).write_text("\n".join([head, *older]) + "\n")
    export(session, dataset, target)
    assert "mtime" not in (out / MANIFEST).read_text()


def test_a_change_that_keeps_size_and_time_is_seen(session, dataset, out):
    target = ExportTarget(out / "set.json", images="none")
    export(session, dataset, target)
    status = target.path.stat()
    target.path.write_bytes(b"x" * status.st_size)
    os.utime(target.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(UsageError, match=r"set\.json exists"):
        export(session, dataset, target)
