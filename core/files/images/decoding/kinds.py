"""Tells what a file is by its first bytes: an image format, or what stands there instead of one."""

from __future__ import annotations

import re

HEAD = 4096
"""How many bytes of a file are looked at."""

_IMAGES = (
    ("JPEG", b"\xff\xd8"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("GIF", b"GIF8"),
    ("BMP", b"BM"),
    ("TIFF", b"II*\0"),
    ("TIFF", b"MM\0*"),
    ("TIFF", b"II+\0"),
    ("TIFF", b"MM\0+"),
    ("JPEG2000", b"\xff\x4f\xff\x51"),
    ("JPEG2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
)
_BINARY = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"8BPS", "a Photoshop file"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\0\0\1\0", "an icon"),
    (b"icns", "an icon"),
    (b"\xd7\xcd\xc6\x9a", "a WMF drawing"),
    (b"v/1\x01", "an OpenEXR image"),
    (b"#?RADIANCE", "a Radiance image"),
    (b"SIMPLE  =", "a FITS image"),
    (b"DDS ", "a DDS texture"),
    (b"qoif", "a QOI image"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\0\0\1\xba", "a video"),
    (b"FLV", "a video"),
    (b"OggS", "a sound or video file"),
    (b"ID3", "a sound file"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\2", "a pickle"),
    (b"\x80\3", "a pickle"),
    (b"\x80\4", "a pickle"),
    (b"\x80\5", "a pickle"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
)
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF = {b"avif", b"avis"}
_page = re.compile(rb"<(!doctype\s+html|html|head|body|script|title|meta)\b", re.IGNORECASE).match
_drawing = re.compile(rb"<svg[\s>]", re.IGNORECASE).search
_anymap = re.compile(rb"P[1-6fy]\s").match
_text = re.compile(rb"[\t\n\r\f\x20-\x7e\x80-\xff]+").fullmatch


def image_format(head: bytes) -> str | None:
    """Return Pillow's name of the image format that a file's first bytes announce."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and _brands(head) & _AVIF:
        return "AVIF"
    if _anymap(head):
        return "PPM"
    return next((name for name, mark in _IMAGES if head.startswith(mark)), None)


def not_an_image(head: bytes) -> str:
    """Return what is wrong with a file that no decoder takes, by its first bytes, in a sentence."""
    if not head:
        return "the image file is empty"
    if head.startswith(b"version https://git-lfs.github.com/"):
        return (
            "the file is a Git LFS pointer, not an image: run `git lfs pull` in the repository "
            "that it is from"
        )
    if not head.strip(b"\0"):
        return "the file is not an image that can be decoded: it begins with zero bytes only"
    if head[4:8] == b"ftyp" and _brands(head) & _HEIC and not _brands(head) & _AVIF:
        return "the file is a HEIC image, which ig4 does not read: convert it to JPEG or PNG"
    announced = image_format(head)
    if announced is not None:
        return f"the file is cut off or damaged: it is not an image beyond a {announced} mark"
    what, hint = _content(head)
    return f"the file is {what}, not an image that can be decoded{hint}"


def _content(head: bytes) -> tuple[str, str]:
    """Return what a file holds that is not an image, and what that may mean."""
    if head[:4] == b"RIFF":
        return "a sound file" if head[8:12] == b"WAVE" else "a video", ""
    if head[4:8] == b"ftyp":
        return "a video", ""
    if head[257:262] == b"ustar":
        return "a tar archive", ""
    if head[128:132] == b"DICM":
        return "a DICOM image", ""
    known = next((what for mark, what in _BINARY if head.startswith(mark)), None)
    return (known, "") if known is not None else _text_content(head)


def _text_content(head: bytes) -> tuple[str, str]:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    failed = " (perhaps the answer of a server to a download that failed)"
    if _page(text):
        return "an HTML page", failed
    if text.startswith((b"<?xml", b"<svg", b"<!--", b"<!DOCTYPE")):
        if _drawing(text):
            return "an SVG drawing", ""
        return ("an HTML page", failed) if b"<html" in text.lower() else ("XML text", failed)
    if not text or not _text(head) or not _is_utf8(head):
        return "of an unknown kind", ""
    if text.startswith((b"{", b"[")):
        return "JSON text", failed
    return "text", ""


def _brands(head: bytes) -> set[bytes]:
    """Return the brands that an ISO media file lists in its first box."""
    size = min(int.from_bytes(head[:4], "big"), len(head), 256)
    return {head[8:12]} | {head[at : at + 4] for at in range(16, size - 3, 4)}


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # a character that the end of what was read cuts
    return True
