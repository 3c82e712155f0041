//! Conditional and compressed answers (RFC 9110, sections 12.5.3 and 13).

use axum::http::{HeaderMap, HeaderName, header};
use chrono::{DateTime, Duration, SubsecRound, Utc};

fn header_text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// Whether the reader takes gzip. Who says nothing gets plain bytes.
pub(super) fn wants_gzip(headers: &HeaderMap) -> bool {
    let Some(accepted) = header_text(headers, header::ACCEPT_ENCODING) else { return false };
    let weight = |wanted: &str| {
        accepted.split(',').find_map(|item| {
            let mut parts = item.split(';').map(str::trim);
            let coding = parts.next()?;
            if !coding.eq_ignore_ascii_case(wanted) {
                return None;
            }
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            Some(quality.map_or(1.0, |quality| quality.parse::<f32>().unwrap_or(0.0)))
        })
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

/// Whether the reader has what would be sent. Tags decide where there are any; dates are only seconds fine.
pub(super) fn is_fresh(headers: &HeaderMap, tags: &[String], rendered_at: DateTime<Utc>) -> bool {
    if let Some(known) = header_text(headers, header::IF_NONE_MATCH) {
        return known.split(',').map(str::trim).any(|known| {
            // The weak comparison (section 13.1.2): proxies that compress make tags weak.
            known == "*" || tags.iter().any(|tag| known.strip_prefix("W/").unwrap_or(known) == tag)
        });
    }
    header_text(headers, header::IF_MODIFIED_SINCE)
        .and_then(|date| httpdate::parse_http_date(&date).ok())
        .is_some_and(|since| rendered_at.trunc_subsecs(0) <= DateTime::<Utc>::from(since))
}

/// The date that goes with what was rendered at `rendered_at`.
///
/// A change in the same second would get the same date, and a reader who comes back with it would never see it. So
/// within that second the date is one earlier, which costs such a reader one full answer.
pub(super) fn last_modified(rendered_at: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let second = rendered_at.trunc_subsecs(0);
    if now.trunc_subsecs(0) > second { second } else { second - Duration::seconds(1) }
}

/// As HTTP writes dates.
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    httpdate::fmt_http_date(at.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepted, wanted) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("gzip; q=0.0", false),
            ("br, deflate", false),
            ("identity", false),
            ("x-gzip-like", false),
            ("", false),
        ] {
            assert_eq!(wants_gzip(&with(header::ACCEPT_ENCODING, accepted)), wanted, "{accepted}");
        }
        assert!(!wants_gzip(&HeaderMap::new()));
    }

    #[test]
    fn tags_may_be_weak_and_many() {
        let tags = ["\"a\"".to_owned(), "\"a-gzip\"".to_owned()];
        let now = "2026-12-01T10:00:00Z".parse().unwrap();
        for (known, fresh) in [
            ("\"a\"", true),
            ("W/\"a-gzip\"", true),
            ("\"x\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(is_fresh(&with(header::IF_NONE_MATCH, known), &tags, now), fresh, "{known}");
        }
    }

    #[test]
    fn dates_count_where_there_is_no_tag() {
        let changed = "2026-12-01T10:00:00Z".parse().unwrap();
        for (since, fresh) in [
            ("Tue, 01 Dec 2026 10:00:00 GMT", true),
            ("Tuesday, 01-Dec-26 10:00:00 GMT", true),
            ("Tue, 01 Dec 2026 09:59:59 GMT", false),
            ("yesterday", false),
        ] {
            assert_eq!(is_fresh(&with(header::IF_MODIFIED_SINCE, since), &[], changed), fresh, "{since}");
        }
        assert!(!is_fresh(&HeaderMap::new(), &[], changed));
        assert_eq!(http_date(changed), "Tue, 01 Dec 2026 10:00:00 GMT");
    }

    #[test]
    fn a_change_within_the_second_is_not_missed() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (first, second) = (at("2026-12-01T10:00:00.2Z"), at("2026-12-01T10:00:00.8Z"));
        let comes_back = |with: DateTime<Utc>, to: DateTime<Utc>| {
            let headers =
                HeaderMap::from_iter([(header::IF_MODIFIED_SINCE, http_date(with).parse().unwrap())]);
            is_fresh(&headers, &[], to)
        };
        assert!(!comes_back(last_modified(first, at("2026-12-01T10:00:00.3Z")), second));
        // Who read it later has a date that no other rendering can have had.
        let later = last_modified(second, at("2026-12-01T10:00:07Z"));
        assert!(comes_back(later, second));
        assert!(!comes_back(later, at("2026-12-01T10:00:01.1Z")));
    }
}
