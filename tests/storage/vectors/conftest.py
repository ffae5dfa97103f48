"""Databases with vectors of images and of texts, some of which failed."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sqlalchemy import insert, select

from ig4.storage import runs, scores, spaces
from ig4.storage.runs import ComponentRow
from ig4.storage.schema import Image
from ig4.storage.vectors import reading
from ig4.storage.vectors.placing import move_into

DIMENSIONS = 8
SIZE = 4 * DIMENSIONS
"""The bytes of a vector."""


class Vectors:
    """What was stored of one component, and what reading gives."""

    def __init__(self, store, name="clip"):
        self.store = store
        row = ComponentRow("embedder", name, "ig4", "1", {}, f"{name}-0123456789abcdef")
        with store.writing() as connection:
            self.component = runs.component_id(connection, row)
        self.images, self.inputs = {}, {}

    def put(self, count, start=0, dimensions=DIMENSIONS):
        """Store vectors of images `start` on, and as many of texts; each fifth one failed."""
        rng = np.random.default_rng(start)
        images, inputs = [], []
        with self.store.writing() as connection:
            for n in range(start, start + count):
                vector = rng.normal(size=dimensions).astype(np.float32) if n % 5 else f"bad {n}"
                digest = hashlib.sha256(str(n).encode()).digest()[:16]
                images.append((_image(connection, n), vector))
                inputs.append((digest, vector))
            scores.put_embeddings(connection, self.component, None, images)
            spaces.put(connection, self.component, None, inputs)
        self.images |= dict(images)
        self.inputs |= dict(inputs)
        return self

    def read(self):
        """Return images and inputs as they are read."""
        digests = np.frombuffer(b"".join(self.inputs), dtype=spaces.DIGEST)
        folder = self.store.vectors
        with self.store.reading() as connection:
            images = dict(reading.of_images(connection, folder, self.component, list(self.images)))
            inputs = dict(reading.of_inputs(connection, folder, self.component, digests))
        return images, inputs

    def check(self):
        """Compare what is read with what was stored."""
        for found, wanted in zip(self.read(), (self.images, self.inputs), strict=True):
            assert found.keys() == wanted.keys()
            for key, vector in wanted.items():
                if isinstance(vector, str):
                    assert found[key] == vector
                else:
                    assert found[key].dtype == np.float32
                    assert found[key].tobytes() == vector.tobytes()


def _image(connection, n):
    """Return the id of an image, which is made if it is not there."""
    digest = hashlib.sha256(f"image {n}".encode()).hexdigest()
    known = connection.scalar(select(Image.id).where(Image.sha256 == digest))
    if known is not None:
        return known
    statement = insert(Image).values(sha256=digest, bytes=1).returning(Image.id)
    return connection.execute(statement).scalar_one()


@pytest.fixture
def vectors(store):
    return Vectors(store)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "files"


@pytest.fixture
def outside(store, vectors, folder):
    """Vectors that all lie in files of ten."""
    vectors.put(50)
    move_into(store, folder, 10 * SIZE)
    return vectors


def files(folder):
    """Return the vector files of a folder, sorted."""
    return sorted(folder.rglob("*.parquet"))
