"""Reads feeds as other people's programs do, and prints what they made of them.

Standard input: {"folder", "from", "days", "feeds": {name: address}}. Standard output, for each feed, the events that
Python's icalendar found, and those that khal shows of what vdirsyncer has fetched. An event is {"uid", "starts", "ends",
"summary"}: dates for whole days, instants in UTC otherwise, the end exclusive. vdirsyncer gives the events of a feed UIDs
of its own, so khal's have none.
"""

import concurrent.futures
import datetime
import json
import pathlib
import subprocess
import sys
import urllib.request

import icalendar

HERE = pathlib.Path(sys.executable).parent

VDIRSYNCER = """
[general]
status_path = {status}
[pair feed]
a = "ours"
b = "theirs"
collections = null
[storage ours]
type = "http"
url = {url}
[storage theirs]
type = "filesystem"
path = {items}
fileext = ".ics"
"""

KHAL = """
[calendars]
[[feed]]
path = {items}
readonly = True
[sqlite]
path = {cache}
[locale]
local_timezone = UTC
default_timezone = UTC
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
"""


def told(moment):
    if isinstance(moment, datetime.datetime):
        return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return moment.isoformat()


def by_icalendar(url):
    with urllib.request.urlopen(url) as answer:
        calendar = icalendar.Calendar.from_ical(answer.read())
    assert not calendar.errors, calendar.errors
    events = calendar.walk("VEVENT")
    assert not any(event.errors for event in events), [event.errors for event in events]
    return [
        {"uid": str(one["UID"]), "starts": told(one["DTSTART"].dt), "ends": told(one["DTEND"].dt), "summary": str(one["SUMMARY"])}
        for one in events
    ]


def run(*arguments, said=""):
    done = subprocess.run(arguments, input=said, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def by_khal(folder, url, start, days):
    items = folder / "items"
    items.mkdir(parents=True)
    config = folder / "vdirsyncer"
    paths = {"status": json.dumps(str(folder / "status")), "items": json.dumps(str(items)), "url": json.dumps(url)}
    config.write_text(VDIRSYNCER.format(**paths))
    run(HERE / "vdirsyncer", "-c", config, "discover", said="y\n" * 4)
    run(HERE / "vdirsyncer", "-c", config, "sync")
    config = folder / "khal"
    config.write_text(KHAL.format(items=items, cache=folder / "khal.db"))
    fields = ["start-long-full", "end-long-full", "all-day", "title"]
    wanted = [part for field in fields for part in ("--json", field)]
    lines = run(HERE / "khal", "-c", config, "list", "--once", "--notstarted", *wanted, start, f"{days}d").splitlines()
    shown = [event for line in lines if line.startswith("[") for event in json.loads(line)]
    return [of_khal(event) for event in shown]


def of_khal(event):
    starts, ends = (datetime.datetime.fromisoformat(event[name]) for name in ("start-long-full", "end-long-full"))
    if event["all-day"] == "True":
        # It names the last day.
        starts, ends = starts.date(), ends.date() + datetime.timedelta(days=1)
    else:
        starts, ends = (moment.replace(tzinfo=datetime.timezone.utc) for moment in (starts, ends))
    return {"starts": told(starts), "ends": told(ends), "summary": event["title"]}


def main():
    asked = json.load(sys.stdin)
    folder = pathlib.Path(asked["folder"])

    def read(name, url):
        return {"icalendar": by_icalendar(url), "khal": by_khal(folder / name, url, asked["from"], asked["days"])}

    # Most of it is programs that start.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        readings = {name: pool.submit(read, name, url) for name, url in asked["feeds"].items()}
    json.dump({name: reading.result() for name, reading in readings.items()}, sys.stdout)


main()
