//! The files inside the program, what they know events by, and how a broken file is told of.

use chrono::NaiveDate;
use proptest::prelude::*;

use super::*;

fn platform(id: &str) -> Platform {
    Platforms::builtin().find(id).expect(id).clone()
}

#[test]
fn every_file_inside_the_program_loads_and_none_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/platforms");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let mut known: Vec<_> = BUILTIN.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.sort();
    assert_eq!(files, known);
    for (platform, (file, _)) in Platforms::builtin().iter().zip(BUILTIN) {
        assert_eq!(format!("{}.toml", platform.id), *file);
    }
}

#[test]
fn every_file_says_when_it_was_checked_and_by_what() {
    for platform in Platforms::builtin().iter() {
        let checked = platform.checked.as_ref().unwrap_or_else(|| panic!("{} does not say", platform.name));
        // A source that nobody can look up is none.
        let source = checked.source.trim();
        let can_be_looked_up = source.contains("https://") || source.contains("not an account of ours");
        assert!(can_be_looked_up || source.starts_with("not checked: "), "{}: {source}", platform.name);
    }
}

#[test]
fn a_calendar_is_known_by_who_wrote_it() {
    let platforms = Platforms::builtin();
    for (product, id) in [
        ("-//Airbnb Inc//Hosting Calendar 1.0//EN", Some("airbnb")),
        ("-//HomeAway.com, Inc.//EN", Some("vrbo")),
        ("-//Booking.com//EN", Some("booking_com")),
        ("-//Somebody//EN", None),
        ("", None),
    ] {
        let told = platforms.iter().find(|platform| platform.matches_product(product));
        assert_eq!(told.map(|platform| platform.id.as_str()), id, "{product}");
    }
}

#[test]
fn a_guest_is_called_by_name_and_never_by_a_stock_phrase() {
    for (id, summary, label) in [
        ("airbnb", "Reserved", "Airbnb guest"),
        ("airbnb", "Airbnb (Not available)", "Airbnb guest"),
        ("airbnb", "", "Airbnb guest"),
        ("booking_com", "CLOSED - Not available", "Booking.com guest"),
        ("vrbo", "Reserved - Maria", "Maria"),
        ("vrbo", "Reserved", "Vrbo guest"),
        ("airbnb", "Maria Silva", "Maria Silva"),
        ("generic", "Party", "Party"),
        ("generic", "Busy", "Guest"),
    ] {
        assert_eq!(platform(id).guest_label(summary), label, "{id}: {summary}");
    }
}

#[test]
fn a_platform_as_it_is_read() {
    insta::assert_json_snapshot!(platform("booking_com"));
}

#[test]
fn events_are_known_by_what_the_platforms_write() {
    use EventKind::{Block, Reservation, Unclear};
    let link = "Reservation URL: https://www.airbnb.com/hosting/reservations/details/HMABCDEFGH\n\
                Phone Number (Last 4 Digits): 1234";
    for (id, summary, description, expected) in [
        ("airbnb", "Reserved", link, Reservation),
        ("airbnb", "Reserved", "", Reservation),
        ("airbnb", "RESERVED ", "", Reservation),
        ("airbnb", "Réservé", link, Reservation),
        ("airbnb", "Airbnb (Not available)", "", Block),
        ("airbnb", "Not available", "", Block),
        ("airbnb", "Airbnb (Nicht verfügbar)", "", Block),
        ("airbnb", "AIRBNB (Não disponível)", "", Block),
        ("airbnb", "Reserviert", "", Reservation),
        ("airbnb", "Maria Rodriguez (HMRDN4521)", "", Unclear),
        ("airbnb", "", "", Unclear),
        ("vrbo", "Reserved - Melanie", "", Reservation),
        ("vrbo", "reserved - melanie", "", Reservation),
        ("vrbo", "Réservée - M & Mme", "", Reservation),
        ("vrbo", "Reserved", "", Reservation),
        ("vrbo", "Blocked", "", Block),
        ("vrbo", "Blockiert", "", Block),
        ("vrbo", "BLOQUEADO - dono", "", Block),
        ("vrbo", "Reserviert - Jürgen", "", Reservation),
        ("vrbo", "Tentative - Maria", "", Reservation),
        ("vrbo", "Indisponible", "", Block),
        ("vrbo", "Owner", "", Unclear),
        ("booking_com", "CLOSED - Not available", "", Unclear),
        ("booking_com", "Jane Doe", "", Unclear),
        ("agoda", "Agoda booking 12345", "", Reservation),
        ("agoda", "Not available", "", Block),
        ("lekkeslaap", "J. Botha", "", Reservation),
        ("lekkeslaap", "Blocked by owner", "", Block),
        ("safarinow", "Not available", "", Block),
        ("lekkeslaap", "Niet beschikbaar", "", Block),
        ("agoda", "Bloqueado", "", Block),
        ("generic", "Bloqueado", "", Block),
        ("generic", "Nicht verfügbar", "", Block),
        ("generic", "Geschlossen", "", Block),
        ("google", "Dentist", "", Block),
        ("outlook", "Busy", "", Block),
        ("generic", "Booking: John Doe", "", Reservation),
        ("generic", "Closed for winter", "", Block),
        ("generic", "Airbnb (Not available)", "", Block),
    ] {
        assert_eq!(platform(id).classify(summary, description), expected, "{id}: {summary}");
    }
}

