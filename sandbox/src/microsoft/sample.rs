//! The persons who are there from the start, and what a new account comes with.

use chrono_tz::Tz;

use super::{ids, tenants};
use crate::store::{CalendarAccessRole, CalendarListItem, CalendarRecord, StoreRecord, StoredAccount};

/// Two of one tenant and a private person.
const PERSONS: [(&str, &str); 3] = [
    ("eva@northwind.example", "Eva Lindholm"),
    ("farid@northwind.example", "Farid Rahimi"),
    ("grace@outlook.example", "Grace Lim"),
];

/// Who has a second calendar, and which.
const SECOND: (&str, &str) = ("eva@northwind.example", "Clinic rota");

/// The whole of a new Microsoft.
pub(crate) fn records() -> Vec<StoreRecord> {
    let zone = chrono_tz::Europe::Lisbon;
    let mut seq = 1;
    let mut records: Vec<_> =
        PERSONS.iter().flat_map(|(email, name)| account(email, name, zone, &mut seq)).collect();
    let (owner, name) = SECOND;
    records.extend(calendar(owner, name, name, zone, CalendarAccessRole::Owner, &mut seq));
    records
}

/// A new account with its own calendar and the birthdays, which nobody can write. `seq` is the last number used.
pub(crate) fn account(email: &str, name: &str, zone: Tz, seq: &mut u64) -> Vec<StoreRecord> {
    let sub = tenants::object_id(email);
    let account = StoredAccount { email: email.into(), name: name.into(), sub, zone };
    let mut records = vec![StoreRecord::Account { account }];
    for record in calendar(email, "Calendar", "Calendar", zone, CalendarAccessRole::Owner, seq) {
        records.push(match record {
            StoreRecord::Subscription { subscription } => {
                StoreRecord::Subscription { subscription: CalendarListItem { primary: true, ..subscription } }
            }
            other => other,
        });
    }
    records.extend(calendar(email, "Birthdays", "Birthdays", zone, CalendarAccessRole::Reader, seq));
    records
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
    let id = ids::calendar(owner, key);
    *seq += 1;
    let info = CalendarRecord { id: id.clone(), summary: name.into(), zone, owner: owner.into(), seq: *seq };
    *seq += 1;
    let subscription = CalendarListItem {
        account: owner.into(),
        calendar: id,
        role,
        primary: false,
        hidden: false,
        color_id: "auto".into(),
        seq: *seq,
    };
    vec![StoreRecord::Calendar { calendar: info }, StoreRecord::Subscription { subscription }]
}
