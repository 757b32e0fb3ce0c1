//! Constants for the values of enum shapes; the struct fields themselves are text.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::{Result, ensure};

use super::{model::Model, name};

/// Text of `enums.rs`: one module per enum shape with a constant per value.
pub fn generate(model: &Model) -> Result<String> {
    let mut text = String::from("//! Values of the enums, in the model's order.\n\n");
    for (shape, values) in
        model.shapes.iter().filter_map(|(name, shape)| Some((name, shape.values.as_ref()?)))
    {
        writeln!(text, "/// Values of `{shape}`.\npub mod {} {{", name::snake(shape))?;
        let mut names = BTreeSet::new();
        for value in values {
            let constant = name::constant(value);
            ensure!(names.insert(constant.clone()), "enum {shape}: two values become {constant}");
            writeln!(text, "/// `{value}`\npub const {constant}: &str = {value:?};")?;
        }
        text.push_str("}\n\n");
    }
    Ok(text)
}

/// The order in which AWS prints an enum set: that of a Java `HashSet` of the names.
///
/// Confirmed by ECR's `[IMMUTABLE, MUTABLE, …]` (ecr.md §1.4), which is neither the model's order nor sorted.
pub fn printed_order(values: &[String]) -> Vec<&str> {
    let mut buckets = 16_u32;
    while f64::from(buckets) * 0.75 < values.len() as f64 {
        buckets *= 2;
    }
    let mut ordered: Vec<&str> = values.iter().map(String::as_str).collect();
    ordered.sort_by_key(|value| {
        let hash = value
            .encode_utf16()
            .fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
        (hash ^ (hash >> 16)) & (buckets - 1)
    });
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_order_is_that_of_the_confirmed_sample() {
        let values = ["MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"];
        let ordered = printed_order(&values.map(str::to_owned)).join(", ");
        assert!(ordered.starts_with("IMMUTABLE, MUTABLE, "), "{ordered}");
    }
}
