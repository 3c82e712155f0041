//! The persons who are there from the start, and what a new account comes with.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;
use serde_json::Map;
use sha2::{Digest, Sha256};

use super::resource::etag;
use crate::store::{
    CalendarAccessRole, CalendarListItem, CalendarRecord, EntryHistoryItem, EntryStatus, EventTime,
    StoreRecord, StoredAccount, StoredEntry, StoredEntryAction,
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
        records.extend(calendar(email, second, second, zone, CalendarAccessRole::Owner, &mut seq));
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
    *seq += 1;
    let info =
        CalendarRecord { id: email.into(), summary: email.into(), zone, owner: email.into(), seq: *seq };
    let primary = subscription(email, email, CalendarAccessRole::Owner, "14", seq);
    let holidays = subscription(email, HOLIDAYS, CalendarAccessRole::Reader, "8", seq);
    vec![
        StoreRecord::Account { account },
        StoreRecord::Calendar { calendar: info },
        StoreRecord::Subscription { subscription: CalendarListItem { primary: true, ..primary } },
        StoreRecord::Subscription { subscription: holidays },
    ]
}

/// A further calendar of `owner`, whose id is made from `owner` and `key`.
pub(crate) fn calendar(
    owner: &str,
    key: &str,
    name: &str,
    zone: Tz,
    role: CalendarAccessRole,
    seq: &mut u64,
) -> Vec<StoreRecord> {
    let digest = Sha256::digest(format!("{owner}/{key}"));
    let id = format!("c_{digest:x}@group.calendar.google.com");
    *seq += 1;
    let info = CalendarRecord { id: id.clone(), summary: name.into(), zone, owner: owner.into(), seq: *seq };
    let subscription = subscription(owner, &id, role, "10", seq);
    vec![StoreRecord::Calendar { calendar: info }, StoreRecord::Subscription { subscription }]
}

fn subscription(
    account: &str,
    calendar: &str,
    role: CalendarAccessRole,
    color: &str,
    seq: &mut u64,
) -> CalendarListItem {
    *seq += 1;
    CalendarListItem {
        account: account.into(),
        calendar: calendar.into(),
        role,
        primary: false,
        hidden: false,
        color_id: color.into(),
        seq: *seq,
    }
}

/// 21 digits that stay the same for an address.
fn subject(email: &str) -> String {
    let digest = Sha256::digest(email);
    let digits: String = digest.iter().map(|byte| char::from(b'0' + byte % 10)).take(20).collect();
    format!("1{digits}")
}