#[test]
fn what_no_rule_knows_may_be_ours() {
    use EventKind::{Block, Reservation, Unclear};
    for (id, summary, told) in [
        ("generic", "Busy", Unclear),
        ("lekkeslaap", "J. Botha", Unclear),
        ("generic", "Blocked", Block),
        ("vrbo", "Reserved", Reservation),
        ("google", "Dentist", Block),
    ] {
        assert_eq!(platform(id).tell(summary, ""), told, "{id}: {summary}");
    }
}

#[test]
fn tentative_is_known_by_its_words() {
    let vrbo = platform("vrbo");
    let of = |summary| (vrbo.is_tentative(summary, ""), vrbo.guest_of(summary));
    assert_eq!(of("Tentative - Maria"), (true, Some("Maria".to_owned())));
    assert_eq!(of("Tentative"), (true, None));
    assert_eq!(of("Reserved - Maria"), (false, Some("Maria".to_owned())));
}

#[test]
fn a_guest_is_who_is_named_behind_the_beginning() {
    for (id, summary, expected) in [
        ("vrbo", "Reserved - Melanie", Some("Melanie")),
        ("vrbo", " RESERVED -  Ana Maria ", Some("Ana Maria")),
        ("vrbo", "RÉSERVÉE - M & Mme", Some("M & Mme")),
        ("vrbo", "Reserved - ", None),
        ("vrbo", "Reserved", None),
        ("vrbo", "Blocked", None),
        ("airbnb", "Reserved", None),
        ("booking_com", "CLOSED - Not available", None),
    ] {
        assert_eq!(platform(id).guest_of(summary).as_deref(), expected, "{id}: {summary}");
    }
}

#[test]
fn a_platform_is_found_by_any_of_its_names() {
    let platforms = Platforms::builtin();
    for (name, expected) in [
        ("airbnb", Some("airbnb")),
        (" Airbnb ", Some("airbnb")),
        ("VRBO/HomeAway", Some("vrbo")),
        ("HomeAway", Some("vrbo")),
        ("Booking.com", Some("booking_com")),
        ("booking_com", Some("booking_com")),
        ("MakeMyTrip", Some("gommt")),
        ("GoMMT / MakeMyTrip", Some("gommt")),
        ("general", Some("generic")),
        ("expedia", None),
        ("", None),
    ] {
        assert_eq!(platforms.find(name).map(|found| found.id.as_str()), expected, "{name}");
    }
    for one in platforms.iter() {
        assert_eq!(platforms.get(&one.id), Some(one));
    }
}

#[test]
fn an_address_is_known_by_its_host() {
    let platforms = Platforms::builtin();
    for (address, expected) in [
        ("https://www.airbnb.com/calendar/ical/1.ics?s=x", Some("airbnb")),
        ("https://www.airbnb.co.uk/calendar/ical/1.ics", Some("airbnb")),
        ("https://AIRBNB.de./calendar/ical/1.ics", Some("airbnb")),
        ("https://notairbnb.com/calendar/ical/1.ics", None),
        ("https://airbnb.calendars.example.org/1.ics", None),
        ("https://example.org/airbnb.com.ics", None),
        ("http://www.vrbo.com/icalendar/1.ics?nonTentative", Some("vrbo")),
        ("https://www.homeaway.com.au/icalendar/1.ics", Some("vrbo")),
        ("https://ical.booking.com/v1/export?t=x", Some("booking_com")),
        ("https://admin.booking.com/hotel/1.ics", Some("booking_com")),
        ("https://mybooking.com/1.ics", None),
        ("https://calendar.google.com/calendar/ical/a/private-1/basic.ics", Some("google")),
        ("https://outlook.office365.com/owa/calendar/1/calendar.ics", Some("outlook")),
        ("https://www.lekkeslaap.co.za/ical/1", Some("lekkeslaap")),
        ("http://127.0.0.1/ota/airbnb/1.ics", None),
        ("data:text/calendar,x", None),
    ] {
        let found = platforms.of_address(&address.parse().unwrap());
        assert_eq!(found.map(|platform| platform.id.as_str()), expected, "{address}");
    }
}

