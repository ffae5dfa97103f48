"""The databases of the storage tests: SQLite always, PostgreSQL where a server is named."""

from ....storage.conftest import location as location
from ....storage.conftest import postgres as postgres
from ....storage.conftest import template as template
