//! A Hugging Face checkpoint folder: `config.json`, one safetensors file or several with an index, and what comes beside.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::config::{Fields, ModelConfig};
use crate::error::{Error, Result};
use crate::weights::mapped::read_text;
use crate::weights::safetensors::SafetensorsFile;
use crate::weights::unique_map::UniqueMap;

/// The open files of a folder and which of them holds which tensor.
#[derive(Debug)]
pub(crate) struct Shards {
    pub(crate) files: Vec<SafetensorsFile>,
    pub(crate) by_name: HashMap<String, usize>,
}

#[derive(Deserialize)]
struct Index {
    weight_map: UniqueMap<String>,
}

impl Shards {
    /// Opens `single`, or `model.safetensors`, or the files of `model.safetensors.index.json`, in this order.
    pub(crate) fn open(folder: &Path, single: Option<&Path>) -> Result<Self> {
        let model = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        if let Some(path) = single.or(model.exists().then_some(model.as_path())) {
            let file = SafetensorsFile::open(path)?;
            let by_name = file.names().map(|name| (name.to_string(), 0)).collect();
            return Ok(Self { files: vec![file], by_name });
        }
        match read_text(&index)? {
            Some(text) => Self::open_indexed(folder, &index.display().to_string(), &text),
            None => Err(Error::new(format!(
                "{}: has neither model.safetensors nor model.safetensors.index.json; other formats must be converted first",
                folder.display()
            ))),
        }
    }

    fn open_indexed(folder: &Path, name: &str, text: &str) -> Result<Self> {
        let index: Index = serde_json::from_str(text).map_err(|error| Error::new(format!("{name}: {error}")))?;
        let (mut files, mut numbers, mut by_name) = (Vec::new(), HashMap::new(), HashMap::new());
        for (tensor, file) in index.weight_map.0 {
            // Nothing outside of the folder is opened, whatever the index says.
            if file.contains(['/', '\\', ':']) || !file.ends_with(".safetensors") {
                return Err(Error::new(format!(
                    "{name}: weight_map '{tensor}': '{file}' is not a file of this folder"
                )));
            }
            let number = match numbers.get(&file) {
                Some(number) => *number,
                None => {
                    files.push(SafetensorsFile::open(&folder.join(&file))?);
                    numbers.insert(file.clone(), files.len() - 1);
                    files.len() - 1
                }
            };
            if !files[number].has(&tensor) {
                return Err(Error::new(format!("{name}: weight_map '{tensor}': {file} has no such tensor")));
            }
            by_name.insert(tensor, number);
        }
        Ok(Self { files, by_name })
    }

    /// The files, by their names.
    pub(crate) fn in_name_order(&self) -> impl Iterator<Item = &SafetensorsFile> {
        let mut files: Vec<&SafetensorsFile> = self.files.iter().collect();
        files.sort_by_key(|file| file.name());
        files.into_iter()
    }

    pub(crate) fn file_of(&self, tensor: &str) -> Option<&SafetensorsFile> {
        self.by_name.get(tensor).map(|number| &self.files[*number])
    }
}

/// Reads `config.json`, and from `generation_config.json` the tokens that end a text, which chat models list there.
pub(crate) fn read_config(folder: &Path) -> Result<ModelConfig> {
    let path = folder.join("config.json");
    let name = path.display().to_string();
    let Some(text) = read_text(&path)? else { return Err(Error::new(format!("{name}: is missing"))) };
    let mut config = ModelConfig::from_json(&text, &name)?;
    let path = folder.join("generation_config.json");
    if let Some((name, value)) = read_json(&path)? {
        for id in Fields::of(&value, &name, "")?.token_ids("eos_token_id")? {
            if !config.eos_token_ids.contains(&id) {
                config.eos_token_ids.push(id);
            }
        }
        config.check(&name)?;
    }
    Ok(config)
}

/// The chat template: `chat_template.jinja`, or the one in `tokenizer_config.json`, there alone or named `default`.
pub(crate) fn read_chat_template(folder: &Path) -> Result<Option<String>> {
    if let Some(text) = read_text(&folder.join("chat_template.jinja"))? {
        return Ok(Some(text));
    }
    let Some((name, value)) = read_json(&folder.join("tokenizer_config.json"))? else { return Ok(None) };
    let fields = Fields::of(&value, &name, "")?;
    let Some(Value::Array(templates)) = fields.get("chat_template") else {
        return Ok(fields.text("chat_template")?.map(String::from));
    };
    for template in templates {
        let template = Fields::of(template, &name, "chat_template")?;
        if template.text("name")? == Some("default") {
            return Ok(template.text("template")?.map(String::from));
        }
    }
    Ok(None)
}

fn read_json(path: &Path) -> Result<Option<(String, Value)>> {
    let name = path.display().to_string();
    let Some(text) = read_text(path)? else { return Ok(None) };
    let value = serde_json::from_str(&text).map_err(|error| Error::new(format!("{name}: not valid JSON: {error}")))?;
    Ok(Some((name, value)))
}
