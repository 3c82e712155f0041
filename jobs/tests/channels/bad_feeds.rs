//! Whatever comes instead of a feed: a clear message on the channel, and no change to the calendar.

use std::io::Write;

use concord_domain::channel::RunOutcome;
use concord_storage::testing::TestDb;

use crate::{
    feed_server::{nights, reserved},
    fixture::ChannelFixture,
};

const PAGE: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>";

/// Makes the site serve something else.
type BrokenFeed<'a> = Box<dyn Fn() + 'a>;

async fn a_feed_that_cannot_be_read_changes_nothing(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5), reserved("b", 7, 9)]);
    let airbnb = fixture.on("airbnb").await;
    let whole = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", reserved("a", 3, 5));
    let nested = format!("BEGIN:VCALENDAR\r\n{}", "BEGIN:VEVENT\r\n".repeat(10_000));
    let site = &fixture.site;
    let broken: Vec<(&str, BrokenFeed<'_>, &str)> = vec![
        ("a web page", Box::new(|| site.answers(200, "text/html", PAGE)), "web page"),
        ("a page as a calendar", Box::new(|| site.answers(200, "text/calendar", PAGE)), "web page"),
        ("not there", Box::new(|| site.answers(404, "text/plain", "no")), "no calendar found at this link"),
        ("not allowed", Box::new(|| site.answers(403, "text/plain", "no")), "denies access to this calendar"),
        ("broken", Box::new(|| site.answers(500, "text/plain", "no")), "500"),
        ("nothing at all", Box::new(|| site.answers(200, "text/calendar", "")), "no calendar"),
        ("a poem", Box::new(|| site.answers(200, "text/calendar", "Roses are red")), "no calendar"),
        (
            "cut off",
            Box::new({
                let whole = whole.clone();
                move || site.bytes(whole[..whole.len() - 20].to_owned())
            }),
            "is incomplete",
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
        fixture.later(3).await;
        let channel = fixture.channel(airbnb).await;
        let error = channel.last_error.unwrap_or_default();
        assert!(error.contains(words), "{name}: {error}");
        assert!(channel.failing_since.is_some(), "{name}");
        assert_eq!(fixture.standing().await.len(), 2, "{name}");
    }
    assert!(fixture.runs(airbnb).await.iter().any(|run| run.outcome == RunOutcome::Failed));
    fixture.site.events(&[reserved("a", 3, 5)]);
    fixture.later(2).await;
    let channel = fixture.channel(airbnb).await;
    assert_eq!((channel.last_error, channel.failing_since), (None, None));
    assert_eq!(fixture.standing().await, ["3-5 airbnb: Reserved"]);
}

async fn a_bomb_is_let_lie(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5)]);
    let airbnb = fixture.on("airbnb").await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..200 {
        packed.write_all(&vec![b'A'; 1 << 20]).unwrap();
    }
    fixture.site.bytes(packed.finish().unwrap());
    fixture.later(3).await;
    assert!(fixture.channel(airbnb).await.last_error.is_some());
    assert_eq!(fixture.standing().await.len(), 1);
}

async fn rules_that_never_end_are_told(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    fixture.site.events(&[reserved("a", 3, 5)]);
    let airbnb = fixture.on("airbnb").await;
    let each_second = "BEGIN:VEVENT\r\nUID:s\r\nDTSTAMP:20261101T000000Z\r\nDTSTART:19700101T000000Z\r\n\
         DTEND:19700101T000001Z\r\nRRULE:FREQ=SECONDLY\r\nSUMMARY:Reserved\r\nEND:VEVENT\r\n";
    fixture.site.events(&[reserved("a", 3, 5), each_second.to_owned()]);
    fixture.later(3).await;
    let error = fixture.channel(airbnb).await.last_error.unwrap_or_default();
    assert!(error.contains("a recurrence that is not followed"), "{error}");
    assert_eq!(fixture.standing().await, ["3-5 airbnb: Reserved"]);
}

async fn strange_texts_are_plain_in_the_booking(db: &TestDb) {
    let fixture = ChannelFixture::new(db).await;
    let mut latin = nights("a", "Caf", 3, 5).into_bytes();
    let at = latin.windows(3).position(|part| part == b"Caf").unwrap() + 3;
    latin.insert(at, 0xE9);
    let mut bytes = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n".to_vec();
    bytes.extend(latin);
    bytes.extend(nights("b", "Ana\\r\\nBCC: all@example.com \\n\u{1F3E0} \u{202E}x", 7, 9).bytes());
    bytes.extend(b"END:VCALENDAR\r\n");
    fixture.site.bytes(bytes);
    let airbnb = fixture.on("airbnb").await;
    let items = fixture.items(airbnb).await;
    let mut titles = Vec::new();
    for item in &items {
        titles.push(fixture.booking(item.reference.as_deref().unwrap()).await.draft.title);
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
