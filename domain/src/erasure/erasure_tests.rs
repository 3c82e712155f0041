use chrono::{TimeZone, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    booking::{BookingKind, BookingTime, Guest},
    ids::{AttendeeId, ResourceId},
    people::Actor,
};

fn draft(name: &str, email: &str, title: &str) -> BookingDraft {
    let at = |hour| Utc.with_ymd_and_hms(2027, 3, 1, hour, 0, 0).unwrap();
    BookingDraft {
        resource: ResourceId(Uuid::nil()),
        kind: BookingKind::Booking,
        status: BookingStatus::Confirmed,
        time: BookingTime::Timed { starts_at: at(9), ends_at: at(10) },
        title: title.to_owned(),
        customer: Customer {
            name: name.to_owned(),
            email: email.to_owned(),
            phone: "+351 912 000 111".to_owned(),
            language: None,
        },
        party_size: Some(2),
        quantity: 1,
        staff: vec![],
        location: "Rua das Flores 7".to_owned(),
        notes: "rings twice".to_owned(),
        source: "api".to_owned(),
        meeting_url: "https://meet.example/x".to_owned(),
        guests: vec![Guest { name: "Rui Alves".to_owned(), email: "rui@example.com".to_owned() }],
    }
}

fn search(texts: &[&str]) -> TraceSearch {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    TraceSearch::new(&PersonTraces { address_key: None, texts })
}

#[test]
fn stay_remains_without_its_people() {
    let before = draft("Maria Quill", "maria@example.com", "Stay of Quill, M.");
    let after = without_people(&before);
    assert_eq!(after.customer, Customer::default());
    assert_eq!((after.title.as_str(), after.notes.as_str(), after.location.as_str()), ("", "", ""));
    assert!(after.guests.is_empty() && after.meeting_url.is_empty());
    assert_eq!((after.time, after.status, after.party_size), (before.time, before.status, before.party_size));
    let sauna = draft("Maria Quill", "maria@example.com", "Sauna");
    assert_eq!(without_people(&sauna).title, "Sauna", "it names nobody");
}

#[test]
fn guest_is_taken_out_alone() {
    let before = draft("Maria Quill", "maria@example.com", "Sauna");
    let after = without_guest(&before, Some("rui@example.com"), &search(&["Rui Alves"]));
    assert_eq!((after.guests.len(), &after.customer, &after.notes), (0, &before.customer, &before.notes));
    let named = BookingDraft { notes: "RUI ALVES pays".to_owned(), ..before.clone() };
    assert_eq!(without_guest(&named, Some("rui@example.com"), &search(&["Rui Alves"])).notes, "");
    let other = without_guest(&before, Some("eva@example.com"), &search(&[]));
    assert_eq!(other, before);
    assert!(without_guest(&before, None, &search(&[])).guests.is_empty(), "nobody knows which");
}

#[test]
fn scope_follows_from_who_somebody_is() {
    let booking = draft("Maria Quill", "Maria@Example.com", "Sauna");
    assert_eq!(scope_of(&booking, "maria@example.com"), ErasureScope::Booking);
    assert_eq!(scope_of(&booking, "rui@example.com"), ErasureScope::Person);
    assert_eq!(scope_of(&booking, "former@example.com"), ErasureScope::Person);
}

#[test]
fn who_has_a_name_within_theirs_is_somebody_else() {
    let search = search(&["ana@gmail.com", "Ana Costa", "+351 912 000 111"]);
    for text in [
        "ana@gmail.com",
        "To: ANA@Gmail.com.",
        "<ana@gmail.com>,",
        "Mail for Ana Costa’s friend",
        "Ana Costa, Rui",
        r#"{"wish":"Hello\nAna Costa"}"#,
        r#"{"wish":"\tana@gmail.com"}"#,
        "q=a%20ana%40gmail.com",
        "mailto:ana@gmail.com?subject=x",
        "tel +351 912 000 111;",
    ] {
        assert!(search.finds(text), "{text}");
    }
    for text in [
        "joana@gmail.com",
        "x.ana@gmail.com",
        "x+ana@gmail.com",
        "ana@gmail.community",
        "ana@gmail.com.br",
        "ana@gmail.com-shop.example",
        "Mariana Costa",
        "Ana Costaleite",
        "+351 912 000 1112",
        "",
    ] {
        assert!(!search.finds(text), "{text}");
    }
}

