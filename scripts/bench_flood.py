#!/usr/bin/env python3
"""Floods a Concord of its own, and measures what others notice of it. See bench_flood.sh."""

import asyncio
import datetime
import http.client
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import urlsplit

CONNECTIONS = 300
LARGE = 11 * 1024 * 1024
MOST_SECONDS = 1.0
MOST_MEGABYTES = 400


def requests_of_strangers():
    """What is sent again and again: a head, and how many bytes of body."""

    def posted(path, headers, bytes_of_body):
        lines = [f"POST {path} HTTP/1.1", "host: flood", f"content-length: {bytes_of_body}", *headers, "", ""]
        return "\r\n".join(lines).encode(), bytes_of_body

    def asked(path, *headers):
        return "\r\n".join([f"GET {path} HTTP/1.1", "host: flood", *headers, "", ""]).encode(), 0

    form = "content-type: multipart/form-data; boundary=x"
    return [
        posted("/calendar-sync/import", ["cookie: concord_session=cs_made_up", form], LARGE),
        posted("/calendar-sync/preview", ["cookie: concord_session=cs_made_up", form], LARGE),
        posted("/api/ical/import", ["authorization: Bearer ck_made_up", "content-type: text/calendar"], LARGE),
        posted("/hooks/microsoft", ["content-type: application/json"], 200_000),
        posted("/hooks/channels/made_up", ["content-type: application/json"], 60_000),
        asked("/api/docs"),
        asked("/api/openapi.json", "accept-encoding: gzip"),
        asked("/bookings", "cookie: concord_session=cs_made_up"),
        asked("/api/v1/bookings", "authorization: Bearer ck_made_up"),
        asked("/sign-in"),
        asked("/oauth/calendar/google/callback?state=x&code=y"),
        (b"GET / HTTP/1.1\r\nhost: slow\r\n", 0),
    ]


async def send_for_ever(port, head, bytes_of_body):
    chunk = b"x" * 65_536
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        try:
            writer.write(head)
            left = bytes_of_body
            while left > 0:
                writer.write(chunk[:left])
                left -= len(chunk)
                await writer.drain()
            # A head that never ends is held; everything else is answered, and asked again.
            await asyncio.wait_for(reader.read(65_536), 30)
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()


def flood(port):
    async def all_of_them():
        kinds = requests_of_strangers()
        senders = (send_for_ever(port, *kinds[number % len(kinds)]) for number in range(CONNECTIONS))
        await asyncio.gather(*senders)

    asyncio.run(all_of_them())


class Person:
    """Signs in and books, each time on a connection of its own."""

    def __init__(self, port, demo, number):
        self.port, self.demo, self.number, self.count = port, demo, number, 0
        self.took = {"sign-in": [], "page": [], "booking": [], "cancel": []}
        self.failed = []

    def ask(self, what, method, path, expected, body=None, headers=None):
        began = time.monotonic()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            answer.read()
            connection.close()
        except OSError as error:
            self.failed.append(f"{what}: {error}")
            return None
        self.took[what].append(time.monotonic() - began)
        if answer.status != expected:
            self.failed.append(f"{what}: {answer.status}")
            return None
        return answer

    def once(self):
        self.count += 1
        signed_in = self.ask("sign-in", "GET", urlsplit(self.demo["sign_in_url"]).path, 303)
        if signed_in is not None:
            cookie = signed_in.getheader("set-cookie").split(";")[0]
            self.ask("page", "GET", "/settings", 200, headers={"cookie": cookie})
        # Nights of their own, so that nobody is in another's way, and free again afterwards.
        day = datetime.date.today() + datetime.timedelta(days=100 + self.number)
        resource = self.demo["resources"][0]["id"]
        booking = {"resource": resource, "check_in": str(day), "check_out": str(day + datetime.timedelta(days=1))}
        key = {"authorization": f"Bearer {self.demo['api_key']}", "content-type": "application/json"}
        path = f"/api/v1/bookings/flood-{os.getpid()}-{self.count}"
        if self.ask("booking", "PUT", path, 201, json.dumps(booking), key) is not None:
            self.ask("cancel", "DELETE", path, 200, headers=key)


def measure(port, demo, number, seconds, queue):
    person, until = Person(port, demo, number), time.monotonic() + seconds
    while time.monotonic() < until:
        person.once()
        time.sleep(0.02)
    queue.put((person.took, person.failed))


def measured(port, demo, first, seconds):
    """Four people at the same time, in processes of their own."""
    queue = multiprocessing.Queue()
    people = [multiprocessing.Process(target=measure, args=(port, demo, first + number, seconds, queue)) for number in range(4)]
    for person in people:
        person.start()
    took, failed = {"sign-in": [], "page": [], "booking": [], "cancel": []}, []
    for _ in people:
        theirs, theirs_failed = queue.get()
        for what, times in theirs.items():
            took[what] += times
        failed += theirs_failed
    for person in people:
        person.join()
    return took, failed


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] if times else float("inf")


def tell(name, took, failed):
    for what, times in took.items():
        figures = f"p50 {percentile(times, 0.5) * 1000:7.1f} ms   p99 {percentile(times, 0.99) * 1000:7.1f} ms"
        print(f"{name:8} {what:8} {len(times):5} times   {figures}")
    print(f"{name:8} failed   {len(failed):5} {sorted(set(failed))[:5] if failed else ''}")


def resident(process):
    with open(f"/proc/{process}/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main():
    binary, seconds = sys.argv[1], float(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="concord-flood.") as folder:
        log = open(os.path.join(folder, "log"), "wb")
        command = [binary, "demo", "--listen", "127.0.0.1:0", "--data", folder + "/data"]
        concord = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            return run(concord.pid, folder + "/data/demo.json", seconds)
        finally:
            concord.send_signal(signal.SIGTERM)
            concord.wait(60)


def run(process, file, seconds):
    deadline = time.monotonic() + 120
    while True:
        try:
            with open(file, encoding="utf-8") as text:
                demo = json.load(text)
            break
        except (FileNotFoundError, json.JSONDecodeError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    port = urlsplit(demo["url"]).port
    time.sleep(5)
    before = resident(process)
    tell("quiet", *measured(port, demo, 0, min(seconds, 5)))
    peak, over = [before], threading.Event()

    def watch():
        while not over.wait(0.1):
            peak.append(resident(process))

    watching = threading.Thread(target=watch)
    watching.start()
    flooding = [multiprocessing.Process(target=flood, args=(port,))]
    for one in flooding:
        one.start()
    time.sleep(2)
    took, failed = measured(port, demo, 4, seconds)
    for one in flooding:
        one.terminate()
        one.join()
    tell("flood", took, failed)
    time.sleep(15)
    over.set()
    watching.join()
    after = resident(process)
    print(f"memory   before {before:.0f} MB   highest {max(peak):.0f} MB   15 s after {after:.0f} MB")
    slow = [what for what, times in took.items() if percentile(times, 0.99) > MOST_SECONDS]
    broken = [f"{what} took longer than {MOST_SECONDS} s" for what in slow]
    if failed:
        broken.append(f"{len(failed)} requests were not answered as they should be")
    if max(peak) > MOST_MEGABYTES:
        broken.append(f"memory went over {MOST_MEGABYTES} MB")
    for words in broken:
        print(f"FAILED: {words}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
