"""Reading images ahead: what is still to be fetched when the reader is closed."""

import hashlib
import threading
import time

import pytest

from ig4.core.engine.scoring.imagereading import ImageReader
from ig4.core.engine.scoring.tasks import ImageSource
from ig4.core.records import Image

from ....file_server import serving
from ...conftest import picture


@pytest.mark.parametrize("after", [0.1, 0.3, 0.5])
def test_a_reader_that_is_closed_early_waits_for_no_fetch_that_was_cancelled(
    tmp_path, monkeypatch, after
):
    """As Ctrl-C closes it, while most images are on the way."""
    monkeypatch.setenv("IG4_CACHE_DIR", str(tmp_path / "cache"))
    home = tmp_path / "served"
    with serving(home, delay=0.2) as server:
        sources = []
        for n in range(200):
            file = home / f"{n}.png"
            picture(file, (n, 0, 0))
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            address = f"{server.url}/{n}.png"
            image = Image(None, source=address, sha256=digest, roots=(server.url,))
            sources.append(ImageSource(n, image))
        reader = ImageReader({}, 2)
        reader.open()
        reader.start({}, {one.id: one for one in sources})
        time.sleep(after)
        closing = threading.Thread(target=reader.close, daemon=True)
        closing.start()
        closing.join(10)
        assert not closing.is_alive()
        assert len(server.requests) < 200
