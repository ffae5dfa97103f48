"""Which names of a data set may become paths."""

from __future__ import annotations

import sys

import pytest

from ig4.core.engine.ingesting.paths import ImageRoots, folder_name
from ig4.core.files.images.decode import ImageError


@pytest.fixture
def folders(tmp_path):
    data, images = tmp_path / "data", tmp_path / "images"
    for folder in (data / "image", images):
        folder.mkdir(parents=True)
        (folder / "1.jpg").write_bytes(b"x")
    (tmp_path / "secret.jpg").write_bytes(b"x")
    return data, images


@pytest.mark.parametrize("name", ["image/1.jpg", "./image/1.jpg", "image/none.jpg", "a..b.jpg"])
def test_names_below_the_folder_are_found(folders, name):
    path, problem = ImageRoots(folders[0]).locate(name)
    assert problem is None
    assert path.endswith(name)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../secret.jpg",
        "image/../../secret.jpg",
        "C:\\Windows\\win.ini",
        "\\\\server\\share\\1.jpg",
        "..\\secret.jpg",
        "C:1.jpg",
    ],
)
def test_names_that_leave_the_folder_are_refused_with_the_remedy(folders, name):
    path, problem = ImageRoots(folders[0]).locate(name)
    assert path is None
    assert "--image-root" in problem


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_names_that_are_no_names_are_refused(folders, name):
    assert ImageRoots(folders[0]).locate(name)[0] is None


def test_an_absolute_name_is_allowed_inside_the_image_root(folders):
    data, images = folders
    roots = ImageRoots(data, images)
    assert roots.locate(str(images / "1.jpg")) == (str(images / "1.jpg"), None)
    assert roots.locate(str(images.parent / "secret.jpg"))[0] is None


def test_a_climbing_name_is_allowed_where_it_ends_in_the_image_root(folders):
    data, images = folders
    assert ImageRoots(data, images.parent).locate("data/../images/1.jpg")[1] is None
    assert ImageRoots(data, images).locate("../secret.jpg")[0] is None


def test_the_image_root_is_looked_in_first_then_the_data_sets_folder(folders):
    data, images = folders
    roots = ImageRoots(data, images)
    assert roots.locate("1.jpg")[0] == str(images / "1.jpg")
    assert roots.locate("image/1.jpg")[0] == str(data / "image/1.jpg")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_link_that_leads_out_is_refused_when_it_is_opened(folders):
    data, images = folders
    (data / "image" / "link.jpg").symlink_to(images.parent / "secret.jpg")
    (data / "elsewhere").symlink_to(images)
    for name in ("image/link.jpg", "elsewhere/1.jpg"):
        with pytest.raises(ImageError, match=r"a link that leaves .* --image-root"):
            ImageRoots(data).image(name).read()
    assert ImageRoots(data, images).image("elsewhere/1.jpg").read() == b"x"


@pytest.mark.parametrize("name", ["../../beyond", "/beyond", "..", "a/b", "a\\b", "x" * 300, ""])
def test_whatever_a_data_set_is_called_its_folder_is_one_below(tmp_path, name):
    folder = tmp_path / folder_name(name)
    assert folder.resolve().parent == tmp_path.resolve()
    folder.mkdir()
    assert folder_name(name) != folder_name(f"{name}/")


@pytest.mark.parametrize("name", ["cc_sbu_align", "llava v1.5", "фото"])
def test_a_plain_name_is_the_folders(name):
    assert folder_name(name) == name
