"""A component is stopped after so many failures in a row, and by nothing else."""

from __future__ import annotations

from ig4.core.calls.running.streaks import FailureStreak


def streak(limit, *outcomes):
    made = FailureStreak("mine", limit)
    for outcome in outcomes:
        made.add([outcome])
    return made


def test_the_last_failure_that_is_allowed_stops_it():
    assert not streak(3, "no", "no").is_over
    assert streak(3, "no", "no", "no").is_over


def test_one_success_begins_the_count_anew():
    assert not streak(3, "no", "no", None, "no", "no").is_over


def test_without_a_limit_nothing_stops_it():
    assert not streak(0, *["no"] * 1000).is_over


def test_the_last_reason_is_told_without_keys():
    text = str(streak(2, "first", "Bearer hush-hush-4711").error())
    assert "mine was stopped: it failed 2 times in a row" in text
    assert "hush" not in text
    assert "--stop-after 0" in text
