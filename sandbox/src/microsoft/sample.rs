//! The persons who are there from the start, and what a new account comes with.

use chrono_tz::Tz;

use super::{ids, tenants};
use crate::store::{AccessRole, Account, CalendarInfo, Record, Subscription};

/// Two of one tenant and a private person.
const PERSONS: [(&str, &str); 3] = [
    ("eva@northwind.example", "Eva Lindholm"),
    ("farid@northwind.example", "Farid Rahimi"),
    ("grace@outlook.example", "Grace Lim"),
];

/// Who has a second calendar, and which.
const SECOND: (&str, &str) = ("eva@northwind.example", "Clinic rota");

/// The whole of a new Microsoft.
pub(crate) fn records() -> Vec<Record> {
    let zone = chrono_tz::Europe::Lisbon;
    let mut seq = 1;
    let mut records: Vec<_> =
        PERSONS.iter().flat_map(|(email, name)| account(email, name, zone, &mut seq)).collect();
    let (owner, name) = SECOND;
    records.extend(calendar(owner, name, name, zone, AccessRole::Owner, &mut seq));
    records
}

/// A new account with its own calendar and the birthdays, which nobody can write. `seq` is the last number used.
pub(crate) fn account(email: &str, name: &str, zone: Tz, seq: &mut u64) -> Vec<Record> {
    let sub = tenants::object_id(email);
    let account = Account { email: email.into(), name: name.into(), sub, zone };
    let mut records = vec![Record::Account { account }];
    for record in calendar(email, "Calendar", "Calendar", zone, AccessRole::Owner, seq) {
        records.push(match record {
            Record::Subscription { subscription } => {
                Record::Subscription { subscription: Subscription { primary: true, ..subscription } }
            }
            other => other,
        });
    }
    records.extend(calendar(email, "Birthdays", "Birthdays", zone, AccessRole::Reader, seq));
    records
}

/// A further calendar of `owner`, whose id is made from `owner` and `key`.
pub(crate) fn calendar(
    owner: &str,
    key: &str,
    name: &str,
    zone: Tz,
    role: AccessRole,
    seq: &mut u64,
) -> Vec<Record> {
    let id = ids::calendar(owner, key);
    *seq += 1;
    let info = CalendarInfo { id: id.clone(), summary: name.into(), zone, owner: owner.into(), seq: *seq };
    *seq += 1;
    let subscription = Subscription {
        account: owner.into(),
        calendar: id,
        role,
        primary: false,
        hidden: false,
        color_id: "auto".into(),
        seq: *seq,
    };
    vec![Record::Calendar { calendar: info }, Record::Subscription { subscription }]
}
