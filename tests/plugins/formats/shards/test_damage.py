"""Headers that bit rot or an attacker changed: all is read or told, and comes back from exports."""

import gzip
import io
import json
import random
import tarfile

import pytest

from ig4.plugins.formats.webdataset import WebDataset

BLOCK = 512
PAIR = b'{"question": "What?", "answer": "That."}'
MEMBERS = [("json", PAIR), ("jpg", b"xx"), ("0 1.png", b"y"), ("meta.json", b'{"$image": 0}'),
           ("npy", bytes(70_000))]  # fmt: skip
KINDS = [tarfile.REGTYPE] * 8 + [tarfile.GNUTYPE_SPARSE, tarfile.DIRTYPE, tarfile.SYMTYPE]


def whole(rng):
    """Return a shard of four samples, in a dialect with long names."""
    dialect = rng.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=dialect) as tar:
        for number in range(4):
            for ending, data in MEMBERS:
                info = tarfile.TarInfo(f"{'k' * rng.choice([1, 120])}{number}.{ending}")
                info.size, info.type = len(data), rng.choice(KINDS)
                if rng.random() < 0.3:
                    info.pax_headers = {"GNU.sparse.name": "q.png", "size": str(rng.choice([1, 5]))}
                tar.addfile(info, io.BytesIO(data))
    return bytearray(stream.getvalue())


def damaged(data, rng):
    """Return a shard with bytes of some blocks changed, mostly with sums that fit, or cut off."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) // BLOCK) * BLOCK
        block = data[at : at + BLOCK]
        for _ in range(rng.randint(1, 3)):
            block[rng.randrange(BLOCK)] = rng.choice([0, 32, 48, 255, 128, rng.randrange(256)])
        if rng.random() < 0.7:
            block[148:156] = b"%06o\0 " % (256 + sum(block[:148]) + sum(block[156:]))
        data[at : at + BLOCK] = block
    return bytes(data[: rng.randrange(len(data))] if rng.random() < 0.2 else data)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_a_damaged_shard_is_read_as_far_as_it_goes_and_comes_back(tmp_path, ending):
    rng = random.Random(17)
    form, file, target = WebDataset(WebDataset.Options()), tmp_path / f"a{ending}", tmp_path / "out"
    for _ in range(300):
        data = damaged(whole(rng), rng)
        file.write_bytes(gzip.compress(data, 1) if ending == ".tar.gz" else data)
        form.detect(file)
        records = list(form.read(file))
        json.dumps([record.raw for record in records], ensure_ascii=False).encode("utf-8")
        with_bytes = [one._replace(images=tuple(b"i" for _ in one.images)) for one in records]
        form.write(iter(with_bytes), target.with_suffix(".tar"))
        again = list(form.read(target.with_suffix(".tar")))
        assert len(again) == len(records)
        assert [len(one.images) for one in again] == [len(one.images) for one in records]
