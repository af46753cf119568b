"""Rules about loads, networks and figures: what is drawn, how precisely it is told, and how surely."""

import statistics
from decimal import Decimal
from random import Random

import pytest

pytest.importorskip("hdrh")

from harness.bench.draws import exponential
from harness.bench.figures import figures, reliable
from harness.bench.load import SETTLING_NS, Arrivals, approvals, hosts_of, instants
from harness.bench.profiles import DATACENTRE_NS, PROFILES, RETRANSMISSION_NS, NetworkProfile, under
from harness.deviations import DelayMessage
from harness.plan import MS, SECOND, SERVICE_HOST, Plan


def test_draws_have_the_mean_they_were_asked_for() -> None:
    drawn = [exponential(Random(seed), 1_000_000) for seed in range(20_000)]
    assert statistics.fmean(drawn) == pytest.approx(1_000_000, rel=0.03)


def test_draws_rest_on_decimal_arithmetic_alone() -> None:
    first = exponential(Random(0), 10**6)
    place = Random(0).getrandbits(12)
    exact = -(1 - (Decimal(2 * place + 1) / 8192)).ln()
    assert first == int(exact * 10**6)


@pytest.mark.parametrize("arrivals", Arrivals)
def test_arrivals_keep_the_rate_and_begin_after_the_devices_joined(arrivals: Arrivals) -> None:
    made = instants(arrivals, rate=50, count=5_000, seed=3)
    assert made[0] == SETTLING_NS
    assert made == sorted(made)
    assert (made[-1] - made[0]) / SECOND == pytest.approx(100, rel=0.05)
    assert made == instants(arrivals, rate=50, count=5_000, seed=3)


def test_arrivals_do_not_wait_for_anything() -> None:
    plan = approvals(instants(Arrivals.CONSTANT, 10, 3, 0), devices=1)
    assert [call.at_ns - SETTLING_NS for call in plan.calls] == [0, SECOND // 10, SECOND // 5]


def delays(profile: NetworkProfile, messages: int = 2_000, devices: int = 1) -> list[int]:
    plan = approvals([0], devices)
    behind = under(profile, plan, hosts_of(plan), messages, seed=1)
    return [it.by_ns + DATACENTRE_NS for it in behind.deviations if isinstance(it, DelayMessage)]


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda it: it.name)
def test_every_message_of_a_device_travels_as_its_network_says(profile: NetworkProfile) -> None:
    taken = delays(profile)
    assert len(taken) == 4_000
    assert min(taken) >= profile.delay_ns
    usual = [it for it in taken if it < profile.delay_ns + RETRANSMISSION_NS or not profile.loss]
    assert statistics.fmean(usual) == pytest.approx(profile.delay_ns + profile.jitter_ns, rel=0.1)


def test_a_lossy_network_loses_its_share_and_a_lost_message_costs_a_timeout() -> None:
    profile = PROFILES["lossy"]
    lost = [it for it in delays(profile) if it >= profile.delay_ns + RETRANSMISSION_NS + 2 * profile.delay_ns]
    assert len(lost) / 4_000 == pytest.approx(profile.loss, abs=0.006)


def test_an_agent_is_near_the_service_and_has_no_jitter() -> None:
    plan = approvals([0], 2)
    behind = under(PROFILES["3g"], plan, hosts_of(plan), 3, seed=0)
    assert behind.latency_ns == DATACENTRE_NS
    ends = {(it.source, it.target) for it in behind.deviations if isinstance(it, DelayMessage)}
    assert all(SERVICE_HOST in end and "agent" not in end for end in ends)


def test_every_profile_names_where_its_figures_come_from() -> None:
    assert all(profile.source for profile in PROFILES.values())
    assert set(PROFILES) == {"fibre", "wi-fi", "lte", "3g", "lossy", "intercontinental"}


def test_equal_seeds_give_equal_networks_and_others_give_others() -> None:
    def made(seed: int) -> Plan:
        plan = approvals([0], 1)
        return under(PROFILES["lte"], plan, hosts_of(plan), 50, seed)

    assert made(4) == made(4)
    assert made(4) != made(5)


def test_percentiles_are_told_to_three_digits() -> None:
    told = figures([number * MS for number in range(1, 1_001)])
    assert told.count == 1_000
    assert told.percentiles["50"] == pytest.approx(500_000, rel=0.002)
    assert told.percentiles["99"] == pytest.approx(990_000, rel=0.002)
    assert told.max_us == 1_000_000
    assert told.intervals == {}


def test_intervals_hold_the_percentile_and_are_wider_where_samples_are_few() -> None:
    many = figures([number * MS for number in range(1, 2_001)], seed=1)
    few = figures([number * 40 * MS for number in range(1, 51)], seed=1)
    for told in (many, few):
        low, high = told.intervals["50"]
        assert low <= told.percentiles["50"] <= high * 1.01
    width = {told.count: told.intervals["50"][1] - told.intervals["50"][0] for told in (many, few)}
    assert width[50] > 3 * width[2_000]


def test_a_bootstrap_interval_covers_the_truth_about_as_often_as_it_claims() -> None:
    covered = 0
    for seed in range(200):
        source = Random(seed)
        told = figures([exponential(source, 100 * MS) for _ in range(200)], seed=seed)
        low, high = told.intervals["50"]
        covered += low <= 69_315 <= high
    assert 180 <= covered <= 199


def test_equal_samples_and_seeds_give_equal_figures() -> None:
    values = [exponential(Random(seed), MS) for seed in range(100)]
    assert figures(values, seed=7) == figures(values, seed=7)


def test_no_sample_gives_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing to tell"):
        figures([])


@pytest.mark.parametrize(
    ("percentile", "count", "sure"),
    [
        ("50", 20, True),
        ("99", 999, False),
        ("99", 1_000, True),
        ("99.9", 1_000, False),
        ("99.9", 10_000, True),
    ],
)
def test_a_percentile_is_reliable_where_ten_samples_lie_beyond_it(
    percentile: str,
    count: int,
    sure: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert reliable(percentile, count) is sure
