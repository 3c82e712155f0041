//! The parameters of `events.list`, read and checked.

use chrono::{DateTime, Utc};

use super::errors::GoogleApiError;
use super::sync_token::{GooglePageToken, GoogleSyncToken};
use crate::opaque::{decode, fingerprint};
use crate::store::ListWindow;

/// How many events a page holds if nothing is said, and at most.
pub(crate) const DEFAULT_PAGE: usize = 250;
const MAX_PAGE_SIZE: usize = 2500;

/// The parameters that the sandbox knows.
const KNOWN_PARAMETERS: [&str; 7] =
    ["maxResults", "pageToken", "showDeleted", "singleEvents", "syncToken", "timeMin", "timeMax"];

/// Those of any call, which say how its answer is written.
const COMMON_PARAMETERS: [&str; 5] = ["alt", "fields", "prettyPrint", "key", "quotaUser"];

#[derive(Debug, Clone)]
pub(crate) struct EventListQuery {
    pub(crate) max_results: usize,
    pub(crate) page: Option<GooglePageToken>,
    pub(crate) sync: Option<GoogleSyncToken>,
    pub(crate) single_events: bool,
    pub(crate) show_deleted: bool,
    pub(crate) window: ListWindow,
    /// Of all parameters that must be the same on each page.
    pub(crate) parameters: String,
    /// Of those that must be the same in each further read.
    pub(crate) kept: String,
}

impl EventListQuery {
    /// Reads the query of a list of `calendar`, decoded into pairs.
    ///
    /// # Errors
    /// 400 for a bad parameter or combination, 410 for a sync token that is not good any more.
    pub(crate) fn read(pairs: &[(String, String)], calendar: &str) -> Result<Self, GoogleApiError> {
        let parameters = EventListParameters(pairs);
        parameters.check_known(&KNOWN_PARAMETERS)?;
        let window = ListWindow { from: parameters.time("timeMin")?, to: parameters.time("timeMax")? };
        if window.from.zip(window.to).is_some_and(|(from, to)| to <= from) {
            return Err(GoogleApiError::time_range_empty());
        }
        let show_deleted = parameters.switch("showDeleted")?;
        let query = Self {
            max_results: parameters.max_results()?,
            page: parameters.page()?,
            sync: parameters.sync(calendar)?,
            single_events: parameters.switch("singleEvents")?.unwrap_or(false),
            show_deleted: show_deleted.unwrap_or(false),
            window,
            parameters: parameters.fingerprint(),
            kept: parameters.kept(),
        };
        query.check_sync(&parameters, show_deleted)?;
        if query.page.as_ref().is_some_and(|page| page.parameters != query.parameters) {
            return Err(GoogleApiError::bad_parameter("pageToken", "Invalid page token value."));
        }
        Ok(query)
    }

    fn check_sync(
        &self,
        parameters: &EventListParameters<'_>,
        show_deleted: Option<bool>,
    ) -> Result<(), GoogleApiError> {
        let Some(sync) = &self.sync else { return Ok(()) };
        let invalid = |message: String| GoogleApiError::bad_parameter("syncToken", message);
        for name in ["timeMin", "timeMax"] {
            if parameters.get(name).is_some() {
                return Err(invalid(format!("Sync token cannot be used with {name}.")));
            }
        }
        if show_deleted == Some(false) {
            return Err(invalid("Deleted events cannot be hidden from an incremental read.".into()));
        }
        // Google calls it undefined behaviour; here it is an error, so that it cannot go unseen.
        if sync.parameters != self.kept {
            return Err(invalid("All other parameters must be the same as in the first read.".into()));
        }
        Ok(())
    }
}

/// Decoded query parameters, in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventListParameters<'a>(pub(crate) &'a [(String, String)]);

impl<'a> EventListParameters<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn switch(&self, name: &'static str) -> Result<Option<bool>, GoogleApiError> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(GoogleApiError::bad_parameter(name, format!("Invalid boolean value for {name}."))),
        }
    }

    /// RFC 3339 with an offset, which Google insists on.
    fn time(&self, name: &'static str) -> Result<Option<DateTime<Utc>>, GoogleApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let at = DateTime::parse_from_rfc3339(text);
        at.map(|at| Some(at.to_utc())).map_err(|_| GoogleApiError::bad_parameter(name, "Bad Request"))
    }

    pub(crate) fn max_results(&self) -> Result<usize, GoogleApiError> {
        let Some(text) = self.get("maxResults") else { return Ok(DEFAULT_PAGE) };
        match text.parse::<usize>() {
            Ok(number) if number >= 1 => Ok(number.min(MAX_PAGE_SIZE)),
            _ => Err(GoogleApiError::bad_parameter("maxResults", "Invalid value for maxResults.")),
        }
    }

    pub(crate) fn page(&self) -> Result<Option<GooglePageToken>, GoogleApiError> {
        let invalid = || GoogleApiError::bad_parameter("pageToken", "Invalid page token value.");
        self.get("pageToken").map(|token| decode(token).ok_or_else(invalid)).transpose()
    }

    /// The sync token, if it was given out for `of`.
    pub(crate) fn sync(&self, of: &str) -> Result<Option<GoogleSyncToken>, GoogleApiError> {
        let Some(token) = self.get("syncToken") else { return Ok(None) };
        let token = decode(token).filter(|token: &GoogleSyncToken| token.of == fingerprint(of));
        token.map(Some).ok_or_else(GoogleApiError::full_sync_required)
    }

    /// # Errors
    /// 400 for a parameter that is not `known`. Google passes some over; a sandbox must not hide a mistake.
    pub(crate) fn check_known(&self, known: &[&str]) -> Result<(), GoogleApiError> {
        let mut names = self.0.iter().map(|(name, _)| name.as_str());
        match names.find(|name| !known.contains(name) && !COMMON_PARAMETERS.contains(name)) {
            Some(name) => {
                Err(GoogleApiError::invalid(format!("The sandbox does not know the parameter {name}.")))
            }
            None => Ok(()),
        }
    }

    /// Of what every page of a list repeats.
    pub(crate) fn fingerprint(&self) -> String {
        self.fingerprint_without(&[])
    }

    /// Of what every read with a sync token repeats from the first one.
    pub(crate) fn kept(&self) -> String {
        self.fingerprint_without(&["syncToken", "timeMin", "timeMax"])
    }

    fn fingerprint_without(&self, names: &[&str]) -> String {
        let varies =
            |name: &str| matches!(name, "pageToken" | "maxResults") || COMMON_PARAMETERS.contains(&name);
        let counts = |name: &str| !varies(name) && !names.contains(&name);
        let mut pairs: Vec<_> = self.0.iter().filter(|(key, _)| counts(key)).collect();
        pairs.sort();
        fingerprint(&format!("{pairs:?}"))
    }
}
