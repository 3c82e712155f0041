//! The persons who are there from the start, and what a new account comes with.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;
use serde_json::Map;
use sha2::{Digest, Sha256};

use super::resource::etag;
use crate::store::{
    CalendarAccessRole, CalendarRecord, EntryHistoryItem, EntryStatus, EventTime, StoreRecord, StoredAccount,
    StoredEntry, StoredEntryAction, make_primary, new_calendar, new_subscription,
};
use crate::timing::DateOrDateTime;

/// The calendar that everybody may read and nobody may write. Its id has a `#`, as the real ones have: whoever forgets
/// to percent-encode an id in a path finds out here.
pub(crate) const HOLIDAYS: &str = "en.portuguese#holiday@group.v.calendar.google.com";

/// Who owns what no person owns.
pub(crate) const NOBODY: &str = "calendar.google.com";

const PERSONS: [(&str, &str, &str); 4] = [
    ("ana@example.com", "Ana Pereira", "Clinic rota"),
    ("ben@example.com", "Ben Okafor", "Family"),
    ("carla@example.com", "Carla Nunes", "Family"),
    ("dev@example.com", "Dev Sharma", "Clinic rota"),
];

/// The whole of a new Google.
pub(crate) fn records(now: DateTime<Utc>) -> Vec<StoreRecord> {
    let zone = chrono_tz::Europe::Lisbon;
    let mut seq = 1;
    let info = CalendarRecord {
        id: HOLIDAYS.into(),
        summary: "Holidays in Portugal".into(),
        zone,
        owner: NOBODY.into(),
        seq,
    };
    let mut records = vec![StoreRecord::Calendar { calendar: info }];
    for year in now.year()..=now.year() + 1 {
        for (month, day, name) in [
            (1, 1, "New Year's Day"),
            (4, 25, "Freedom Day"),
            (5, 1, "Labour Day"),
            (12, 25, "Christmas Day"),
        ] {
            if let Some(date) = NaiveDate::from_ymd_opt(year, month, day) {
                seq += 1;
                let entry = holiday(date, name, seq, now);
                let change = EntryHistoryItem { etag: etag(seq), ..entry.change(StoredEntryAction::Insert) };
                records.push(StoreRecord::Written {
                    calendar: HOLIDAYS.into(),
                    entry: Box::new(entry),
                    change,
                });
            }
        }
    }
    for (email, name, second) in PERSONS {
        records.extend(account(email, name, zone, &mut seq));
        let id = calendar_id(email, second);
        records.extend(new_calendar((&id, second), email, zone, CalendarAccessRole::Owner, &mut seq));
    }
    records
}

fn holiday(date: NaiveDate, name: &str, seq: u64, now: DateTime<Utc>) -> StoredEntry {
    let id = format!("{}pt", date.format("%Y%m%d"));
    let mut fields = Map::new();
    fields.insert("summary".into(), name.into());
    fields.insert("transparency".into(), "transparent".into());
    fields.insert("visibility".into(), "public".into());
    StoredEntry {
        ical_uid: format!("{id}@google.com"),
        id,
        seq,
        created: now,
        updated: now,
        status: EntryStatus::Confirmed,
        sequence: 0,
        creator: HOLIDAYS.into(),
        start: EventTime { when: DateOrDateTime::On(date), zone: None },
        end: EventTime { when: DateOrDateTime::On(date + chrono::Duration::days(1)), zone: None },
        recurrence: Vec::new(),
        occurrence_of: None,
        former: Vec::new(),
        moves: 0,
        purged: false,
        fields,
        series: None,
        history: Vec::new(),
    }
}

/// A new account with its primary calendar and the holidays in its list. `seq` is the last number used.
pub(crate) fn account(email: &str, name: &str, zone: Tz, seq: &mut u64) -> Vec<StoreRecord> {
    let account = StoredAccount { email: email.into(), name: name.into(), sub: subject(email), zone };
    let mut records = vec![StoreRecord::Account { account }];
    records.extend(new_calendar((email, email), email, zone, CalendarAccessRole::Owner, seq));
    make_primary(&mut records);
    let subscription = new_subscription(email, HOLIDAYS, CalendarAccessRole::Reader, seq);
    records.push(StoreRecord::Subscription { subscription });
    records
}

pub(super) fn calendar_id(owner: &str, key: &str) -> String {
    let digest = Sha256::digest(format!("{owner}/{key}"));
    format!("c_{digest:x}@group.calendar.google.com")
}

/// 21 digits that stay the same for an address.
fn subject(email: &str) -> String {
    let digest = Sha256::digest(email);
    let digits: String = digest.iter().map(|byte| char::from(b'0' + byte % 10)).take(20).collect();
    format!("1{digits}")
}
