"""What is said of a file that is no image."""

from __future__ import annotations

import io
import zipfile

import pytest

from ig4.core.files.images.decode import ImageError, decode, inspect

LFS = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.jpg", b"x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "the image file is empty"),
        (bytes(5000), "zero bytes only"),
        (LFS, "a Git LFS pointer, not an image: run `git lfs pull`"),
        (b"<!DOCTYPE html>\n<html><head><title>404</title>", "an HTML page"),
        (b"\xef\xbb\xbf\n <HTML lang=en>", "an HTML page"),
        (b"<?xml version='1.0'?><!DOCTYPE html><html>", "an HTML page"),
        (b"<?xml version='1.0'?>\n<Error><Code>AccessDenied</Code></Error>", "XML text"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'>", "an SVG drawing"),
        (b"<svg width='4' height='4'></svg>", "an SVG drawing"),
        (b'{"error": "rate limited"}', "JSON text"),
        (b"Not Found\n", "the file is text"),
        ("Nicht gefunden: Ü".encode(), "the file is text"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC image, which ig4 does not read: convert"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "a video"),
        (b"RIFF\x24\0\0\0AVI LIST", "a video"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "a sound file"),
        (b"\x1aE\xdf\xa3\x93B\x82\x88matroska", "a video"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "a PostScript file"),
        (b"8BPS\0\1", "a Photoshop file"),
        (zipped(), "a ZIP archive"),
        (b"\x1f\x8b\x08\0", "a gzip archive"),
        (b"PAR1\x15\x04", "a Parquet file"),
        (bytes(257).replace(b"\0", b"a", 9) + b"ustar\x0000", "a tar archive"),
        (b"\x13\x37\xca\xfe\0\1\2\3" * 20, "of an unknown kind"),
        (b"\xff\xd8", "cut off or damaged"),
        (b"\x89PNG\r\n\x1a\n", "cut off or damaged"),
        (b"II*\0", "cut off or damaged"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "cut off or damaged|cannot be decoded"),
    ],
)
def test_it_is_named(data, told):
    for use in (inspect, decode):
        with pytest.raises(ImageError, match=rf"^x\.jpg: .*({told})"):
            use(io.BytesIO(data), "x.jpg")
