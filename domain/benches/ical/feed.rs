//! A feed as platforms and calendars write it: days, hours in UTC and in a zone, texts that are folded and escaped.

use std::fmt::Write;

use chrono::{DateTime, Duration, Utc};

/// When the feed is read.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_454)
}

const HEAD: &str = "BEGIN:VCALENDAR
PRODID:-//Bench//EN
VERSION:2.0
CALSCALE:GREGORIAN
X-WR-TIMEZONE:Europe/Lisbon
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
";

/// So many events over two years; each hundredth is a series of four.
pub(crate) fn bytes(events: u32) -> Vec<u8> {
    let mut text = HEAD.to_owned();
    for number in 0..events {
        // Writing to a String cannot fail.
        let _ = event(&mut text, number);
    }
    text.push_str("END:VCALENDAR\n");
    text.replace('\n', "\r\n").into_bytes()
}

fn event(out: &mut String, number: u32) -> std::fmt::Result {
    let start =
        now() + Duration::days(i64::from(number % 700 + 1)) + Duration::hours(i64::from(number % 10 + 8));
    let end = start + Duration::minutes(90);
    let [day, until] = [start, start + Duration::days(3)].map(|at| at.format("%Y%m%d"));
    let [clock, ends] = [start, end].map(|at| at.format("%Y%m%dT%H%M%S"));
    write!(
        out,
        "BEGIN:VEVENT\nDTSTAMP:20260101T080000Z\nUID:{number:08x}-7c1d-4a52-9b0e@platform.example\n"
    )?;
    match number % 4 {
        0 => write!(
            out,
            "DTSTART;VALUE=DATE:{day}\nDTEND;VALUE=DATE:{until}\nSUMMARY:Reserved\n\
             DESCRIPTION:Reservation URL: https://platform.example/hosting/reservations\n \
             /details/HM{number:08}\\nPhone Number (Last 4 Digits): {:04}\n",
            number % 10_000
        )?,
        1 => write!(
            out,
            "DTSTART:{clock}Z\nDTEND:{ends}Z\nSEQUENCE:2\nSTATUS:CONFIRMED\nLAST-MODIFIED:20260102T090000Z\n\
             CREATED:20260101T080000Z\nSUMMARY:Massage\\, hot stones\nTRANSP:OPAQUE\n"
        )?,
        2 => write!(
            out,
            "DTSTART;TZID=Europe/Berlin:{clock}\nDTEND;TZID=Europe/Berlin:{ends}\nSUMMARY:Gespräch Nr. {number}\n\
             LOCATION:Rua do Mar 7\\, Lisboa\nORGANIZER;CN=Ana:mailto:ana@example.org\n\
             ATTENDEE;CN=\"Silva, João\";PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT:mailto:joao@example.o\n rg\n\
             DESCRIPTION:Arrives late\\; please leave the key at the reception. Two dogs\\, o\n ne cot.\\nReference: R-\
             {number}\nSTATUS:TENTATIVE\nSEQUENCE:0\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\n"
        )?,
        _ => write!(
            out,
            "DTSTART;VALUE=DATE:{day}\nDTEND;VALUE=DATE:{until}\nSUMMARY:Platform (Not available)\n"
        )?,
    }
    if number % 100 == 2 {
        out.push_str("RRULE:FREQ=WEEKLY;COUNT=4\n");
    }
    out.push_str("END:VEVENT\n");
    Ok(())
}
