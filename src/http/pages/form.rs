//! A form as it was typed, and what is wrong with it: the page that refuses it shows both.

use std::{borrow::Cow, ops::Deref};

/// A field by its name in the form, and what is wrong with it, in a sentence.
pub(super) type Fault = (&'static str, Cow<'static, str>);

/// What is wrong with a form, in the order in which it is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, field: &'static str, text: impl Into<Cow<'static, str>>) {
        self.0.push((field, text.into()));
    }

    /// What the form means, if nothing is wrong with it.
    pub(crate) fn or<T>(self, meaning: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(meaning) } else { Err(self) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: Into<Cow<'static, str>>> From<(&'static str, S)> for Faults {
    fn from(only: (&'static str, S)) -> Self {
        [only].into_iter().collect()
    }
}

impl<S: Into<Cow<'static, str>>> FromIterator<(&'static str, S)> for Faults {
    fn from_iter<I: IntoIterator<Item = (&'static str, S)>>(all: I) -> Self {
        let mut faults = Self::default();
        faults.extend(all);
        faults
    }
}

impl<S: Into<Cow<'static, str>>> Extend<(&'static str, S)> for Faults {
    fn extend<I: IntoIterator<Item = (&'static str, S)>>(&mut self, more: I) {
        self.0.extend(more.into_iter().map(|(field, text)| (field, text.into())));
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What a page shows in its form, with what is wrong with it.
pub(super) struct Form<T> {
    typed: T,
    faults: Faults,
}

impl<T> Form<T> {
    /// What was typed, to be shown again with what is wrong with it.
    pub(crate) fn refused(typed: T, faults: impl Into<Faults>) -> Self {
        Self { typed, faults: faults.into() }
    }

    /// What is wrong with a field: the first of it.
    pub(crate) fn fault(&self, field: &str) -> Option<&str> {
        self.faults.0.iter().find(|(name, _)| *name == field).map(|(_, text)| &**text)
    }

    pub(crate) fn faults(&self) -> &[Fault] {
        &self.faults.0
    }
}

impl<T> From<T> for Form<T> {
    fn from(typed: T) -> Self {
        Self { typed, faults: Faults::default() }
    }
}

impl<T> Deref for Form<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.typed
    }
}
