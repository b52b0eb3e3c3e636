//! A model's files, wherever they come from, as one thing: a configuration, parameters by their Hugging Face names, a
//! tokenizer and a chat template.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::config::{ModelConfig, Parameter};
use crate::error::{Error, Result};
use crate::weights::folder::{Shards, read_chat_template, read_config};
use crate::weights::gguf::GgufModel;
use crate::weights::mapped::{MappedFile, read_text};

/// An open checkpoint. Every parameter of `config` is there with its shape; values are read when asked for.
#[derive(Debug)]
pub struct Checkpoint {
    pub config: ModelConfig,
    /// The text of a Hugging Face `tokenizer.json`; `None` where the folder has none.
    pub tokenizer_json: Option<String>,
    /// A Jinja template from messages to a prompt.
    pub chat_template: Option<String>,
    source: Source,
    /// The folder or file, for errors.
    name: String,
}

#[derive(Debug)]
enum Source {
    Folder(Shards),
    Gguf(Box<GgufModel>),
}

impl Checkpoint {
    /// Opens a Hugging Face folder, a `.safetensors` file with its `config.json` beside it, or a `.gguf` file.
    ///
    /// # Errors
    /// Names the file and the field that is missing, damaged or not supported.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Self::open_folder(path, None);
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gguf") => Self::open_gguf(MappedFile::open(path)?),
            Some("safetensors") => Self::open_folder(path.parent().unwrap_or(Path::new(".")), Some(path)),
            _ if !path.exists() => Err(Error::new(format!("{}: no such file or folder", path.display()))),
            _ => Err(Error::new(format!("{}: is neither a folder, a .gguf nor a .safetensors file", path.display()))),
        }
    }

    fn open_folder(folder: &Path, single: Option<&Path>) -> Result<Self> {
        let checkpoint = Self {
            config: read_config(folder)?,
            tokenizer_json: read_text(&folder.join("tokenizer.json"))?,
            chat_template: read_chat_template(folder)?,
            source: Source::Folder(Shards::open(folder, single)?),
            name: folder.display().to_string(),
        };
        checkpoint.check_parameters()
    }

    pub(crate) fn open_gguf(file: MappedFile) -> Result<Self> {
        let name = file.name().to_string();
        let model = GgufModel::open(file)?;
        let checkpoint = Self {
            config: model.config.clone(),
            tokenizer_json: model.tokenizer_json()?,
            chat_template: model.chat_template()?,
            source: Source::Gguf(Box::new(model)),
            name,
        };
        checkpoint.check_parameters()
    }

    /// Whether there is a tensor of this Hugging Face name.
    pub fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Folder(shards) => shards.by_name.contains_key(name),
            Source::Gguf(model) => model.has(name),
        }
    }

    /// A parameter's values, row-major ([outputs, inputs]), dequantised.
    ///
    /// # Errors
    /// The tensor is missing, has another shape, or is of a type that holds no weights.
    pub fn read_f32(&self, parameter: &Parameter) -> Result<Vec<f32>> {
        self.check_shape(parameter)?;
        match &self.source {
            Source::Folder(shards) => match shards.file_of(&parameter.name) {
                Some(file) => file.read_f32(&parameter.name),
                None => Err(self.missing(&parameter.name)),
            },
            Source::Gguf(model) => model.read_f32(&parameter.name),
        }
    }

    /// SHA-256, in hexadecimal, of the weight file; of several, of their contents one after another by file name.
    pub fn digest(&self) -> Result<String> {
        let mut hash = Sha256::new();
        match &self.source {
            Source::Folder(shards) => shards.in_name_order().for_each(|file| hash.update(file.bytes())),
            Source::Gguf(model) => hash.update(model.bytes()),
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Everything the model needs is there, and nothing of its layers is there that it would leave out.
    fn check_parameters(self) -> Result<Self> {
        let parameters = self.config.parameters();
        for parameter in &parameters {
            self.check_shape(parameter)?;
        }
        let known: std::collections::HashSet<&str> = parameters.iter().map(|p| p.name.as_str()).collect();
        let extra = self.names().into_iter().find(|name| {
            name.starts_with("model.") && !known.contains(name.as_str()) && !name.ends_with("rotary_emb.inv_freq")
        });
        match extra {
            None => Ok(self),
            Some(name) => {
                let file = &self.name;
                Err(Error::new(format!("{file}: tensor '{name}' is none of the {:?} model's", self.config.family)))
            }
        }
    }

    fn names(&self) -> Vec<String> {
        match &self.source {
            Source::Folder(shards) => shards.by_name.keys().cloned().collect(),
            Source::Gguf(model) => model.names().map(String::from).collect(),
        }
    }

    fn check_shape(&self, parameter: &Parameter) -> Result<()> {
        let shape = match &self.source {
            Source::Folder(shards) => match shards.file_of(&parameter.name) {
                Some(file) => Some(file.shape(&parameter.name)?.to_vec()),
                None => None,
            },
            Source::Gguf(model) => model.shape(&parameter.name),
        };
        let Some(shape) = shape else { return Err(self.missing(&parameter.name)) };
        if shape != parameter.shape {
            let (file, name, wanted) = (&self.name, &parameter.name, &parameter.shape);
            return Err(Error::new(format!(
                "{file}: tensor '{name}' has shape {shape:?}; the configuration asks for {wanted:?}"
            )));
        }
        Ok(())
    }

    fn missing(&self, name: &str) -> Error {
        Error::new(format!("{}: tensor '{name}' is missing", self.name))
    }
}
