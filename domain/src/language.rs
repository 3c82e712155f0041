//! Languages: which one a customer is written to in.

use crate::words;

words! {
    /// The languages that people are written to in.
    #[derive(Default)]
    Language "Language." {
        /// What is spoken where nothing else is known.
        #[default]
        En = "en",
        /// German, in the polite form.
        De = "de",
    }
}

impl Language {
    /// The language of a booking, or else the one that the browser asks for (Accept-Language, RFC 9110, 12.5.4), or else
    /// that of the business.
    pub fn choose(booking: Option<Self>, browser: Option<&str>, business: Option<Self>) -> Self {
        booking.or_else(|| browser.and_then(Self::accepted)).or(business).unwrap_or_default()
    }

    /// The one that is asked for most of those that there are; of two alike the first.
    fn accepted(header: &str) -> Option<Self> {
        let known = header.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let language = parts.next()?.split('-').next()?.to_ascii_lowercase().parse::<Self>().ok()?;
            let quality = parts.find_map(|part| part.strip_prefix("q="));
            let quality = quality.map_or(Some(1.0), |text| text.trim().parse::<f32>().ok())?;
            (quality > 0.0).then_some((language, quality))
        });
        let most = known.reduce(|best, next| if next.1 > best.1 { next } else { best });
        most.map(|(language, _)| language)
    }

    /// Its tag (RFC 5646), as in HTML's `lang`.
    pub fn tag(self) -> &'static str {
        self.as_str()
    }

    /// As its speakers call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{self, De, En};

    #[test]
    fn booking_comes_before_browser_and_business() {
        for (booking, browser, business, chosen) in [
            (Some(De), Some("en"), Some(En), De),
            (None, Some("de-AT,de;q=0.9,en;q=0.8"), Some(En), De),
            (None, Some("fr"), Some(De), De),
            (None, None, Some(De), De),
            (None, None, None, En),
        ] {
            assert_eq!(Language::choose(booking, browser, business), chosen, "{booking:?} {browser:?}");
        }
    }

    #[test]
    fn browser_gets_what_it_asks_for_most() {
        for (header, accepted) in [
            ("de", Some(De)),
            ("DE-de", Some(De)),
            ("fr, de;q=0.5, en;q=0.7", Some(En)),
            ("en;q=0.5,de;q=0.5", Some(En)),
            ("de;q=0, en;q=0.1", Some(En)),
            ("de;q=0", None),
            ("de;q=much", None),
            ("*", None),
            ("", None),
            (";;,,-", None),
        ] {
            assert_eq!(Language::accepted(header), accepted, "{header}");
        }
    }
}
