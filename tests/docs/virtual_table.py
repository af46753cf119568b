"""The table of what has no place in virtual time in Node, written from the list that refuses it.

``python -m tests.docs.virtual_table`` writes it into the page; it needs a Node.
"""

import json
import subprocess
from pathlib import Path
from typing import Final

from harness.install.node import find_node
from harness.stdio.launch import NODE_KIT

PAGE: Final = Path(__file__).parent.parent.parent / "docs" / "virtual-time-for-node.md"
BEGIN: Final = '<!-- refused:begin: written by "python -m tests.docs.virtual_table" -->\n'
END: Final = "<!-- refused:end -->\n"
_PRINT: Final = """
const { REFUSED } = await import(process.argv[1]);
const written = ([, prefix, calls, instead]) => [calls.map((it) => `${prefix}.${it}`), instead];
console.log(JSON.stringify(REFUSED.map(written)));
"""
_TIMEOUT_S: Final = 60


def page_with_table(page: str) -> str:
    """Return the page with the table between its two marks."""
    found = find_node()
    assert found is not None, "no Node is here"
    script = (NODE_KIT / "virtual" / "refusals.mjs").as_uri()
    printed = subprocess.run(
        [str(found.program), "--input-type=module", "--eval", _PRINT, script],
        check=True,
        capture_output=True,
        timeout=_TIMEOUT_S,
    )
    rows = [
        f"| {', '.join(f'`{call}`' for call in calls)} | {instead} |"
        for calls, instead in json.loads(printed.stdout)
    ]
    head, _, rest = page.partition(BEGIN)
    table = "\n".join(["| call | instead |", "|---|---|", *rows, ""])
    return f"{head}{BEGIN}{table}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
