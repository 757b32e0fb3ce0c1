//! The trimmed service models as `trim.py` writes them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// One service.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub metadata: Metadata,
    pub operations: BTreeMap<String, Operation>,
    pub pagination: BTreeMap<String, Pagination>,
    pub shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub protocol: String,
    pub target_prefix: Option<String>,
    pub xml_namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub input: Option<String>,
    pub output: Option<String>,
    pub errors: Vec<String>,
    #[serde(default)]
    pub unsigned: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pagination {
    pub input_token: String,
    pub output_token: String,
    pub limit_key: Option<String>,
    pub more_results: Option<String>,
    pub result_key: Results,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub enum Results {
    One(String),
    Many(Vec<String>),
}

impl Results {
    pub fn list(&self) -> Vec<&str> {
        match self {
            Results::One(one) => vec![one],
            Results::Many(many) => many.iter().map(String::as_str).collect(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: String,
    pub min: Option<i64>,
    pub max: Option<i64>,
    pub pattern: Option<String>,
    #[serde(rename = "enum")]
    pub values: Option<Vec<String>>,
    #[serde(default)]
    pub sensitive: bool,
    #[serde(default)]
    pub union: bool,
    #[serde(default)]
    pub exception: bool,
    #[serde(default)]
    pub fault: bool,
    pub error: Option<WireError>,
    pub members: Option<Vec<Member>>,
    pub member: Option<String>,
    pub key: Option<String>,
    pub value: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WireError {
    pub code: String,
    pub http_status_code: u16,
    #[serde(default)]
    pub sender_fault: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub name: String,
    pub shape: String,
    pub required: bool,
}

impl Model {
    /// Every named shape is there, none contains itself, every kind has its parts.
    pub fn validate(&self) -> Result<()> {
        for (name, shape) in &self.shapes {
            for inner in shape.parts() {
                self.shape(inner).with_context(|| format!("shape {name}"))?;
            }
            let mut inside = BTreeSet::new();
            for part in shape.parts() {
                self.collect(part, &mut inside);
            }
            ensure!(!inside.contains(name), "shape {name} contains itself: structs would need a box");
        }
        for (name, operation) in &self.operations {
            for shape in operation.input.iter().chain(&operation.output).chain(&operation.errors) {
                self.shape(shape).with_context(|| format!("operation {name}"))?;
            }
        }
        Ok(())
    }

    pub fn shape(&self, name: &str) -> Result<&Shape> {
        self.shapes.get(name).with_context(|| format!("no shape {name}"))
    }

    /// Names of all shapes that requests, or responses, are made of.
    pub fn reachable(&self, root: impl Fn(&Operation) -> Option<&String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for name in self.operations.values().filter_map(root) {
            self.collect(name, &mut found);
        }
        found
    }

    fn collect(&self, name: &str, found: &mut BTreeSet<String>) {
        if found.insert(name.to_owned())
            && let Some(shape) = self.shapes.get(name)
        {
            for part in shape.parts() {
                self.collect(part, found);
            }
        }
    }
}

impl Shape {
    pub fn members(&self) -> &[Member] {
        self.members.as_deref().unwrap_or_default()
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        let members = self.members().iter().map(|member| &member.shape);
        members.chain(&self.member).chain(&self.key).chain(&self.value).map(String::as_str)
    }
}

/// Whether a shape is a secret: as marked, and those that the models forget (the registry password, session
/// tokens).
pub fn is_sensitive(name: &str, shape: &Shape) -> bool {
    shape.sensitive || ["Base64", "tokenType"].contains(&name)
}

/// Members that are secret although their shape is not: whoever has the presigned URL has the layer.
pub fn is_sensitive_member(structure: &str, member: &str) -> bool {
    (structure, member) == ("GetDownloadUrlForLayerResponse", "downloadUrl")
}
