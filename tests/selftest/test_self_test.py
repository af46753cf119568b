"""The self-test: what counts as found, what as a false alarm, and that the table is the same every time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.ablation import Ablation
from harness.catalog import Catalog, Plugin, load_catalog
from harness.explore import selftest
from harness.explore.selftest import Form, Row, SelfTest, Vigil, self_test, self_test_record
from harness.properties import PROPERTIES

QUICK = Form(seeds=2, runs_max=40, intact_runs=8, intact_chunk=8)
EASY = ("run-the-tool-and-pass-it-the-verdict", "decided-requests-stay-open", "resuming-starts-over")


def with_ablations(*ablations: Ablation) -> Catalog:
    catalog = load_catalog()
    home = catalog.adapter("reference").path
    return replace(catalog, ablations={it.name: Plugin(it.name, it, home) for it in ablations})


def known(*names: str) -> list[Ablation]:
    return [load_catalog().ablations[name].value for name in names]


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> list[Catalog]:
    """Have workers use the catalogue that the test puts into the list."""
    used: list[Catalog] = []
    monkeypatch.setattr(selftest, "_catalog", lambda _plugins: used[0])
    return used


def run(used: list[Catalog], ablations: Sequence[Ablation], form: Form = QUICK) -> SelfTest:
    used[:] = [with_ablations(*ablations)]
    return self_test(used[0], form, processes=1)


def timeless(result: SelfTest) -> SelfTest:
    return SelfTest(
        tuple(replace(row, seconds=0.0) for row in result.rows),
        tuple(replace(vigil, seconds=0.0) for vigil in result.intact),
    )


def test_at_least_seventy_ablations_stand_for_every_property_at_least_twice() -> None:
    ablations = [plugin.value for plugin in load_catalog().ablations.values()]
    stands_for = Counter(ablation.breaks[0] for ablation in ablations)
    assert len(ablations) >= 70
    assert {it: stands_for[it] for it in PROPERTIES if stands_for[it] < 2} == {}


def test_an_ablation_promises_everything_that_the_intact_adapter_does() -> None:
    catalog = load_catalog()
    intact = catalog.adapter("reference").value.manifest.offers
    for plugin in catalog.ablations.values():
        assert plugin.value.adapter.manifest.offers == intact, plugin.name
        assert set(plugin.value.breaks) <= set(PROPERTIES), plugin.name
        assert plugin.value.report, plugin.name


def test_an_ablation_that_breaks_nothing_is_refused() -> None:
    adapter = load_catalog().adapter("reference").value
    with pytest.raises(ValueError, match="harmless: name at least one property"):
        Ablation("harmless", adapter, (), "")


def test_what_is_broken_is_found_and_shrunk_and_what_is_intact_is_clean(
    in_this_process: list[Catalog],
) -> None:
    result = run(in_this_process, known(*EASY))
    assert result.as_expected
    assert [row.ablation for row in result.rows] == [EASY[1], EASY[0], EASY[2]], "in the order of properties"
    assert all(row.deviations == 0 for row in result.rows)
    assert result.alarms == ()
    assert {vigil.adapter: vigil.runs for vigil in result.intact} == {
        "reference": 8,
        "reference-reinvoking": 8,
        "reference-sqlite": 8,
    }


def test_a_fault_that_is_not_there_is_missed_and_the_table_is_not_as_expected(
    in_this_process: list[Catalog],
) -> None:
    harmless = Ablation("harmless", load_catalog().adapter("reference").value, ("P1", "P3"), "none")
    result = run(in_this_process, [harmless], replace(QUICK, intact_runs=0))
    assert result.rows[0].runs == (None, None)
    assert not result.rows[0].found
    assert not result.as_expected


def test_finding_another_property_than_the_one_that_was_named_is_not_finding(
    in_this_process: list[Catalog],
) -> None:
    mislabelled = replace(known(EASY[0])[0], breaks=("P3", "P26"))
    result = run(in_this_process, [mislabelled], Form(1, 6, 0))
    assert result.rows[0].runs == (None,)


def test_a_violation_in_what_is_beside_the_ablations_is_an_alarm(in_this_process: list[Catalog]) -> None:
    (broken,) = known(EASY[0])
    catalog = with_ablations(broken)
    path = catalog.adapter("reference").path
    in_this_process[:] = [replace(catalog, adapters={"proud": Plugin("proud", broken.adapter, path)})]
    result = self_test(in_this_process[0], QUICK, processes=1)
    assert "P3" in {alarm.property for alarm in result.alarms}
    assert result.rows[0].found
    assert not result.as_expected


def test_two_processes_make_the_same_table_as_one() -> None:
    catalog = with_ablations(*known(*EASY))
    form = Form(seeds=1, runs_max=10, intact_runs=0)
    heard: list[tuple[int, int]] = []
    two = self_test(catalog, form, processes=2, on_done=lambda done, total: heard.append((done, total)))
    assert timeless(two) == timeless(self_test(catalog, form, processes=1))
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_an_empty_table_proves_nothing() -> None:
    assert not SelfTest((), (Vigil("reference", 100, (), 0.0),)).as_expected


def test_a_row_with_one_seed_that_missed_has_no_median() -> None:
    row = Row("x", ("P1",), "", (3, None, 5), 1, 0.0)
    assert row.median_runs is None
    assert replace(row, runs=(9, 3, 5)).median_runs == 5


def test_the_record_names_its_format_and_says_whether_all_is_as_expected() -> None:
    record = self_test_record(SelfTest((Row("x", ("P1",), "", (3,), 1, 0.5),), ()))
    assert (record["format"], record["version"], record["as_expected"]) == ("hitl-selftest", 1, True)
    assert record["rows"][0]["runs"] == [3]
