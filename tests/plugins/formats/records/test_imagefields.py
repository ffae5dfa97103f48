"""What an image field may say: names and bytes in every form that data sets have."""

import base64

import pytest

from ig4.plugins.formats.records.imagefields import ImageField, read_cell, read_images, split_tags

PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
BASE64 = base64.b64encode(PNG).decode()
URL_SAFE = base64.urlsafe_b64encode(b"\xff\xd8\xff\xfb\xef" + bytes(60)).decode().rstrip("=")


@pytest.mark.parametrize(
    "value",
    [
        "a.jpg",
        ["a.jpg"],
        [["a.jpg"]],
        ("a.jpg",),
        {"path": "a.jpg"},
        {"file_name": "a.jpg"},
        {"filename": "a.jpg", "width": 3},
        {"url": "a.jpg"},
        {"image": "a.jpg"},
        {"image_url": {"url": "a.jpg"}},
        {"type": "image_url", "image_url": {"url": "a.jpg"}},
        {"bytes": None, "path": "a.jpg"},
        "<img>a.jpg</img>",
        '<img class="x" src="a.jpg"/>',
        "<IMG SRC='a.jpg'>",
        "file://a.jpg",
    ],
)
def test_a_path_is_read_however_it_is_written(value):
    assert read_images(value) == ImageField(("a.jpg",))


@pytest.mark.parametrize(
    "value",
    [
        PNG,
        BASE64,
        "\n".join([BASE64[:40], BASE64[40:]]),
        f"data:image/png;base64,{BASE64}",
        {"bytes": PNG, "path": "a.png"},
        {"bytes": BASE64, "path": None},
        {"bytes": list(PNG)},
        {"bytes": f"data:image/png;base64,{BASE64}"},
        {"$base64": BASE64},
        {"bytes": {"$base64": BASE64}, "path": "a.png"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BASE64}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BASE64}"}},
    ],
)
def test_bytes_are_read_however_they_are_written(value):
    assert read_images(value) == ImageField((PNG,))


def test_base64_for_urls_is_read_without_its_padding():
    assert read_images({"bytes": URL_SAFE}).refs[0][:5] == b"\xff\xd8\xff\xfb\xef"


def test_a_data_url_may_be_percent_encoded():
    assert read_images("data:image/svg+xml,%3Csvg%3E").refs == (b"<svg>",)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("images\\a b.jpg", "images/a b.jpg"),
        ("..\\a.jpg", "../a.jpg"),  # which the engine then refuses
        ("C:\\data\\a.jpg", "C:/data/a.jpg"),
        ("file:///data/a%20b.jpg", "/data/a b.jpg"),
        ("file://localhost/data/a.jpg", "/data/a.jpg"),
        ("file:///C:/data/a.jpg", "C:/data/a.jpg"),
        ("https://x.org/a.jpg?x=1", "https://x.org/a.jpg?x=1"),
        ("/9j/no/base64.jpg" + "/x" * 40, "/9j/no/base64.jpg" + "/x" * 40),
        ("é.jpg", "é.jpg"),
    ],
)
def test_names_become_paths(name, path):
    assert read_images(name).refs == (path,)


@pytest.mark.parametrize("value", [None, "", " ", [], {}, float("nan"), False, [None, ""],
                                   {"bytes": None, "path": None}])  # fmt: skip
def test_nothing_is_no_image_and_no_problem(value):
    assert read_images(value) == ImageField()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (3, "an image field holds 3, which names no image"),
        (True, "an image field holds True"),
        ({"picture": "a.jpg"}, r"whose keys \('picture'\) name no image"),
        ({"bytes": "no base64!"}, "'no base64!' .* not base64"),
        ("data:image/png;base64,%%%", "not base64"),
        ("data:image/png", "a data URL without data"),
        ({"bytes": [1, 2, 300]}, "cannot be decoded"),
    ],
)
def test_what_names_no_image_is_a_problem_that_says_what_it_is(value, problem):
    read = read_images(value)
    assert read.refs == ()
    with pytest.raises(AssertionError, match=problem):
        raise AssertionError(read.problem)


def test_a_text_too_long_for_a_path_is_shown_short():
    problem = read_images("x" * 5000).problem
    assert "(5,000 characters)" in problem
    assert len(problem) < 150


def test_nesting_without_an_end_is_a_problem():
    value = "a.jpg"
    for _ in range(1000):
        value = [value]
    assert "nested too deeply" in read_images(value).problem


def test_the_others_of_a_list_are_read_all_the_same():
    read = read_images(["a.jpg", 3, "b.jpg"])
    assert read.refs == ("a.jpg", "b.jpg")
    assert "holds 3" in read.problem


@pytest.mark.parametrize("nothing", [None, "", b"", float("nan"), {"bytes": None, "path": None}])
def test_an_empty_place_before_others_moves_them_and_is_told(nothing):
    found = read_images(["a.jpg", nothing, "b.jpg", nothing])
    assert found.refs == ("a.jpg", "b.jpg")
    assert found.problem == "image 2 of a list of 4 is empty, and others come after it"


def test_empty_places_at_the_end_of_a_list_are_padding():
    assert read_images(["a.jpg", None, None]) == ImageField(("a.jpg",))


def test_references_mean_the_images_of_the_table():
    assert read_images([{"bytes": {"$image": 1}}, {"$image": 0}], [PNG, "b.jpg"]).refs == (
        "b.jpg",
        PNG,
    )


@pytest.mark.parametrize(
    ("cell", "refs"),
    [
        ('["a.jpg", "b.jpg"]', ("a.jpg", "b.jpg")),
        ("['a.jpg', 'b.jpg']", ("a.jpg", "b.jpg")),  # as pandas writes a list
        ('{"path": "a.jpg"}', ("a.jpg",)),
        ("[1].jpg", ("[1].jpg",)),
        ("{x}.jpg", ("{x}.jpg",)),
    ],
)
def test_a_cell_may_hold_a_list_or_an_object_as_text(cell, refs):
    assert read_cell(cell).refs == refs


def test_tags_are_cut_out_of_texts_and_empty_ones_stay():
    assert split_tags("1: <img>a.jpg</img>\n2: <img src='b.jpg'> <img></img>!") == [
        "1: ",
        ImageField(("a.jpg",)),
        "\n2: ",
        ImageField(("b.jpg",)),
        " <img></img>!",
    ]
