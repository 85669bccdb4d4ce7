"""Business hours: exact to the second, against a count of every minute and second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calendars import DAY, WEEKDAYS, Calendar, read_week

OFFICE = {name: ["09:00-12:30", "13:30-18:00"] for name in WEEKDAYS[:5]} | {"sat": ["10:00-14:00"]}
ZONES = ("UTC", "Europe/Madrid", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca")


def ms(text: str) -> int:
    """An ISO time as milliseconds since 1970."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def counted(zone: str, week: dict[str, list[str]], holidays: list[str], start: int, end: int) -> int:
    """Open minutes between two whole minutes (s since 1970), asking of each what the clock on the wall shows."""
    hours = read_week(week)
    found = 0
    for at in range(start, end, 60):
        wall = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))
        second = wall.hour * 3600 + wall.minute * 60
        closed = wall.date().isoformat() in holidays or wall.strftime("%m-%d") in holidays
        found += not closed and any(opens <= second < closes for opens, closes in hours[wall.weekday()])
    return found


@st.composite
def weeks(draw: st.DrawFn) -> dict[str, list[str]]:
    """Opening hours on whole minutes, nights among them."""
    if draw(st.booleans()):
        return {"fri": ["22:00-06:00"], "sat": ["20:00-02:30"], "mon": ["00:00-24:00"]}
    cuts = st.lists(st.integers(0, 1440), min_size=2, max_size=6, unique=True).map(sorted)
    found = {}
    for name in WEEKDAYS:
        times = [f"{cut // 60:02d}:{cut % 60:02d}" for cut in draw(cuts)]
        found[name] = [f"{opens}-{closes}" for opens, closes in zip(times[::2], times[1::2], strict=False)]
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ZONES),
    weeks(),
    st.sampled_from([[], ["2026-03-29"], ["10-25", "12-25"]]),
    st.sampled_from(["2026-03-07", "2026-03-28", "2026-10-24", "2026-10-31", "2026-02-14", "2026-12-24"]),
    st.integers(0, 2 * 1440),
    st.integers(0, 2 * 1440),
)
def test_open_time_equals_a_count_of_every_minute(
    zone: str, week: dict[str, list[str]], holidays: list[str], day: str, offset: int, length: int
) -> None:
    """Around changes of summer time, holidays and nights, in six zones (one changes by half an hour)."""
    calendar = Calendar(zone, read_week(week), holidays)
    start = ms(day + "T00:00:00Z") // 1000 + offset * 60

    found = calendar.open_ms(start * 1000, (start + length * 60) * 1000)

    assert counted(zone, week, holidays, start, start + length * 60) * 60_000 == found


@given(st.sampled_from(ZONES), weeks(), st.integers(0, 10**9), st.integers(1, 10**8))
def test_after_is_the_inverse_of_counting(zone: str, week: dict[str, list[str]], start: int, open_ms: int) -> None:
    """So much open time has passed at the instant found, and a millisecond before it has not."""
    calendar = Calendar(zone, read_week(week))
    start += ms("2026-03-01T00:00:00Z")

    at = calendar.after(start, open_ms)

    assert at is not None
    assert open_ms == calendar.open_ms(start, at)
    assert open_ms - 1 == calendar.open_ms(start, at - 1)


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2026-03-02T12:00:00+01:00", "2026-03-02T14:00:00+01:00", 3600),
        ("2026-03-02T17:59:59+01:00", "2026-03-03T09:00:01+01:00", 2),
        ("2026-03-06T17:00:00+01:00", "2026-03-09T10:00:00+01:00", 2 * 3600 + 4 * 3600),
        ("2026-12-24T17:00:00+01:00", "2026-12-26T11:00:00+01:00", 2 * 3600),
        ("2026-03-02T13:00:00+01:00", "2026-03-02T12:00:00+01:00", 0),
    ],
    ids=["lunch (CW #14009)", "over night to the second", "over the weekend", "a holiday (CW #13392)", "backwards"],
)
def test_only_the_open_part_counts(start: str, end: str, seconds: int) -> None:
    """A span that crosses a closing hour counts what is open of it."""
    calendar = Calendar("Europe/Madrid", read_week(OFFICE), ["12-25"])

    assert seconds * 1000 == calendar.open_ms(ms(start), ms(end))


def test_a_repeated_hour_counts_twice_and_a_skipped_one_not_at_all() -> None:
    """The wall clock in Madrid shows 02:00 to 03:00 twice on 25 October, and never on 29 March."""
    calendar = Calendar("Europe/Madrid", read_week({"sun": ["02:00-03:00"]}))
    day = timedelta(days=1)

    autumn, spring = (datetime.fromisoformat(text) for text in ("2026-10-25T00:00Z", "2026-03-29T00:00Z"))
    hours = [
        calendar.open_ms(round(at.timestamp() * 1000), round((at + day).timestamp() * 1000)) for at in (autumn, spring)
    ]

    assert hours == [7_200_000, 0]


def test_without_open_hours_nothing_ever_comes_due() -> None:
    """A week that is closed has no instant after which a minute has passed; nothing to wait for is due at once."""
    closed = Calendar("UTC", read_week({}))

    assert closed.after(0, 60_000) is None
    assert closed.after(5, 0) == 5


@pytest.mark.parametrize(
    ("week", "message"),
    [
        ({"monday": ["09:00-17:00"]}, "no weekday: use mon"),
        ({"mon": ["9-17"]}, "no span of hours: write 09:00-17:30"),
        ({"mon": ["09:00"]}, "no span of hours"),
        ({"mon": ["09:00+02:00-17:00"]}, "no span of hours"),
        ({"mon": ["09:00-17:00Z"]}, "no span of hours"),
        ({"mon": ["0900-1700"]}, "no span of hours"),
        ({"mon": ["24:00-06:00"]}, "no span of hours"),
        ({"mon": ["09:00-09:00"]}, "ends when it begins: write 00:00-24:00"),
        ({"mon": ["00:00-00:00"]}, "ends when it begins"),
        ({"mon": ["09:00-17:00", "16:00-18:00"]}, "the hours of mon overlap"),
        ({"mon": ["22:00-06:00"], "tue": ["05:00-09:00"]}, "the hours of tue overlap"),
    ],
)
def test_hours_that_cannot_be_are_refused(week: dict[str, list[str]], message: str) -> None:
    """What is wrong is said, with what to write instead."""
    with pytest.raises(ValueError, match=message):
        read_week(week)


def test_the_days_of_a_year_are_as_long_as_they_are() -> None:
    """Always open is every second of the year."""
    always = Calendar("America/New_York", read_week({name: ["00:00-24:00"] for name in WEEKDAYS}))

    assert 365 * DAY * 1000 == always.open_ms(ms("2026-01-01T00:00:00Z"), ms("2027-01-01T00:00:00Z"))
