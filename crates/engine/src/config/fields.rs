//! Typed reading of a JSON object whose errors name the file and the field.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// An object within a JSON file, and where it lies.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    file: &'a str,
    /// The object's path in the file with a trailing dot, or empty at the top.
    path: String,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(value: &'a Value, file: &'a str, path: &str) -> Result<Self> {
        let Some(object) = value.as_object() else {
            let what = if path.is_empty() { "the file" } else { path };
            return Err(Error::new(format!("{file}: {what} must be a JSON object, it is {}", brief(value))));
        };
        let path = if path.is_empty() { String::new() } else { format!("{path}.") };
        Ok(Self { object, file, path })
    }

    /// The field's value; a null is as good as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &'a String> {
        self.object.keys()
    }

    /// An error about a field: what it is and what it should be.
    pub(crate) fn error(&self, name: &str, problem: &str) -> Error {
        Error::new(format!("{}: {}{name} {problem}", self.file, self.path))
    }

    fn wrong(&self, name: &str, value: &Value, wanted: &str) -> Error {
        self.error(name, &format!("is {}; it must be {wanted}", brief(value)))
    }

    fn read<T>(&self, name: &str, wanted: &str, convert: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        convert(value).map(Some).ok_or_else(|| self.wrong(name, value, wanted))
    }

    pub(crate) fn count(&self, name: &str) -> Result<Option<usize>> {
        self.read(name, "a whole number of at least 0", |value| value.as_u64().and_then(|n| usize::try_from(n).ok()))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>> {
        self.read(name, "a number", |value| value.as_f64().filter(|n| n.is_finite()))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>> {
        self.read(name, "a string", Value::as_str)
    }

    pub(crate) fn list(&self, name: &str) -> Result<Option<&'a Vec<Value>>> {
        self.read(name, "a list", Value::as_array)
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<&'a str>>> {
        self.read(name, "a list of strings", |value| value.as_array()?.iter().map(Value::as_str).collect())
    }

    /// A token id or a list of them; no ids where the field is absent.
    pub(crate) fn token_ids(&self, name: &str) -> Result<Vec<u32>> {
        let id = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok());
        let ids = self.read(name, "a token id or a list of token ids", |value| match value {
            Value::Array(values) => values.iter().map(id).collect::<Option<Vec<u32>>>(),
            single => id(single).map(|id| vec![id]),
        })?;
        Ok(ids.unwrap_or_default())
    }

    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.error(name, "is missing"))
    }

    /// The named object, if there is one.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Fields<'a>>> {
        let path = format!("{}{name}", self.path);
        self.get(name).map(|value| Fields::of(value, self.file, &path)).transpose()
    }
}

/// A value in an error message, short whatever the file holds.
fn brief(value: &Value) -> String {
    let text = match value {
        Value::Array(items) => return format!("a list of {} items", items.len()),
        Value::Object(_) => return "an object".into(),
        other => other.to_string(),
    };
    if text.chars().count() <= 60 { text } else { format!("{}...", text.chars().take(60).collect::<String>()) }
}