const SMALL: &str = r#"id = "campsite"
name = "Camp Site"
kind = "ical"
hue = 7
imports = false
exports = true
interval_minutes = 60
past_days_kept = 0
uid_keeps = "stable"
unclear = "block"
export_steps = ["Copy it."]
"#;

fn file(name: &str, text: impl Into<String>) -> PlatformFile {
    PlatformFile { name: name.to_owned(), text: text.into() }
}

#[test]
fn a_file_of_ones_own_adds_or_replaces() {
    let own = SMALL.replace("\"campsite\"", "\"airbnb\"");
    let platforms = Platforms::with_files(&[
        file("campsite.toml", SMALL),
        file("airbnb.toml", own.replace("Camp Site", "Mine")),
    ]);
    let platforms = platforms.unwrap();
    assert_eq!(platforms.iter().count(), BUILTIN.len() + 1);
    assert_eq!(platforms.iter().next().map(|first| first.name.as_str()), Some("Mine"));
    assert_eq!(platforms.find("camp site").map(|own| own.id.as_str()), Some("campsite"));
}

/// What is wrong with this change of a small file that is in order.
fn told(line: &str, instead: &str) -> String {
    assert!(SMALL.contains(line), "{line}");
    let broken = SMALL.replace(line, instead);
    match Platforms::with_files(&[file("own/campsite.toml", broken)]) {
        Ok(_) => "nothing".to_owned(),
        Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn a_broken_file_is_told_of_with_its_line() {
    let last = "export_steps = [\"Copy it.\"]\n";
    let behind = |more: &str| format!("{last}{more}");
    for (line, instead, expected) in [
        ("hue = 7", "hue = = 7", "4: extra `=`"),
        ("hue = 7", "hue = 360", "4: hue must be from 0 to 359, found 360"),
        ("hue = 7", "hue = \"red\"", "4: invalid type: string \"red\", expected a whole number"),
        ("hue = 7", "hew = 7", "4: unknown field `hew`"),
        ("hue = 7\n", "", "1: missing field `hue`"),
        (
            "\"campsite\"",
            "\"Camp Site\"",
            "1: id must be 1 to 32 of the characters a-z, 0-9 and _, found \"Camp Site\"",
        ),
        ("\"Camp Site\"", "\" \"", "2: name must not be empty"),
        ("\"ical\"", "\"feed\"", "3: unknown variant `feed`, expected one of `ical`, `manual`, `both`"),
        ("\"ical\"", "\"manual\"", "3: kind is \"manual\", but imports or exports is true"),
        ("\"ical\"", "\"both\"", "3: kind is \"both\", but there is no [checklist]"),
        ("exports = true", "exports = false", "3: kind is \"ical\", but neither imports nor exports is true"),
        ("imports = false", "imports = true", "3: imports is true, but import_steps does not say how"),
        (
            "interval_minutes = 60",
            "interval_minutes = 10",
            "7: interval_minutes must be from 30 to 120, found 10",
        ),
        ("interval_minutes = 60\n", "", "3: exports is true, but interval_minutes is missing"),
        (
            "past_days_kept = 0",
            "min_interval_minutes = 90\npast_days_kept = 0",
            "8: min_interval_minutes is 90, more than interval_minutes, which is 60",
        ),
        ("hue = 7", "hue = 7\nreads_every_minutes = [90, 60]", "5: reads_every_minutes must be the shortest"),
        ("hue = 7", "hue = 7\nwindow_months = [\n3,\n0]", "7: window_months must be from 1 to 120, found 0"),
        ("hue = 7", "hue = 7\nhosts = [\"https://camp.example\"]", "5: a host is written such as"),
        ("hue = 7", "hue = 7\naliases = [\"tent\",\n\"Tent\"]", "6: the alias \"tent\" stands here twice"),
        (
            "hue = 7",
            "hue = 7\naliases = [\"homeaway\"]",
            "5: \"homeaway\" is a name of \"vrbo\" too, in vrbo.toml",
        ),
        ("\"Camp Site\"", "\"Airbnb\"", "2: \"airbnb\" is a name of \"airbnb\" too, in airbnb.toml"),
        (
            "\"Copy it.\"",
            "\"Copy {url}.\"",
            "11: nothing is known of {url}; known are {feed_url}, {resource}, {business}",
        ),
        (last, &behind("import_steps = [\"Paste it.\"]"), "12: no step of import_steps has {feed_url}"),
        (
            last,
            &behind("[[block]]\nfield = \"summary\""),
            "12: a rule has one of equals, starts_with and contains",
        ),
        (last, &behind("[[block]]\nfield = \"title\"\nequals = \"x\""), "13: unknown variant `title`"),
        (
            last,
            &behind("[[block]]\nfield = \"summary\"\nequals = \" \""),
            "12: the text of a rule must not be empty",
        ),
        (
            last,
            &behind("[[reservation]]\nfield = \"summary\"\nequals = \"x\"\nguest = true"),
            "12: guest needs field = \"summary\" and starts_with",
        ),
    ] {
        let found = told(line, instead);
        let expected = format!("own/campsite.toml: line {expected}");
        assert!(found.starts_with(&expected), "expected: {expected}\nfound:    {found}");
    }
}

#[test]
fn a_broken_checklist_is_told_of_with_its_line() {
    let list = "export_steps = [\"Copy it.\"]\n[checklist]\ndate_format = \"%d.%m.\"\ncreate = [\"Close it.\"]\n\
                change = [\"{old_first_night} to {first_night}\"]\ncancel = [\"Open it.\"]\nclose = \"{nights}\"\nopen = \"\"";
    let both = SMALL.replace("\"ical\"", "\"both\"").replace("export_steps = [\"Copy it.\"]", list);
    Platforms::with_files(&[file("own.toml", &both)]).unwrap();
    for (part, instead, expected) in [
        ("%d.%m.", "%H:%M", "13: date_format must be such as \"%d %b %Y\", found \"%H:%M\""),
        ("%d.%m.", "%", "13: date_format must be such as"),
        ("%d.%m.", "date", "13: date_format must be such as"),
        ("[\"Close it.\"]", "[]", "13: create of the checklist has no steps"),
        ("\"Open it.\"", "\"Open {old_first_night}.\"", "16: nothing is known of {old_first_night}"),
        ("open = \"\"", "shut = \"\"", "18: unknown field `shut`"),
        ("\"both\"", "\"ical\"", "12: a platform of kind \"ical\" has no [checklist]"),
    ] {
        let faults = Platforms::with_files(&[file("own.toml", both.replace(part, instead))]).unwrap_err();
        let found = faults[0].to_string();
        assert!(found.starts_with(&format!("own.toml: line {expected}")), "{expected}: {found}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_an_id_has_one_file() {
    let wrong = SMALL.replace("hue = 7", "hue = 400").replace("= 60", "= 10");
    let second = SMALL.replace("Camp Site", "Other");
    let files = [file("a.toml", wrong), file("b.toml", SMALL), file("c.toml", second)];
    let faults = Platforms::with_files(&files).unwrap_err();
    let told: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "a.toml: line 4: hue must be from 0 to 359, found 400",
            "a.toml: line 7: interval_minutes must be from 30 to 120, found 10",
            "c.toml: line 1: b.toml has the id \"campsite\" already",
        ]
    );
}

#[test]
fn an_id_is_a_short_word() {
    for (text, fits) in
        [("airbnb", true), ("a_1", true), ("", false), ("Airbnb", false), ("a-b", false), ("é", false)]
    {
        assert_eq!(text.parse::<PlatformId>().is_ok(), fits, "{text}");
        assert_eq!(serde_json::from_value::<PlatformId>(text.into()).is_ok(), fits, "{text}");
    }
    assert!("a".repeat(32).parse::<PlatformId>().is_ok() && "a".repeat(33).parse::<PlatformId>().is_err());
}

#[test]
fn a_checklist_is_filled_once() {
    let list = platform("booking_com").checklist.unwrap();
    let day = |day| NaiveDate::from_ymd_opt(2026, 12, day).unwrap();
    let (first, last) = (list.date(day(1)), list.date(day(4)));
    let values =
        [("resource", "{first_night}"), ("first_night", first.as_str()), ("last_night", last.as_str())];
    assert_eq!(
        fill(&list.close, &values),
        "Room: {first_night}\nFrom: 01 Dec 2026\nUp to and including: 04 Dec 2026\nRooms to sell: 0\nRoom status: Closed"
    );
    assert_eq!(fill("{unknown} {", &values), "{unknown} {");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Texts come from the network.
    #[test]
    fn no_text_is_too_odd(summary in "\\PC{0,40}", description in "\\PC{0,40}") {
        let platforms = Platforms::builtin();
        let _found = platforms.find(&summary);
        for platform in platforms.iter() {
            let kind = platform.classify(&summary, &description);
            if platform.guest_of(&summary).is_some() {
                prop_assert_eq!(kind, EventKind::Reservation);
            }
        }
    }
}
