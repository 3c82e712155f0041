//! Languages: which one somebody is written to in, and what is said in it.
//!
//! The texts lie in `locales/`, a folder for each language, as Fluent resources; `texts` finds them by their keys, `dates`
//! tells days, times and nights. To add a text: a variant of [`TextKey`], and its message in every language. To add a
//! language: a variant of [`Language`], its folder, and its resources in `texts`.

pub mod dates;
mod texts;

pub use texts::{TextKey, text};

/// The languages that people are written to in.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "lowercase")]
pub enum Language {
    /// What is spoken where nothing else is known.
    #[default]
    En,
    /// German, in the polite form.
    De,
}

/// What happened is told in one language, however many read it: pages show it as it was raised.
pub(crate) const NOTICE_LANGUAGE: Language = Language::En;

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
        self.into()
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
