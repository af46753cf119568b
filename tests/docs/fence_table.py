"""The table of refused calls as Markdown; run as a module it writes the table into the documentation."""

from pathlib import Path
from typing import Final

from harness.sim.fence import LOOP_ROWS, ROWS

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "determinism.md"
BEGIN: Final = '<!-- fence:begin: written by "python -m tests.docs.fence_table" -->'
END: Final = "<!-- fence:end -->"


def table() -> str:
    """Return the two tables of the fence as Markdown."""
    calls = [f"| `{row.call}` | {row.hint} |" for row in ROWS]
    methods = [f"| `{name}` | {hint} |" for name, hint in LOOP_ROWS.items()]
    return "\n".join(
        [
            "| call | instead |",
            "|---|---|",
            *calls,
            "",
            "| method of the event loop | instead |",
            "|---|---|",
            *methods,
        ]
    )


def page_with_table(page: str) -> str:
    """Return the documentation's text with the table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
