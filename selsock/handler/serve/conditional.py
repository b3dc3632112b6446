# SPDX-License-Identifier: Apache-2.0
"""conditional: the preconditions of a request (RFC 9110 §13) on the validators of a file.

What is malformed holds for nothing, as §13.1 has it: an If-Match that is no list of entity tags is false, an
If-None-Match is true, a date that is none is ignored, an If-Range leaves the whole file.
"""

from selsock.cores import time
from selsock.handler.response import DAYS, MONTHS, http_date
from selsock.handler.serve.validators import Validators

ETAGC = bytes([0x21, *range(0x23, 0x7F), *range(0x80, 0x100)])  # §8.8.3
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def evaluate(fields: "dict[bytes, bytes]", current: Validators, now: float) -> int:
    """304 or 412 as the preconditions in ``fields`` of a GET or HEAD want, else 200; in the order of §13.2.2."""
    modified = current.modified
    if b"if-match" in fields:
        if not matches(fields[b"if-match"], current.tag, strongly=True):
            return 412
    elif b"if-unmodified-since" in fields and modified is not None:
        date = parse_date(fields[b"if-unmodified-since"], now)
        if date is not None and modified > date:
            return 412
    if b"if-none-match" in fields:
        if matches(fields[b"if-none-match"], current.tag, strongly=False):
            return 304
    elif b"if-modified-since" in fields and modified is not None:
        date = parse_date(fields[b"if-modified-since"], now)
        if date is not None and modified <= date:
            return 304
    return 200


def same_as_before(fields: "dict[bytes, bytes]", current: Validators, now: float) -> bool:
    """Whether If-Range, if there is one, names this very representation, so that Range counts (§13.1.5).

    Tags are compared strongly.  A date has to be the very one, and as strong: not of a file that is still young.
    """
    value = fields.get(b"if-range")
    if value is None:
        return True
    return current.strong and (value == current.tag or parse_date(value, now) == current.modified)


def matches(value: bytes, tag: bytes, strongly: bool) -> bool:
    """Whether ``value``, of If-Match or If-None-Match, is ``*`` or lists ``tag``, compared as §8.8.3.2 says."""
    if value == b"*":
        return True
    if strongly:
        return tag.startswith(b'"') and tag in parse_tags(value)
    return tag.removeprefix(b"W/") in [other.removeprefix(b"W/") for other in parse_tags(value)]


def parse_tags(value: bytes) -> "list[bytes]":
    """The entity tags (§8.8.3) of a list (§5.6.1), with their quotes; none if anything in it is none."""
    found: list[bytes] = []
    text = value.strip(b" \t,")
    place = 0
    while True:
        start = place + 2 if text.startswith(b"W/", place) else place
        end = text.find(b'"', start + 1)
        if text[start : start + 1] != b'"' or end < 0 or text[start + 1 : end].translate(None, ETAGC):
            return []
        found.append(text[place : end + 1])
        place = end + 1
        comma = False
        while text[place : place + 1] in (b" ", b"\t", b","):
            comma = comma or text[place : place + 1] == b","
            place += 1
        if place == len(text):
            return found
        if not comma:
            return []


def parse_date(value: bytes, now: float) -> int | None:
    """An HTTP-date in one of the three formats of §5.6.7, as seconds since the epoch; None for anything else.

    It is taken apart by its columns and put together again: only what then reads the same is one, so a day that its
    month has not, or that was another day of the week, is none; nor is a leap second, which no file is ever from.
    """
    text = value.decode("latin-1")
    after_name = text.partition(", ")[2]
    try:
        if text[3:5] == ", ":
            seconds = epoch_seconds(text[12:16], text[8:11], text[5:7], text[17:25])
        elif after_name:
            seconds = epoch_seconds(full_year(after_name[7:9], now), after_name[3:6], after_name[:2], after_name[10:18])
        else:
            seconds = epoch_seconds(text[20:24], text[4:7], text[8:10], text[11:19])
    except ValueError:
        return None
    year, month, day, _, _, _, weekday, *_ = time.gmtime(seconds)
    fixed = http_date(seconds)
    clock = fixed[17:25]
    spellings = (
        fixed,
        f"{WEEKDAYS[weekday]}, {day:02}-{MONTHS[month - 1]}-{year % 100:02} {clock} GMT",
        f"{DAYS[weekday]} {MONTHS[month - 1]} {day:2} {clock} {year:04}",
    )
    return seconds if text in spellings else None


def full_year(digits: str, now: float) -> str:
    """The year that two digits stand for: none of more than 50 years from now (§5.6.7)."""
    this: int = time.gmtime(now)[0]
    year = this - this % 100 + int(digits)
    return str(year - 100 if year > this + 50 else year)


def epoch_seconds(year: str, month: str, day: str, clock: str) -> int:
    """The seconds from the epoch to that time, by the proleptic Gregorian calendar.  Raises ValueError."""
    hour, minute, second = clock.split(":")
    # Years begin in March here, so that the day that some of them have more is their last.
    months = int(year) * 12 + MONTHS.index(month) - 2
    years, rest = divmod(months, 12)
    days = years * 365 + years // 4 - years // 100 + years // 400 + (rest * 153 + 2) // 5 + int(day) - 719469
    return ((days * 24 + int(hour)) * 60 + int(minute)) * 60 + int(second)
