"""Names and ids come from data sets that nobody has checked: none leads an export astray."""

from __future__ import annotations

import json
import sys
import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.exporting.images import ImageNames
from ig4.core.files.writing.names import IMAGE_SUFFIXES, folded, is_safe_path
from ig4.storage.samples import ImageRow

from ...conftest import record

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
CLOSE = st.sampled_from(["a.jpg", "A.jpg", "A.JPG", "./a.jpg", "a", "a/b.png", "A/b.png", "é.png",
                         unicodedata.normalize("NFD", "é.png"), "É.png", "ß.png", "ss.png",
                         "train.py", "data.json", ".ig4-files", "CON.png", "nul", "x" * 300,
                         "../a.jpg", "/a.jpg", "C:\\a.jpg", "a.jpg.", "a.jpg ", ""])  # fmt: skip


def image_row(number):
    return ImageRow(number, f"{number}", False, f"/data/{number}", f"{number:064x}", None, ())


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(CLOSE | ANY_TEXT, st.integers(0, 3), CLOSE | ANY_TEXT), max_size=12))
def test_every_image_has_a_safe_name_of_its_own_on_every_file_system(wanted):
    names, origins = ImageNames(), {}
    for path, origin, sample in wanted:
        name = names.name(path, image_row(origin), sample, 0, ".png")
        assert is_safe_path(name)
        suffix = PurePosixPath(name).suffix.lower()
        assert suffix in IMAGE_SUFFIXES or not suffix
        assert all(len(part.encode()) <= 255 for part in name.split("/"))
        assert origins.setdefault(folded(name), (name, origin)) == (name, origin)
    for key in origins:
        assert not any(other.startswith(f"{key}/") for other in origins)


def files_of(folder):
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def loaded(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_ids_that_differ_by_case_alone_name_different_files_everywhere(
    session, folder, read, tmp_path
):
    ids = ["Straße", "STRASSE", "é", unicodedata.normalize("NFD", "é"), "a", "A"]
    for number in range(len(ids)):
        folder.picture(f"{number}.png", (number, 0, 0))
    folder.write(*(record(name, "one", f"{n}.png") for n, name in enumerate(ids)))
    out = tmp_path / "out"
    export(session, read().dataset, ExportTarget(out, format="minigpt4", images="copy"))
    files = [name for name in files_of(out) if name.startswith("image")]
    assert len({folded(name) for name in files}) == len(ids)
    for number, row in enumerate(loaded(out / "filter_cap.json")["annotations"]):
        content = (out / "image" / f"{row['image_id']}.jpg").read_bytes()
        assert content == (folder.path.parent / f"{number}.png").read_bytes()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there they are one file")
def test_so_do_images_and_their_records_say_so(session, folder, read, tmp_path):
    folder.picture("a.png", "red")
    folder.picture("A.png", "blue")
    folder.write(
        record("1", "one", "a.png"), record("2", "two", "A.png"), record("3", "x", "a.png")
    )
    out = tmp_path / "out"
    export(session, read().dataset, ExportTarget(out / "set.json", images="copy"))
    shown = [row["image"] for row in loaded(out / "set.json")]
    assert shown[0] == shown[2] == "a.png"
    assert folded(shown[1]) != "a.png"
    blue = (folder.path.parent / "A.png").read_bytes()
    assert (out / shown[1]).read_bytes() == blue


def test_no_image_becomes_a_program_or_a_file_of_the_export(session, folder, read, tmp_path):
    # TRL's script would import a torch.py beside it, and the reader take every .parquet file.
    names = ["torch.py", "data.jsonl", "train.py", "x/evil.parquet", ".ig4-files", "conf.PY"]
    for number, name in enumerate(names):
        path = folder.path.parent / name
        folder.picture(f"{number}.png", (number, 9, 9))
        path.parent.mkdir(exist_ok=True)
        (folder.path.parent / f"{number}.png").rename(path)
    folder.write(*(record(str(n), "one", name) for n, name in enumerate(names)))
    out = tmp_path / "out"
    done = export(session, read().dataset, ExportTarget(out, trainer="trl", images="copy"))
    assert done.samples == len(names)
    own = {"data.jsonl", "train.py", ".ig4-files"}
    images = set(files_of(out)) - own
    assert images == {f"images/{number}-0.png" for number in range(len(names))}
    assert all(b"PNG" not in (out / name).read_bytes()[:8] for name in own)


@pytest.mark.parametrize(
    "name", ["..", "../up.png", "a\\..\\up.png", "CON.png", "x" * 250 + ".png"]
)
def test_hostile_ids_and_names_stay_below_the_target(session, folder, read, tmp_path, name):
    folder.picture("a.png", "red")
    folder.write(record(name, "one", "a.png"))
    dataset = read().dataset
    for form in ("minigpt4", "llava"):
        out = tmp_path / "deep" / form
        export(session, dataset, ExportTarget(out, format=form, images="copy"))
    assert {path.name for path in tmp_path.iterdir()} <= {
        "deep", "set", "site", "ig4.db", "ig4.db-wal", "ig4.db-shm",
    }  # fmt: skip
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"minigpt4", "llava"}


@pytest.mark.parametrize("images", ["link", "copy"])
def test_a_name_that_is_the_path_of_a_readable_image_is_refused_all_the_same(
    session, folder, read, tmp_path, images
):
    folder.picture("a.png", "red")
    path = folder.path.parent / "a.png"
    folder.write(record("good", "one", "a.png"), record("bad", "two", str(path)))
    target = ExportTarget(tmp_path / "out", images=images)
    done = export(session, read().dataset, target)
    assert (done.samples, done.images, done.missing_images) == (1, 1, 1)
