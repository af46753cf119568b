"""What an ablation is: an implementation with one fault built in on purpose, and what it must break.

Owns the record. A suite that judges implementations is worth what it finds in broken ones: an adapter's
folder may export ``ABLATIONS``, the catalogue collects them, and ``hitl selftest`` looks for every one.

Invariant: an ablation says which properties it breaks before anybody looked; a row that finds something
else does not count as found.
"""

from dataclasses import dataclass

from harness.adapter import Adapter


@dataclass(frozen=True, slots=True)
class Ablation:
    """One broken variant of an implementation.

    ``name`` is the fault as a short sentence with dashes. ``breaks`` are the ids of the properties that must
    be found violated ("P4"), the one it stands for first. ``report`` names the public report of the fault in
    the field, or says where else it comes from.
    """

    name: str
    adapter: Adapter
    breaks: tuple[str, ...]
    report: str

    def __post_init__(self) -> None:
        """Refuse an ablation that promises nothing: its row could never be as expected."""
        if not self.breaks:
            raise ValueError(f"ablation {self.name}: name at least one property that it breaks.")
