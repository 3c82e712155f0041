//! What is wrong with a platform's file, by line.

use std::ops::Range;

use chrono::NaiveDate;
use toml::Spanned;

use super::{
    Checklist, Platform, PlatformId, PlatformKind, TextField, TextMatch, TextRule,
    checklist::{CHANGE_NAMES, CHECKLIST_NAMES, STEP_NAMES, unknown_name, written},
    file_keys::{ChecklistKeys, FileKeys, PlatformFile, PlatformFileError, RuleKeys},
};

/// Gathers what is wrong with one file.
pub(super) struct PlatformFileCheck<'a> {
    pub(super) file: &'a PlatformFile,
    pub(super) faults: Vec<PlatformFileError>,
}

impl PlatformFileCheck<'_> {
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.file.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
    }

    pub(super) fn wrong(&mut self, span: &Range<usize>, problem: impl Into<String>) {
        let (file, line) = (self.file.name.clone(), self.line(span));
        self.faults.push(PlatformFileError { file, line, problem: problem.into() });
    }

    fn within(&mut self, key: &str, value: &Spanned<u32>, range: std::ops::RangeInclusive<u32>) -> u32 {
        let found = *value.get_ref();
        if !range.contains(&found) {
            let problem = format!("{key} must be from {} to {}, found {found}", range.start(), range.end());
            self.wrong(&value.span(), problem);
        }
        found
    }

    pub(super) fn platform(&mut self, keys: &FileKeys) -> Option<Platform> {
        let id = match keys.id.get_ref().parse::<PlatformId>() {
            Ok(id) => Some(id),
            Err(error) => {
                self.wrong(&keys.id.span(), format!("id {error}, found \"{}\"", keys.id.get_ref()));
                None
            }
        };
        if keys.name.get_ref().trim().is_empty() {
            self.wrong(&keys.name.span(), "name must not be empty");
        }
        self.abilities(keys);
        let (interval_minutes, min_interval_minutes) = self.intervals(keys);
        Some(Platform {
            id: id?,
            name: keys.name.get_ref().trim().to_owned(),
            kind: *keys.kind.get_ref(),
            aliases: self.aliases(keys),
            hue: self.within("hue", &keys.hue, 0..=359),
            imports: keys.imports,
            exports: keys.exports,
            interval_minutes,
            min_interval_minutes,
            reads_every: self.reads_every(keys),
            past_days_kept: self.within("past_days_kept", &keys.past_days_kept, 0..=3_650),
            uid_keeps: keys.uid_keeps,
            reservation: keys.reservation.iter().filter_map(|rule| self.rule(rule)).collect(),
            block: keys.block.iter().filter_map(|rule| self.rule(rule)).collect(),
            unclear: keys.unclear,
            window_months: keys
                .window_months
                .iter()
                .map(|months| self.within("window_months", months, 1..=120))
                .collect(),
            hosts: self.hosts(keys),
            products: self.products(keys),
            checked: keys.checked.clone(),
            import_steps: self.templates(&keys.import_steps, &[STEP_NAMES]),
            export_steps: self.templates(&keys.export_steps, &[STEP_NAMES]),
            notes: keys.notes.clone(),
            checklist: keys.checklist.as_ref().map(|list| self.checklist(list.get_ref())),
        })
    }

    /// Whether what it can do and what is said of it fit together.
    fn abilities(&mut self, keys: &FileKeys) {
        let (kind, span) = (*keys.kind.get_ref(), keys.kind.span());
        let has_feed = keys.imports || keys.exports;
        match kind {
            PlatformKind::Manual if has_feed => {
                self.wrong(&span, "kind is \"manual\", but imports or exports is true: then it is \"both\"");
            }
            PlatformKind::Ical | PlatformKind::Both if !has_feed => {
                self.wrong(&span, format!("kind is \"{kind}\", but neither imports nor exports is true"));
            }
            _ => {}
        }
        match &keys.checklist {
            None if kind != PlatformKind::Ical => {
                self.wrong(&span, format!("kind is \"{kind}\", but there is no [checklist]"));
            }
            Some(list) if kind == PlatformKind::Ical => {
                self.wrong(
                    &list.span(),
                    "a platform of kind \"ical\" has no [checklist]: then it is \"both\"",
                );
            }
            _ => {}
        }
        for (able, steps, key) in
            [(keys.imports, &keys.import_steps, "import"), (keys.exports, &keys.export_steps, "export")]
        {
            if able && steps.is_empty() {
                self.wrong(&span, format!("{key}s is true, but {key}_steps does not say how"));
            }
        }
        let shown = keys.import_steps.iter().any(|step| step.get_ref().contains("{feed_url}"));
        if let (Some(first), false) = (keys.import_steps.first(), shown) {
            self.wrong(&first.span(), "no step of import_steps has {feed_url}");
        }
    }

    /// The interval and the least one. Where no feed is read they mean nothing.
    fn intervals(&mut self, keys: &FileKeys) -> (u32, u32) {
        if keys.exports && keys.interval_minutes.is_none() {
            self.wrong(&keys.kind.span(), "exports is true, but interval_minutes is missing");
        }
        let interval = keys
            .interval_minutes
            .as_ref()
            .map_or(60, |value| self.within("interval_minutes", value, 30..=120));
        let least = keys
            .min_interval_minutes
            .as_ref()
            .map_or(30, |value| self.within("min_interval_minutes", value, 5..=120));
        if let (Some(value), true) = (&keys.min_interval_minutes, least > interval) {
            let problem =
                format!("min_interval_minutes is {least}, more than interval_minutes, which is {interval}");
            self.wrong(&value.span(), problem);
        }
        (interval, least)
    }

    fn reads_every(&mut self, keys: &FileKeys) -> Option<(u32, u32)> {
        let value = keys.reads_every_minutes.as_ref()?;
        let (from, to) = *value.get_ref();
        if from == 0 || from > to {
            let problem = "reads_every_minutes must be the shortest and the longest time, such as [60, 180]";
            self.wrong(&value.span(), problem);
        }
        Some((from, to))
    }

    fn aliases(&mut self, keys: &FileKeys) -> Vec<String> {
        let mut aliases: Vec<String> = Vec::new();
        for alias in &keys.aliases {
            let name = alias.get_ref().trim().to_lowercase();
            if name.is_empty() {
                self.wrong(&alias.span(), "an alias must not be empty");
            } else if aliases.contains(&name) {
                self.wrong(&alias.span(), format!("the alias \"{name}\" stands here twice"));
            }
            aliases.push(name);
        }
        aliases
    }

    /// In lower case, as they are compared.
    fn products(&mut self, keys: &FileKeys) -> Vec<String> {
        for product in &keys.products {
            if product.get_ref().trim().is_empty() {
                self.wrong(&product.span(), "a product must not be empty: every calendar would have it");
            }
        }
        keys.products.iter().map(|product| product.get_ref().trim().to_lowercase()).collect()
    }

    fn hosts(&mut self, keys: &FileKeys) -> Vec<String> {
        for host in &keys.hosts {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
            let text = host.get_ref();
            if !text.chars().all(fits) || text.starts_with('.') || !text.contains('.') {
                let problem = format!(
                    "a host is written such as \"example.org\", or \"example.\" for all countries; found \"{text}\""
                );
                self.wrong(&host.span(), problem);
            }
        }
        keys.hosts.iter().map(|host| host.get_ref().clone()).collect()
    }

    fn rule(&mut self, rule: &Spanned<RuleKeys>) -> Option<TextRule> {
        let RuleKeys { field, equals, starts_with, contains, guest, tentative } = rule.get_ref();
        let text = match (equals, starts_with, contains) {
            (Some(text), None, None) => TextMatch::Equals(text.clone()),
            (None, Some(text), None) => TextMatch::StartsWith(text.clone()),
            (None, None, Some(text)) => TextMatch::Contains(text.clone()),
            _ => {
                self.wrong(&rule.span(), "a rule has one of equals, starts_with and contains");
                return None;
            }
        };
        let (TextMatch::Equals(words) | TextMatch::StartsWith(words) | TextMatch::Contains(words)) = &text;
        if words.trim().is_empty() {
            self.wrong(&rule.span(), "the text of a rule must not be empty");
        }
        if *guest && !matches!((&text, field), (TextMatch::StartsWith(_), TextField::Summary)) {
            let problem = "guest needs field = \"summary\" and starts_with: the name is what follows";
            self.wrong(&rule.span(), problem);
        }
        Some(TextRule { field: *field, text, guest: *guest, tentative: *tentative })
    }

    fn checklist(&mut self, keys: &ChecklistKeys) -> Checklist {
        let format = keys.date_format.get_ref();
        // Any date shows whether a format can be written: it fails on what is no part of a date, such as an hour.
        if written(NaiveDate::MIN, format).is_none_or(|text| text == *format) {
            let problem = format!("date_format must be such as \"%d %b %Y\", found \"{format}\"");
            self.wrong(&keys.date_format.span(), problem);
        }
        for (key, steps) in [("create", &keys.create), ("change", &keys.change), ("cancel", &keys.cancel)] {
            if steps.is_empty() {
                self.wrong(&keys.date_format.span(), format!("{key} of the checklist has no steps"));
            }
        }
        Checklist {
            date_format: format.clone(),
            create: self.templates(&keys.create, &[CHECKLIST_NAMES]),
            change: self.templates(&keys.change, &[CHECKLIST_NAMES, CHANGE_NAMES]),
            cancel: self.templates(&keys.cancel, &[CHECKLIST_NAMES]),
            close: self.template(&keys.close, &[CHECKLIST_NAMES]),
            open: self.template(&keys.open, &[CHECKLIST_NAMES]),
        }
    }

    fn templates(&mut self, texts: &[Spanned<String>], known: &[&[&str]]) -> Vec<String> {
        texts.iter().map(|text| self.template(text, known)).collect()
    }

    fn template(&mut self, text: &Spanned<String>, known: &[&[&str]]) -> String {
        if let Some(name) = unknown_name(text.get_ref(), known) {
            let names =
                known.concat().iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ");
            self.wrong(&text.span(), format!("nothing is known of {{{name}}}; known are {names}"));
        }
        text.get_ref().clone()
    }
}
