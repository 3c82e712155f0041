//! Content lines: name, parameters, value.

use super::{LintErrors, Rule, lines::LintLine};

/// A content line, taken apart. Names are in upper case.
pub(super) struct LintProperty {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) parameters: Vec<LintParameter>,
    pub(super) value: String,
}

pub(super) struct LintParameter {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

impl LintProperty {
    /// The first value of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let parameter = self.parameters.iter().find(|parameter| parameter.name == name)?;
        parameter.values.first().map(String::as_str)
    }

    /// The VALUE parameter, in upper case.
    pub(super) fn value_type(&self) -> Option<String> {
        self.parameter("VALUE").map(str::to_ascii_uppercase)
    }
}

/// Those lines that can be taken apart; the others are faults.
pub(super) fn parse(lines: &[LintLine], faults: &mut LintErrors) -> Vec<LintProperty> {
    let mut content = Vec::new();
    for line in lines {
        match take_apart(line) {
            Ok(parsed) => content.push(parsed),
            Err(reason) => faults.add(line.number, Rule::Syntax, reason),
        }
    }
    content
}

fn take_apart(line: &LintLine) -> Result<LintProperty, String> {
    let (name, mut rest) = take_name(&line.text)?;
    let mut parameters: Vec<LintParameter> = Vec::new();
    while let Some(after) = rest.strip_prefix(';') {
        let (parameter, after) = take_parameter(after)?;
        if parameters.iter().any(|other| other.name == parameter.name) {
            return Err(format!("has the parameter {} twice", parameter.name));
        }
        parameters.push(parameter);
        rest = after;
    }
    let value = rest.strip_prefix(':').ok_or("has no colon where its value should begin")?;
    Ok(LintProperty { line: line.number, name, parameters, value: value.to_owned() })
}

fn take_name(text: &str) -> Result<(String, &str), String> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return Err("has an empty name".to_owned());
    }
    Ok((name.to_ascii_uppercase(), rest))
}

fn take_parameter(text: &str) -> Result<(LintParameter, &str), String> {
    let (name, rest) = take_name(text)?;
    let mut rest = rest.strip_prefix('=').ok_or_else(|| format!("the parameter {name} has no value"))?;
    let mut values = Vec::new();
    loop {
        let (value, after) = take_parameter_value(rest, &name)?;
        values.push(value.to_owned());
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok((LintParameter { name, values }, after)),
        }
    }
}

fn take_parameter_value<'t>(text: &'t str, name: &str) -> Result<(&'t str, &'t str), String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, rest) =
            quoted.split_once('"').ok_or_else(|| format!("the quotes of {name} are not closed"))?;
        if !rest.starts_with([';', ':', ',']) {
            return Err(format!("something follows the quotes of {name}"));
        }
        return Ok((value, rest));
    }
    let end = text.find([';', ':', ',']).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    if value.contains('"') {
        return Err(format!("the value of {name} holds a quote"));
    }
    Ok((value, rest))
}
