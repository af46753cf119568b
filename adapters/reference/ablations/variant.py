"""How a broken variant of the reference is put together.

Owns one function: the reference with one of its parts replaced, under a manifest that still promises
everything. What a replaced part does wrong is in the module of its family.
"""

from harness.ablation import Ablation
from harness.model import Style

from ..adapter import Parts, ReferenceAdapter
from ..promises import manifest


def ablation(
    name: str,
    parts: Parts,
    *breaks: str,
    report: str,
    style: Style = Style.INLINE,
) -> Ablation:
    """Return the reference made of ``parts``, one of which is at fault, and the properties it breaks."""
    adapter = ReferenceAdapter(manifest(name, style, f"the reference, broken on purpose: {name}"), parts)
    return Ablation(name, adapter, breaks, report)
