//! LoRA adapters as PEFT stores them: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::config::{Fields, MAX_COUNT, Parameter, ParameterKind};
use crate::error::{Error, Result};
use crate::weights::atomic::write_atomically;
use crate::weights::mapped::read_text;
use crate::weights::numbers::Dtype;
use crate::weights::safetensors::SafetensorsFile;
use crate::weights::save::write_parameters;

pub(crate) const CONFIG: &str = "adapter_config.json";
pub(crate) const WEIGHTS: &str = "adapter_model.safetensors";

/// What PEFT puts before a parameter's name.
const PREFIX: &str = "base_model.model.";

/// The scalar head, which PEFT stores among the "modules to save".
const VALUE_HEAD: &str = "score.weight";

/// A LoRA adapter: `y = W x + (alpha / rank) B A x`.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    pub rank: usize,
    pub alpha: f32,
    /// Last parts of the adapted modules' names (`q_proj`, ...), sorted.
    pub target_modules: Vec<String>,
    /// Sorted by name.
    pub tensors: Vec<AdapterTensor>,
}

/// A [rank, inputs], B [outputs, rank], or the scalar head [1, hidden].
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterTensor {
    /// `model.layers.0.self_attn.q_proj.lora_A.weight`, `....lora_B.weight`, or `score.weight`.
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// The model that an adapter was trained on, as the adapter's folder names it.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterBase {
    /// A short name, a hub name or a path; empty where none is named.
    pub name: String,
    /// The hub's revision, where one is given apart from the name.
    pub revision: Option<String>,
}

/// What `adapter_config.json` says.
struct Settings {
    rank: usize,
    alpha: f64,
    base: AdapterBase,
    /// Names of the adapted modules, where they are listed rather than given as a pattern.
    listed: Vec<String>,
}

/// Names the base of an adapter's folder, before any weight of either is read.
///
/// # Errors
/// As `read_adapter`, of the options and of a weight file that is missing or has a damaged header.
pub fn read_adapter_base(folder: &Path) -> Result<AdapterBase> {
    let settings = read_settings(folder)?;
    SafetensorsFile::open(&folder.join(WEIGHTS))?;
    Ok(settings.base)
}

/// Reads an adapter's folder.
///
/// # Errors
/// Names the file and the option that is not supported (DoRA, rsLoRA, rank patterns, biases, ...) or the damaged tensor.
pub fn read_adapter(folder: &Path) -> Result<Adapter> {
    let Settings { rank, alpha, listed, .. } = read_settings(folder)?;
    let path = folder.join(WEIGHTS);
    let file = SafetensorsFile::open(&path)?;
    let path = path.display().to_string();
    let mut tensors = Vec::new();
    for full in file.names() {
        tensors.push(read_tensor(&file, full, rank, &path)?);
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    check_pairs(&tensors, &path)?;
    let targets: BTreeSet<&str> = tensors.iter().filter_map(|tensor| module_of(&tensor.name)).collect();
    if targets.is_empty() {
        return Err(Error::new(format!("{path}: has no lora_A and lora_B tensors")));
    }
    // PEFT lists modules by their names or by any end of them that begins after a dot.
    let last = |name: &str| name.rsplit('.').next().map(String::from).unwrap_or_default();
    if let Some(absent) = listed.iter().find(|name| !targets.contains(last(name).as_str())) {
        return Err(Error::new(format!("{path}: has no tensor of '{absent}', which target_modules of {CONFIG} lists")));
    }
    let target_modules = targets.into_iter().map(String::from).collect();
    Ok(Adapter { rank, alpha: alpha as f32, target_modules, tensors })
}

fn read_settings(folder: &Path) -> Result<Settings> {
    let path = folder.join(CONFIG);
    let name = path.display().to_string();
    let Some(text) = read_text(&path)? else { return Err(Error::new(format!("{name}: is missing"))) };
    let value = serde_json::from_str(&text).map_err(|error| Error::new(format!("{name}: not valid JSON: {error}")))?;
    let fields = Fields::of(&value, &name, "")?;
    refuse_unsupported(&fields)?;
    let rank = fields.required("r", fields.count("r")?)?;
    if rank == 0 || rank > MAX_COUNT {
        return Err(fields.error("r", &format!("is {rank}; it must be 1 to {MAX_COUNT}")));
    }
    let alpha = fields.required("lora_alpha", fields.number("lora_alpha")?)?;
    if !(alpha > 0.0 && alpha <= 1e6) {
        return Err(fields.error("lora_alpha", &format!("is {alpha}; it must be above 0 and at most 1e6")));
    }
    let listed = match fields.get("target_modules") {
        Some(Value::String(_)) | None => Vec::new(),
        Some(_) => fields.texts("target_modules")?.unwrap_or_default().into_iter().map(String::from).collect(),
    };
    let base = AdapterBase {
        name: fields.text("base_model_name_or_path")?.unwrap_or_default().into(),
        revision: fields.text("revision")?.map(String::from),
    };
    Ok(Settings { rank, alpha, base, listed })
}

/// Writes an adapter's folder, in a form that PEFT loads; `base` is the base model's name or path.
///
/// # Errors
/// A tensor whose shape does not fit its values, or a failure of the disk.
pub fn write_adapter(folder: &Path, adapter: &Adapter, base: &str, dtype: Dtype) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::new(format!("{}: cannot be made: {error}", folder.display())))?;
    let parameter = |tensor: &AdapterTensor| Parameter {
        name: format!("{PREFIX}{}", tensor.name),
        shape: tensor.shape.clone(),
        kind: ParameterKind::Linear,
    };
    let parameters: Vec<Parameter> = adapter.tensors.iter().map(parameter).collect();
    let mut tensors = adapter.tensors.iter();
    write_parameters(&folder.join(WEIGHTS), &parameters, dtype, |_| {
        Ok(tensors.next().map_or(Vec::new(), |tensor| tensor.values.clone()))
    })?;
    let has_head = adapter.tensors.iter().any(|tensor| tensor.name == VALUE_HEAD);
    let config = json!({
        "peft_type": "LORA",
        "task_type": if has_head { "SEQ_CLS" } else { "CAUSAL_LM" },
        "base_model_name_or_path": base,
        "r": adapter.rank,
        "lora_alpha": adapter.alpha,
        "lora_dropout": 0.0,
        "target_modules": adapter.target_modules,
        "modules_to_save": if has_head { json!(["score"]) } else { json!(null) },
        "bias": "none",
        "fan_in_fan_out": false,
        "use_rslora": false,
        "use_dora": false,
        "inference_mode": true,
    });
    let path = folder.join(CONFIG);
    let text = serde_json::to_string_pretty(&config).expect("strings and numbers are always JSON") + "\n";
    write_atomically(&path, |output| {
        let fail = |error| Error::new(format!("{}: cannot be written: {error}", path.display()));
        output.write_all(text.as_bytes()).map_err(fail)
    })
}

