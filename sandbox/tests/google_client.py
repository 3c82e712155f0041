#!/usr/bin/env python3
"""Drives a sandbox with Google's own client: insert, list, pages, sync token, patch, refresh, delete.

usage: google_client.py SANDBOX_URL ACCESS_TOKEN REFRESH_TOKEN
"""
import sys

from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

url, access_token, refresh_token = sys.argv[1:4]
credentials = Credentials(
    access_token,
    refresh_token=refresh_token,
    token_uri=f"{url}/google/token",
    client_id="sandbox-google-client",
    client_secret="sandbox-google-secret",
)
service = build(
    "calendar",
    "v3",
    credentials=credentials,
    static_discovery=True,
    client_options={"api_endpoint": f"{url}/google/calendar/v3/"},
)


def fails_with(status, request):
    try:
        request.execute()
    except HttpError as error:
        assert error.status_code == status, error
        return error
    raise AssertionError(f"no error, {status} expected")


def everything(**parameters):
    items, request = [], service.events().list(calendarId="primary", **parameters)
    while request is not None:
        answer = request.execute()
        items += answer["items"]
        request = service.events().list_next(request, answer)
    return items, answer["nextSyncToken"]


calendars = service.calendarList().list().execute()["items"]
assert [c["accessRole"] for c in calendars] == ["owner", "owner", "reader"], calendars
holidays = service.events().list(calendarId=calendars[2]["id"]).execute()
assert holidays["summary"] == "Holidays in Portugal", holidays

for number in range(5):
    body = {
        "id": f"booking{number}",
        "summary": f"Booking {number}",
        "start": {"dateTime": f"2026-02-02T{9 + number:02}:00:00", "timeZone": "Europe/Lisbon"},
        "end": {"dateTime": f"2026-02-02T{10 + number:02}:00:00", "timeZone": "Europe/Lisbon"},
    }
    created = service.events().insert(calendarId="primary", body=body, sendUpdates="none").execute()
    assert created["status"] == "confirmed", created
fails_with(409, service.events().insert(calendarId="primary", body=body))

items, token = everything(maxResults=2)
assert len(items) == 5, items
assert everything(syncToken=token)[0] == []

# The client refreshes by itself when the token is no longer good.
credentials.token = "no longer good"
event = service.events().get(calendarId="primary", eventId="booking0").execute()
assert credentials.token != "no longer good"

patch = service.events().patch(calendarId="primary", eventId="booking0", body={"location": "Porto"})
patch.headers["If-Match"] = event["etag"]
assert patch.execute()["location"] == "Porto"
stale = service.events().patch(calendarId="primary", eventId="booking0", body={"location": "Faro"})
stale.headers["If-Match"] = event["etag"]
fails_with(412, stale)

event = service.events().get(calendarId="primary", eventId="booking1").execute()
event["summary"] = "Changed"
assert service.events().update(calendarId="primary", eventId="booking1", body=event).execute()["summary"] == "Changed"

service.events().delete(calendarId="primary", eventId="booking2").execute()
fails_with(410, service.events().delete(calendarId="primary", eventId="booking2"))

changes, token = everything(syncToken=token)
assert [(c["id"], c["status"]) for c in changes] == [
    ("booking0", "confirmed"),
    ("booking1", "confirmed"),
    ("booking2", "cancelled"),
], changes
fails_with(410, service.events().list(calendarId="primary", syncToken="long ago"))

busy = service.freebusy().query(
    body={"timeMin": "2026-02-02T00:00:00Z", "timeMax": "2026-02-03T00:00:00Z", "items": [{"id": "primary"}]}
).execute()
assert [b["start"] for b in busy["calendars"]["primary"]["busy"]] == ["2026-02-02T09:00:00Z", "2026-02-02T12:00:00Z"]
print("all is well")
