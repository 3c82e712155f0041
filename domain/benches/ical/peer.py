"""How long Python's icalendar takes to write events and to read a file: `peer.py EVENTS FILE`."""

import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import icalendar

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def best(work, rounds):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times) * 1e3


def write(events):
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Bench//EN")
    calendar.add("version", "2.0")
    for number in range(events):
        starts = NOW + timedelta(hours=number)
        event = icalendar.Event()
        event.add("uid", f"{number}@concord.example")
        event.add("sequence", 2)
        event.add("dtstamp", NOW)
        event.add("created", NOW)
        event.add("last-modified", NOW)
        event.add("dtstart", starts)
        event.add("dtend", starts + timedelta(minutes=90))
        event.add("summary", "Massage, hot stones; 90 minutes")
        event.add("description", "Arrives late; please leave the key at the reception.\nTwo dogs, one cot.")
        event.add("location", "Rua do Mar 7, Lisboa")
        event.add("status", "CONFIRMED")
        event.add("class", "PUBLIC")
        event.add("transp", "OPAQUE")
        calendar.add_component(event)
    return calendar.to_ical()


events, file = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()
assert write(10).count(b"BEGIN:VEVENT") == 10
print(f"icalendar (Python) writes\t{best(lambda: write(events), 2):.2f}")
assert len(icalendar.Calendar.from_ical(file).walk("VEVENT")) == events
print(f"icalendar (Python) reads\t{best(lambda: icalendar.Calendar.from_ical(file), 1):.2f}")