fn refuse_unsupported(fields: &Fields) -> Result<()> {
    let refuse = |name: &str, problem: &str| Err(fields.error(name, problem));
    match fields.text("peft_type")? {
        Some("LORA") => {}
        Some(other) => return refuse("peft_type", &format!("is \"{other}\"; only LORA is supported")),
        None => return refuse("peft_type", "is missing; only LORA is supported"),
    }
    for name in ["use_rslora", "use_dora", "use_qalora", "use_bdlora", "fan_in_fan_out", "lora_bias"] {
        if fields.flag(name)? == Some(true) {
            return refuse(name, "is true; it is not supported");
        }
    }
    for name in ["layer_replication", "trainable_token_indices", "target_parameters", "alora_invocation_tokens"] {
        if fields.get(name).is_some() {
            return refuse(name, "is set; it is not supported");
        }
    }
    for name in ["rank_pattern", "alpha_pattern"] {
        if fields.object(name)?.is_some_and(|pattern| pattern.names().next().is_some()) {
            return refuse(name, "is set; one rank and one alpha for all modules is supported");
        }
    }
    if fields.text("bias")?.is_some_and(|bias| bias != "none") {
        return refuse("bias", "is not none; trained biases are not supported");
    }
    if let Some(Value::String(start)) = fields.get("init_lora_weights")
        && ["pissa", "olora", "corda", "loftq", "lora_ga"].iter().any(|kind| start.starts_with(kind))
    {
        return refuse("init_lora_weights", &format!("is '{start}', which changes the base; it is not supported"));
    }
    match fields.texts("modules_to_save")? {
        Some(modules) if modules.iter().any(|module| *module != "score") => {
            refuse("modules_to_save", "is set; only score, the scalar head, is supported")
        }
        _ => Ok(()),
    }
}

fn read_tensor(file: &SafetensorsFile, full: &str, rank: usize, path: &str) -> Result<AdapterTensor> {
    let fail = |problem: &str| Err(Error::new(format!("{path}: tensor '{full}' {problem}")));
    let Some(name) = full.strip_prefix(PREFIX) else { return fail("does not begin with base_model.model.") };
    let shape = file.shape(full)?.to_vec();
    let ranked = match (shape.as_slice(), name) {
        ([_, _], VALUE_HEAD) => true,
        ([rows, _], _) if name.ends_with(".lora_A.weight") => *rows == rank,
        ([_, columns], _) if name.ends_with(".lora_B.weight") => *columns == rank,
        ([_, _], _) => return fail("is neither a lora_A, a lora_B nor the scalar head"),
        _ => return fail("is not a matrix"),
    };
    if !ranked {
        return fail(&format!("has shape {shape:?}, which does not fit rank {rank}"));
    }
    Ok(AdapterTensor { name: name.into(), shape, values: file.read_f32(full)? })
}

/// Every A has its B, and every B its A.
fn check_pairs(tensors: &[AdapterTensor], path: &str) -> Result<()> {
    let names: BTreeSet<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    for name in &names {
        let partner = match (name.strip_suffix("lora_A.weight"), name.strip_suffix("lora_B.weight")) {
            (Some(module), _) => format!("{module}lora_B.weight"),
            (_, Some(module)) => format!("{module}lora_A.weight"),
            _ => continue,
        };
        if !names.contains(partner.as_str()) {
            return Err(Error::new(format!("{path}: tensor '{PREFIX}{partner}' is missing")));
        }
    }
    Ok(())
}

/// `q_proj` of `model.layers.0.self_attn.q_proj.lora_A.weight`.
fn module_of(name: &str) -> Option<&str> {
    name.split_once(".lora_").and_then(|(module, _)| module.rsplit('.').next())
}
