//! The persons who are there from the start, and what a new account comes with.

use chrono_tz::Tz;

use super::{ids, tenants};
use crate::store::{CalendarAccessRole, StoreRecord, StoredAccount, make_primary, new_calendar};

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
    let id = ids::calendar(owner, name);
    records.extend(new_calendar((&id, name), owner, zone, CalendarAccessRole::Owner, &mut seq));
    records
}

/// A new account with its own calendar and the birthdays, which nobody can write. `seq` is the last number used.
pub(crate) fn account(email: &str, name: &str, zone: Tz, seq: &mut u64) -> Vec<StoreRecord> {
    let sub = tenants::object_id(email);
    let account = StoredAccount { email: email.into(), name: name.into(), sub, zone };
    let mut records = vec![StoreRecord::Account { account }];
    for (name, role) in [("Calendar", CalendarAccessRole::Owner), ("Birthdays", CalendarAccessRole::Reader)] {
        records.extend(new_calendar((&ids::calendar(email, name), name), email, zone, role, seq));
    }
    make_primary(&mut records);
    records
}
