"""Known violations: what becomes of an entry when a run shows something else, and how the file is written."""

import tomllib
from pathlib import Path

import pytest

from harness.expectations import (
    NOT_EXPLAINED,
    Expectations,
    ExpectationsError,
    found,
    read_expectations,
    under,
    updated,
    write_expectations,
)
from harness.model import Level
from harness.narrate.verdicts import wording
from harness.properties import Status
from harness.results import AdapterResult, ExitCode, Expected, Result, Verdict

WHY = Expected("the map is in memory", "https://example.org/13")
SELDOM = Expected("two crashes at once; test_two_crashes_lose_it", seldom=True)


def verdict(property_id: str, status: Status, level: Level = Level.MUST) -> Verdict:
    return Verdict(property_id, "x", level, status, 1)


def result(*verdicts: Verdict, adapter: str = "mine", failures: tuple[str, ...] = ()) -> AdapterResult:
    return AdapterResult(adapter, "1", 10, verdicts, {}, failures)


def known(**entries: Expected) -> Expectations:
    return Expectations({("mine", property_id): entry for property_id, entry in entries.items()})


def test_an_entry_that_still_happens_keeps_its_reason_and_link() -> None:
    shown = result(verdict("P13", Status.VIOLATED), verdict("P9", Status.VIOLATED, Level.SHOULD))
    assert updated(known(P13=WHY, P9=WHY), [shown], strikes=True) == known(P9=WHY, P13=WHY)


def test_a_new_violation_is_added_as_not_yet_explained() -> None:
    shown = result(verdict("P4", Status.VIOLATED), verdict("P24", Status.VIOLATED, Level.SHOULD))
    assert updated(known(), [shown], strikes=True) == known(P4=Expected(NOT_EXPLAINED))


def test_an_entry_that_holds_now_vanishes_and_one_that_was_not_judged_stays() -> None:
    shown = result(verdict("P1", Status.HOLDS), verdict("P2", Status.INCONCLUSIVE))
    assert updated(known(P1=WHY, P2=WHY, P3=WHY), [shown], strikes=True) == known(P2=WHY, P3=WHY)


def test_a_run_too_small_to_show_everything_strikes_nothing() -> None:
    shown = result(verdict("P1", Status.HOLDS), verdict("P4", Status.VIOLATED))
    assert updated(known(P1=WHY), [shown], strikes=False) == known(P1=WHY, P4=Expected(NOT_EXPLAINED))
    assert found(shown, known(P1=WHY, P4=WHY)) == known(P4=WHY)


def test_other_adapters_entries_and_those_of_one_that_failed_stay() -> None:
    shown = result(verdict("P1", Status.HOLDS), adapter="other")
    failed = result(verdict("P1", Status.HOLDS), verdict("P2", Status.VIOLATED), failures=("it hung",))
    assert updated(known(P1=WHY), [shown, failed], strikes=True) == known(P1=WHY)


def test_entries_stand_in_the_order_of_adapters_and_properties() -> None:
    shown = [
        result(verdict("P10", Status.VIOLATED), verdict("P9", Status.VIOLATED)),
        result(verdict("P2", Status.VIOLATED), adapter="a"),
    ]
    assert list(updated(known(), shown, strikes=True).entries) == [
        ("a", "P2"),
        ("mine", "P9"),
        ("mine", "P10"),
    ]


def test_a_result_judged_under_new_expectations_no_longer_surprises() -> None:
    shown = result(verdict("P4", Status.VIOLATED))
    assert shown.verdicts[0].surprising
    assert not under(shown, updated(known(), [shown], strikes=True)).verdicts[0].surprising


def test_a_violation_that_is_seldom_found_may_be_missing_and_is_never_new() -> None:
    for status in (Status.HOLDS, Status.VIOLATED):
        judged = under(result(verdict("P2", status)), known(P2=SELDOM))
        assert not judged.verdicts[0].surprising
        assert Result(0, 100, (), (judged,)).exit_code() is ExitCode.CONFORMANT
    assert under(result(verdict("P2", Status.HOLDS)), known(P2=WHY)).verdicts[0].surprising


def test_a_violation_that_is_seldom_found_is_not_struck_when_it_was_not_drawn() -> None:
    shown = result(verdict("P1", Status.HOLDS), verdict("P2", Status.HOLDS))
    assert updated(known(P1=WHY, P2=SELDOM), [shown], strikes=True) == known(P2=SELDOM)


def test_the_matrix_shows_a_violation_that_is_seldom_found_as_known_whether_or_not_it_was_drawn() -> None:
    def shown(status: Status) -> str:
        return str(wording(under(result(verdict("P2", status)), known(P2=SELDOM)).verdicts[0]))

    assert shown(Status.VIOLATED) == "✗ violated, known"
    assert shown(Status.HOLDS) == "✗ known, not drawn"


def test_what_is_written_is_read_back_and_the_comment_at_the_head_stays(tmp_path: Path) -> None:
    path = tmp_path / "expectations.toml"
    path.write_text(
        '# why this list exists\n# second line\n\n[[violation]]\nadapter="x"\nproperty="P1"\nreason="y"\n'
    )
    entries = known(P2=Expected('quotes " and \\ and\nlines, ünicode, \x7f'), P3=SELDOM, P13=WHY)
    assert write_expectations(path, entries)
    assert path.read_text().startswith("# why this list exists\n# second line\n\n[[violation]]\n")
    assert read_expectations(path) == entries
    assert not write_expectations(path, entries), "nothing changed"


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    for path in (one, two):
        write_expectations(path, known(P2=WHY, P13=WHY))
    assert one.read_bytes() == two.read_bytes()
    assert len(tomllib.loads(one.read_text())["violation"]) == 2


def test_no_file_is_made_where_nothing_is_known(tmp_path: Path) -> None:
    assert not write_expectations(tmp_path / "expectations.toml", known())
    assert not (tmp_path / "expectations.toml").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExpectationsError, match=r"expectations.toml: cannot be written"):
        write_expectations(tmp_path / "missing" / "expectations.toml", known(P1=WHY))
