"""A careful, small implementation of approval over a channel: every guarantee, and what users copy.

Owns the manifests: ``reference`` runs a gated function once, ``reference-reinvoking`` calls it again after
approval, ``reference-sqlite`` keeps its records in a database. The parts are in their modules:
:mod:`.request` (the life of a request), :mod:`.arbiter` (who decides), :mod:`.store` and
:mod:`.sqlite_store` (durable records), :mod:`.agent` and :mod:`.device` (the two sides), :mod:`.session` and
:mod:`.wire` (the channel). What each of them is worth is shown by :mod:`.ablations`.
"""

from typing import Final

from harness.model import Style

from .ablations import ABLATIONS
from .adapter import Parts, ReferenceAdapter, SqliteReferenceAdapter
from .promises import PROMISES, manifest

REFERENCE: Final = ReferenceAdapter(
    manifest("reference", Style.INLINE, "every guarantee, with the gate inside the running function"),
)
REINVOKING: Final = ReferenceAdapter(
    manifest("reference-reinvoking", Style.REINVOKING, "every guarantee, with the function called again"),
)

SQLITE: Final = SqliteReferenceAdapter(
    manifest("reference-sqlite", Style.INLINE, "every guarantee, with its records in a SQLite database"),
)

ADAPTERS: Final = (REFERENCE, REINVOKING, SQLITE)

__all__ = [
    "ABLATIONS",
    "ADAPTERS",
    "PROMISES",
    "REFERENCE",
    "REINVOKING",
    "SQLITE",
    "Parts",
    "ReferenceAdapter",
]
