"""What an adapter process says of itself, as the manifest that the harness judges by.

Owns the translation and its complaints: an unknown guarantee is named with the ones that are spelt like it.
"""

import difflib

from harness.adapter import EXAMPLES_APART, Claim, LaneName, Manifest
from harness.model import Guarantee
from harness.stdio.messages import CONTRACT, Greeting, LineError, ManifestRecord


def check_greeting(greeting: Greeting) -> None:
    """Raise LineError where the process speaks another contract, or its manifest cannot be used."""
    if greeting.contract != CONTRACT:
        raise LineError(f"the adapter speaks contract {greeting.contract}, the harness contract {CONTRACT}")
    manifest_of(greeting.manifest)


def manifest_of(record: ManifestRecord) -> Manifest:
    """Return the manifest; raises LineError naming a guarantee that does not exist."""
    return Manifest(
        name=record.name,
        version=record.version,
        summary=record.summary,
        homepage=record.homepage,
        offers={_guarantee(name): Claim(claim.sentence, claim.link) for name, claim in record.offers.items()},
        style=record.style,
        on_unauthorised=record.on_unauthorised,
        lanes=_lanes(record),
        examples=EXAMPLES_APART,
        takes=record.takes,
    )


def _lanes(record: ManifestRecord) -> tuple[LaneName, ...]:
    return ("virtual", "wall", "live") if "virtual" in record.clocks else ("wall", "live")


def _guarantee(name: str) -> Guarantee:
    names = [it.value for it in Guarantee]
    if name in names:
        return Guarantee(name)
    near = difflib.get_close_matches(name.replace("_", "-").lower(), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}"
    raise LineError(f"the manifest offers {name!r}, which is no guarantee; {hint}")
