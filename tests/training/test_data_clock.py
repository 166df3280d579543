import pytest

from tcm_hf.training import data_clock
from tcm_hf.training.data_clock import DataClock


@pytest.fixture
def now(monkeypatch):
    """The time in a list of one, for the test to turn on."""
    time_s = [100.0]
    monkeypatch.setattr(data_clock.time, "perf_counter", lambda: time_s[0])
    return time_s


def step(clock: DataClock, now: list[float], waited: float, computed: float) -> None:
    with clock.waiting():
        now[0] += waited
    clock.on_step_begin(None, None, None)
    now[0] += computed
    clock.on_step_end(None, None, None)


def test_the_share_is_waiting_over_all_but_the_first_wait(now):
    clock = DataClock()
    step(clock, now, waited=50, computed=9)  # loader processes start
    step(clock, now, waited=1, computed=0)
    assert clock.share == pytest.approx(0.1)
    assert clock.share_since_last() == pytest.approx(0.1)
    now[0] += 1000  # evaluating is neither
    step(clock, now, waited=3, computed=3)
    assert clock.share_since_last() == pytest.approx(0.5)
    assert clock.share == pytest.approx(4 / 16)


def test_nothing_done_is_no_division_by_zero():
    assert DataClock().share_since_last() == 0
