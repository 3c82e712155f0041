//! Whatever comes instead of a feed: a clear message on the channel, and no change to the calendar.

use std::io::Write;

use concord_domain::channel::RunOutcome;
use concord_storage::testing::TestDb;

use crate::{
    site::{nights, reserved},
    world::World,
};

const PAGE: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>";

/// Makes the site serve something else.
type Broken<'a> = Box<dyn Fn() + 'a>;

async fn a_feed_that_cannot_be_read_changes_nothing(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&[reserved("a", 3, 5), reserved("b", 7, 9)]);
    let airbnb = world.on("airbnb").await;
    let whole = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", reserved("a", 3, 5));
    let nested = format!("BEGIN:VCALENDAR\r\n{}", "BEGIN:VEVENT\r\n".repeat(10_000));
    let site = &world.site;
    let broken: Vec<(&str, Broken<'_>, &str)> = vec![
        ("a web page", Box::new(|| site.answers(200, "text/html", PAGE)), "web page"),
        ("a page as a calendar", Box::new(|| site.answers(200, "text/calendar", PAGE)), "web page"),
        ("not there", Box::new(|| site.answers(404, "text/plain", "no")), "no calendar at this address"),
        ("not allowed", Box::new(|| site.answers(403, "text/plain", "no")), "does not let us"),
        ("broken", Box::new(|| site.answers(500, "text/plain", "no")), "500"),
        ("nothing at all", Box::new(|| site.answers(200, "text/calendar", "")), "no calendar"),
        ("a poem", Box::new(|| site.answers(200, "text/calendar", "Roses are red")), "no calendar"),
        (
            "cut off",
            Box::new({
                let whole = whole.clone();
                move || site.bytes(whole[..whole.len() - 20].to_owned())
            }),
            "cut off",
        ),
        (
            "50 MB",
            Box::new({
                let whole = whole.clone();
                move || site.bytes(format!("{whole}{}", "X-NOTHING:1\r\n".repeat(4_000_000)))
            }),
            "larger",
        ),
        ("nested", Box::new(move || site.bytes(nested.clone())), "deep"),
    ];
    for (name, serve, words) in broken {
        serve();
        world.later(3).await;
        let channel = world.channel(airbnb).await;
        let error = channel.last_error.unwrap_or_default();
        assert!(error.contains(words), "{name}: {error}");
        assert!(channel.failing_since.is_some(), "{name}");
        assert_eq!(world.standing().await.len(), 2, "{name}");
    }
    assert!(world.runs(airbnb).await.iter().any(|run| run.outcome == RunOutcome::Failed));
    world.site.events(&[reserved("a", 3, 5)]);
    world.later(2).await;
    let channel = world.channel(airbnb).await;
    assert_eq!((channel.last_error, channel.failing_since), (None, None));
    assert_eq!(world.standing().await, ["3-5 airbnb: Reserved"]);
}

async fn a_bomb_is_let_lie(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&[reserved("a", 3, 5)]);
    let airbnb = world.on("airbnb").await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..200 {
        packed.write_all(&vec![b'A'; 1 << 20]).unwrap();
    }
    world.site.bytes(packed.finish().unwrap());
    world.later(3).await;
    assert!(world.channel(airbnb).await.last_error.is_some());
    assert_eq!(world.standing().await.len(), 1);
}

async fn rules_that_never_end_are_told(db: &TestDb) {
    let world = World::new(db).await;
    world.site.events(&[reserved("a", 3, 5)]);
    let airbnb = world.on("airbnb").await;
    let each_second = "BEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:19700101T000000Z\r\n\
         DTEND:19700101T000001Z\r\nRRULE:FREQ=SECONDLY\r\nSUMMARY:Reserved\r\nEND:VEVENT\r\n";
    world.site.events(&[reserved("a", 3, 5), each_second.to_owned()]);
    world.later(3).await;
    let error = world.channel(airbnb).await.last_error.unwrap_or_default();
    assert!(error.contains("a recurrence that is not followed"), "{error}");
    assert_eq!(world.standing().await, ["3-5 airbnb: Reserved"]);
}

async fn strange_texts_are_plain_in_the_booking(db: &TestDb) {
    let world = World::new(db).await;
    let mut latin = nights("a", "Caf", 3, 5).into_bytes();
    let at = latin.windows(3).position(|part| part == b"Caf").unwrap() + 3;
    latin.insert(at, 0xE9);
    let mut bytes = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n".to_vec();
    bytes.extend(latin);
    bytes.extend(nights("b", "Ana\\r\\nBCC: all@example.com \\n\u{1F3E0} \u{202E}x", 7, 9).bytes());
    bytes.extend(b"END:VCALENDAR\r\n");
    world.site.bytes(bytes);
    let airbnb = world.on("airbnb").await;
    let items = world.items(airbnb).await;
    let mut titles = Vec::new();
    for item in &items {
        titles.push(world.booking(item.reference.as_deref().unwrap()).await.draft.title);
    }
    assert_eq!(titles[0], "Café");
    assert!(!titles[1].chars().any(char::is_control), "{}", titles[1]);
}

concord_storage::on_both_databases!(
    a_feed_that_cannot_be_read_changes_nothing,
    a_bomb_is_let_lie,
    rules_that_never_end_are_told,
    strange_texts_are_plain_in_the_booking,
);
