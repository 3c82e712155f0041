//! What people write into their own calendars, as their own applications write it.

use chrono::{NaiveDate, NaiveDateTime};
use concord_domain::connection::ProviderKind;
use http::{Request, header::CONTENT_TYPE};
use serde_json::{Value, json};

use crate::provider_sandbox::ProviderSandbox;

/// When it takes place.
#[derive(Clone, Copy, Debug)]
pub(super) enum OwnEventTime<'a> {
    /// By the clocks of a zone.
    Clock { zone: ZoneLabel<'a>, from: NaiveDateTime, until: NaiveDateTime },
    /// `until` is not in it.
    Days { from: NaiveDate, until: NaiveDate },
}

/// How an application speaks of a zone.
#[derive(Clone, Copy, Debug)]
pub(super) struct ZoneLabel<'a> {
    pub(super) name: &'a str,
    /// An object's VTIMEZONE, without its TZID.
    pub(super) rules: &'a str,
}

impl ProviderSandbox {
    /// A person adds something to their main calendar.
    pub(super) async fn person_writes(&self, email: &str, title: &str, own: OwnEventTime<'_>) {
        match self.kind() {
            ProviderKind::Google => drop(self.app_adds(email, google(title, own)).await),
            ProviderKind::Microsoft => self.outlook_adds(email, microsoft(title, own)).await,
            ProviderKind::Caldav => {
                let calendar = self.radicale().calendar_of(email);
                let path = format!("{calendar}{}.ics", uuid::Uuid::now_v7());
                self.person(email).puts(&path, &object(title, own)).await;
            }
        }
    }

    async fn outlook_adds(&self, email: &str, event: Value) {
        let given = self.consent(email).await;
        let request = Request::post(self.address("/microsoft/v1.0/me/events"))
            .header(CONTENT_TYPE, "application/json")
            .header("authorization", format!("Bearer {}", given.access))
            .body(event.to_string().into())
            .expect("a request");
        let answer = self.send(request).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
    }
}

fn google(title: &str, own: OwnEventTime<'_>) -> Value {
    let (start, end) = match own {
        OwnEventTime::Clock { zone, from, until } => (
            json!({ "dateTime": from.to_string().replace(' ', "T"), "timeZone": zone.name }),
            json!({ "dateTime": until.to_string().replace(' ', "T"), "timeZone": zone.name }),
        ),
        OwnEventTime::Days { from, until } => (json!({ "date": from }), json!({ "date": until })),
    };
    json!({ "summary": title, "start": start, "end": end })
}

fn microsoft(title: &str, own: OwnEventTime<'_>) -> Value {
    let (all_day, zone, from, until) = match own {
        // Outlook says it by Windows' name; Graph takes few of IANA's.
        OwnEventTime::Clock { zone: ZoneLabel { name: "Europe/Lisbon", .. }, from, until } => {
            (false, "GMT Standard Time", from, until)
        }
        OwnEventTime::Clock { zone, from, until } => (false, zone.name, from, until),
        OwnEventTime::Days { from, until } => (true, "UTC", from.into(), until.into()),
    };
    let time = |at: NaiveDateTime| json!({ "dateTime": at.format("%Y-%m-%dT%H:%M:%S").to_string(), "timeZone": zone });
    json!({ "subject": title, "isAllDay": all_day, "showAs": "busy", "start": time(from), "end": time(until) })
}

fn object(title: &str, own: OwnEventTime<'_>) -> String {
    let (zone, times) = match own {
        OwnEventTime::Clock { zone: ZoneLabel { name, rules }, from, until } => {
            let clock = |at: NaiveDateTime| at.format("%Y%m%dT%H%M%S").to_string();
            let zone = format!("BEGIN:VTIMEZONE\nTZID:{name}\n{}\nEND:VTIMEZONE\n", rules.trim());
            let times = format!("DTSTART;TZID={name}:{}\nDTEND;TZID={name}:{}", clock(from), clock(until));
            (zone, times)
        }
        OwnEventTime::Days { from, until } => {
            let (from, until) = (from.format("%Y%m%d"), until.format("%Y%m%d"));
            (String::new(), format!("DTSTART;VALUE=DATE:{from}\nDTEND;VALUE=DATE:{until}"))
        }
    };
    format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//A person//EN\n{zone}BEGIN:VEVENT\nUID:{}\nDTSTAMP:20260101T000000Z\n\
         {times}\nSUMMARY:{title}\nEND:VEVENT\nEND:VCALENDAR\n",
        uuid::Uuid::now_v7(),
    )
    .replace('\n', "\r\n")
}
