//! One layer of values, and layers on top of each other.

use anyhow::Result;
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::arrays::{self, joined};
use super::errors;
use crate::config::origin::Origin;

/// The values of one origin.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Whose.
    pub origin: Origin,
    /// As written, with `${VAR}` filled in and `"..."` still in its lists.
    pub values: Dict,
    /// The file's text, for places in it.
    pub text: Option<String>,
}

impl Layer {
    /// What it says at a dotted key.
    fn at(&self, key: &str) -> Option<&Value> {
        let (first, rest) = key.split_once('.').unwrap_or((key, ""));
        let value = self.values.get(first)?;
        if rest.is_empty() { Some(value) } else { value.find_ref(rest) }
    }
}

/// Layers on top of each other; later ones win. What they come to at a key is made of what they say there alone.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// Lowest first, as they were read.
    pub layers: Vec<Layer>,
}

impl Stack {
    /// Puts layers on top. Tables join key by key; lists replace, `"..."` in front stands for the lower elements.
    #[must_use]
    pub fn over(mut self, layers: impl IntoIterator<Item = Layer>) -> Stack {
        self.layers.extend(layers);
        self
    }

    /// The value at a dotted key; everything for an empty one.
    pub fn value(&self, key: &str) -> Option<Value> {
        if key.is_empty() {
            return Some(self.values().into());
        }
        self.layers.iter().filter_map(|layer| layer.at(key)).fold(None, |below, own| Some(joined(below, own)))
    }

    /// All values.
    pub fn values(&self) -> Dict {
        self.layers.iter().map(|layer| &layer.values).fold(Dict::new(), arrays::over)
    }

    /// The keys of the table at a dotted key.
    pub fn keys(&self, table: &str) -> Vec<String> {
        let value = self.value(table);
        value.as_ref().and_then(Value::as_dict).map(|dict| dict.keys().cloned().collect()).unwrap_or_default()
    }

    /// Everything, typed.
    ///
    /// # Errors
    /// A value of the wrong type, with the place where it was said.
    pub fn extract<T: DeserializeOwned>(&self) -> Result<T> {
        Value::from(self.values()).deserialize().map_err(|error| self.wrong(&error))
    }

    /// The value at a dotted key, typed; `None` when no layer says it.
    ///
    /// # Errors
    /// As [`Stack::extract`].
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        match self.value(key) {
            Some(value) => value.deserialize().map(Some).map_err(|error| self.wrong(&error.with_path(key))),
            None => Ok(None),
        }
    }

    /// The layers that say something at a dotted key, lowest first: the last one counts.
    pub fn said(&self, key: &str) -> Vec<(&Origin, Value)> {
        self.layers.iter().filter_map(|layer| Some((&layer.origin, layer.at(key)?.clone()))).collect()
    }

    /// How high the layer is that counts at a dotted key; nothing when none says it.
    pub fn rank(&self, key: &str) -> Option<usize> {
        self.layers.iter().rposition(|layer| layer.at(key).is_some())
    }

    /// `FILE:LINE:COLUMN`, or the origin's name, of the layer that counts at a dotted key.
    pub fn place(&self, key: &str) -> Option<String> {
        let layer = self.layers.iter().rev().find(|layer| layer.at(key).is_some())?;
        let path: Vec<String> = key.split('.').map(str::to_string).collect();
        Some(errors::place(&layer.origin, layer.text.as_deref(), &path, errors::KeyOrValue::Value))
    }

    fn wrong(&self, error: &figment::Error) -> anyhow::Error {
        let key = error.path.join(".");
        match self.layers.iter().rev().find(|layer| layer.at(&key).is_some()) {
            Some(layer) => errors::typed(error, &layer.origin, layer.text.as_deref()).into(),
            None => errors::typed(error, &Origin::BuiltIn("settings".into()), None).into(),
        }
    }
}
