"""Re-invocation after approval, on the real worker of the npm package ``inferable``.

Owns three manifests: ``inferable`` (the vendor's semantics, as registered by default), ``inferable-retrying``
(functions registered as safe to retry) and ``inferable-hardened``. The control plane is our own, over the
part of the vendor's HTTP API that the worker needs; its rules are read from the vendor's published code.
Known violations stand in ``expectations.toml``.
"""

from collections.abc import Mapping
from typing import Final

from harness.adapter import EXAMPLES_APART, Claim, Manifest
from harness.model import Guarantee, OnUnauthorised, Style

from . import claims
from .implementation import REQUIRES, Form, InferableAdapter
from .rulings import HardenedRulings, VendorRulings

VERSION: Final = "0.30.61"
"""Of the npm package, as locked."""


def _manifest(name: str, summary: str, offers: Mapping[Guarantee, Claim]) -> Manifest:
    return Manifest(
        name=name,
        version=VERSION,
        summary=summary,
        homepage=claims.HOMEPAGE,
        offers=offers,
        style=Style.REINVOKING,
        on_unauthorised=OnUnauthorised.IGNORE,
        requires=(REQUIRES,),
        lanes=("virtual", "wall"),
        examples=EXAMPLES_APART,
    )


ADAPTERS: Final = (
    InferableAdapter(
        _manifest(
            "inferable",
            "the vendor's worker and semantics: polled calls, an approval that calls the function again",
            claims.PUBLISHED,
        ),
        Form(VendorRulings),
    ),
    InferableAdapter(
        _manifest(
            "inferable-retrying",
            "the same with functions that are registered as safe to retry after a stall",
            claims.RETRYING,
        ),
        Form(VendorRulings, retries=2),
    ),
    InferableAdapter(
        _manifest(
            "inferable-hardened",
            "the same worker with claims, against a control plane with authority, receipts and deadlines",
            claims.HARDENED,
        ),
        Form(HardenedRulings, retries=5, claims=True),
    ),
)
