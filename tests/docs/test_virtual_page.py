"""The page on virtual time for Node says of what is refused what is refused."""

from tests.docs.virtual_table import PAGE, page_with_table
from tests.stdio.stepping import require_node


def test_the_table_of_refused_calls_in_node_is_that_of_the_kit() -> None:
    require_node()
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_table(page), 'run "python -m tests.docs.virtual_table"'