#[test]
fn only_what_stands_for_one_person_is_searched_for() {
    for text in ["maria@example.com", "+351 912 000 111", "Maria Quill", "Ana de Sá e Melo"] {
        assert!(is_distinctive(text), "{text}");
    }
    for text in ["", "Maria", "Airbnb (Not available)", "Reserved", "Booked guest", "Li Bo", "1234", " "] {
        assert!(!is_distinctive(text), "{text}");
    }
    let mut traces = PersonTraces::default();
    let imported =
        BookingDraft { source: "airbnb".to_owned(), ..draft("airbnb: Ana Costa", "", "Ana Costa") };
    traces.add_booking(&imported, ErasureScope::Booking);
    assert!(traces.texts.contains("Ana Costa") && traces.texts.contains("rui@example.com"), "{traces:?}");
    let mut traces =
        PersonTraces { address_key: Some("rui@example.com".to_owned()), ..PersonTraces::default() };
    traces.add_booking(&draft("Maria Quill", "maria@example.com", ""), ErasureScope::Person);
    assert_eq!(traces.texts.into_iter().collect::<Vec<_>>(), ["Rui Alves", "rui@example.com"]);
}

#[test]
fn texts_are_found_however_they_are_written() {
    let found = search(&["Zoë \"Q\" O'Hara", "zoe@example.com"]);
    for text in [
        r#"{"name":"Zoë \"Q\" O'Hara"}"#,
        "<b>ZO\u{cb} &#34;q&#34; O&#39;Hara</b>",
        "?name=zo%C3%AB+%22q%22+o%27hara",
        "?name=Zo%c3%ab%20%22Q%22%20O%27Hara",
        "to ZOE%40example.com",
    ] {
        assert!(found.finds(text), "{text}");
    }
    assert!(!found.finds("zoe at example.com") && !found.finds(""));
    assert!(!search(&[]).finds("anything"));
}

#[test]
fn records_keep_their_shape() {
    let event = json!({
        "id": "7", "status": "confirmed", "title": "Maria", "customer": { "name": "Maria", "language": null },
        "staff": ["s"], "quantity": 1, "guests": [{ "name": "Rui" }],
    });
    let left = json!({
        "id": "7", "status": "confirmed", "title": "", "customer": { "name": "", "language": null },
        "staff": ["s"], "quantity": 1, "guests": [],
    });
    assert_eq!(redacted(&event), left);
    let changes =
        json!({ "status": ["pending", "confirmed"], "customer": [{ "name": "A" }, { "name": "B" }] });
    let line = json!({ "reference": "B-7", "version": 2, "wish": "a cot for Maria", "changes": changes });
    let left = json!({ "reference": "B-7", "version": 2, "changes": { "status": ["pending", "confirmed"] } });
    assert_eq!(redacted_history(&line), left);
    let attendee = AttendeeId(Uuid::nil());
    let actor = redacted_actor(&Actor::Customer { attendee, name: "Maria".to_owned() });
    assert_eq!(actor, Actor::Customer { attendee, name: String::new() });
    assert_eq!(redacted_actor(&Actor::System), Actor::System);
}

proptest! {
    #[test]
    fn nothing_of_the_people_is_left(
        name in "[A-Za-zäöü]{3,12} [A-Za-z'\"&]{3,12}", user in "[a-z]{4,10}", before in ".{0,10}", part in 0usize..4,
    ) {
        let email = format!("{user}@example.com");
        let pick = [name.clone(), email.clone(), name.to_uppercase(), "912 000 111".to_owned()][part].clone();
        let draft = draft(&name, &email, &format!("{before}{pick}"));
        let after = without_people(&draft);
        let mut traces = PersonTraces::default();
        traces.add_booking(&draft, ErasureScope::Booking);
        let found = TraceSearch::new(&traces);
        let json = serde_json::to_string(&after).unwrap();
        prop_assert!(!found.finds(&json), "{json}");
        prop_assert_eq!(without_people(&after), after, "once is enough");
        let event: Value = serde_json::to_value(&draft).unwrap();
        prop_assert!(!found.finds(&redacted(&event).to_string()));
    }
}
