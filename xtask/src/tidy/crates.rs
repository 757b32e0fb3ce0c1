//! Pure crates: no other member and no runtime, network or database package below them.
//!
//! Judged on what cargo resolved, so that a dependency of a dependency counts as well. Packages that only tests
//! or build scripts use do not count: they are not in the product's path.

use super::Breach;
use super::house::{IMPURE_PACKAGES, PURE_CRATES};
use anyhow::{Context, Result};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every forbidden package that a pure crate reaches. Errors: metadata that is not cargo's format 1.
pub fn breaches(metadata: &Value) -> Result<Vec<Breach>> {
    let graph = Graph::read(metadata)?;
    let mut found = Vec::new();
    for pure in PURE_CRATES {
        let id = graph.names.iter().find(|(_, name)| name.as_str() == *pure).map(|(id, _)| id.as_str());
        let id = id.with_context(|| format!("the workspace has no member {pure}"))?;
        for reached in graph.reached_from(id) {
            if IMPURE_PACKAGES.contains(&reached) || graph.members.contains(reached) {
                let what = format!("the pure crate {pure} depends on {reached}");
                found.push(Breach { path: "Cargo.toml".to_owned(), line: 0, what });
            }
        }
    }
    Ok(found)
}

struct Graph {
    /// Package id → name.
    names: BTreeMap<String, String>,
    /// Names of the workspace's own packages.
    members: BTreeSet<String>,
    /// Package id → ids of its normal dependencies.
    edges: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn read(metadata: &Value) -> Result<Graph> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list = |value: &Value| value.as_array().cloned();
        let packages = list(&metadata["packages"]).context("metadata: packages")?;
        let names: BTreeMap<String, String> = packages
            .iter()
            .filter_map(|package| Some((text(&package["id"])?, text(&package["name"])?)))
            .collect();
        let members = list(&metadata["workspace_members"]).context("metadata: workspace_members")?;
        let members = members.iter().filter_map(|id| names.get(id.as_str()?).cloned()).collect();
        let nodes = list(&metadata["resolve"]["nodes"]).context("metadata: resolve.nodes")?;
        let is_normal = |dependency: &Value| {
            list(&dependency["dep_kinds"])
                .is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
        };
        let normal = |node: &Value| {
            let dependencies = list(&node["deps"]).unwrap_or_default();
            dependencies
                .iter()
                .filter(|dependency| is_normal(dependency))
                .filter_map(|dependency| text(&dependency["pkg"]))
                .collect()
        };
        let edges = nodes.iter().filter_map(|node| Some((text(&node["id"])?, normal(node)))).collect();
        Ok(Graph { names, members, edges })
    }

    fn reached_from(&self, start: &str) -> BTreeSet<&str> {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<&str> = vec![start];
        while let Some(id) = waiting.pop() {
            for next in self.edges.get(id).into_iter().flatten() {
                if seen.insert(next) {
                    waiting.push(next);
                }
            }
        }
        seen.into_iter().filter_map(|id| self.names.get(id).map(String::as_str)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The three pure crates, and `longshore-oci` → `middle` → `target` with the last edge of the given kind.
    fn workspace(target: &str, kind: Value) -> Value {
        let node = |id: &str, to: &[(&str, Value)]| {
            let deps: Vec<Value> =
                to.iter().map(|(to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]})).collect();
            json!({"id": id, "deps": deps})
        };
        let package = |name: &str| json!({"id": name, "name": name});
        let packages: Vec<Value> =
            ["longshore-oci", "longshore-policy", "longshore-aws", "middle", target].map(package).to_vec();
        json!({
            "packages": packages,
            "workspace_members": ["longshore-oci", "longshore-policy", "longshore-aws"],
            "resolve": {"nodes": [
                node("longshore-oci", &[("middle", Value::Null)]), node("longshore-policy", &[]),
                node("longshore-aws", &[]), node("middle", &[(target, kind)]),
            ]},
        })
    }

    fn complaints(metadata: &Value) -> Vec<String> {
        breaches(metadata).unwrap().into_iter().map(|breach| breach.what).collect()
    }

    #[test]
    fn an_impure_package_counts_at_any_depth() {
        assert_eq!(
            complaints(&workspace("tokio", Value::Null)),
            ["the pure crate longshore-oci depends on tokio"]
        );
    }

    #[test]
    fn another_member_counts() {
        assert_eq!(complaints(&workspace("longshore-aws", Value::Null)).len(), 1);
    }

    #[test]
    fn what_only_tests_use_does_not_count() {
        assert!(complaints(&workspace("tokio", json!("dev"))).is_empty());
        assert!(complaints(&workspace("serde", Value::Null)).is_empty());
    }
}
