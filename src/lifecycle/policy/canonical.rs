//! The one text that stands for a policy: compact, members in the service's order (ecr.md §5.7).
//!
//! Written by hand because a JSON map would sort the members by name.

use std::fmt::{self, Write};

use serde_json::Value;

use super::{Action, Count, Rule, Selection, StorageClass, TagList, TagSelection};

/// `{"rules":[…]}` with the rules in the given order.
pub(super) fn text(rules: &[Rule]) -> String {
    let mut text = String::from("{\"rules\":[");
    for (index, rule) in rules.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        // Writing into a String cannot fail.
        let _ = write_rule(&mut text, rule);
    }
    text.push_str("]}");
    text
}

fn write_rule(text: &mut String, rule: &Rule) -> fmt::Result {
    write!(text, "{{\"rulePriority\":{}", rule.priority)?;
    if let Some(description) = &rule.description {
        write!(text, ",\"description\":{}", Value::from(description.as_str()))?;
    }
    text.push_str(",\"selection\":");
    write_selection(text, &rule.selection)?;
    text.push_str(match rule.action {
        Action::Expire => ",\"action\":{\"type\":\"expire\"}}",
        Action::TransitionToArchive => {
            ",\"action\":{\"type\":\"transition\",\"targetStorageClass\":\"archive\"}}"
        }
    });
    Ok(())
}

fn write_selection(text: &mut String, selection: &Selection) -> fmt::Result {
    match &selection.tags {
        TagSelection::Untagged => text.push_str("{\"tagStatus\":\"untagged\""),
        TagSelection::Any => text.push_str("{\"tagStatus\":\"any\""),
        TagSelection::Tagged(TagList::Patterns(patterns)) => {
            write!(text, "{{\"tagStatus\":\"tagged\",\"tagPatternList\":{}", array(patterns))?;
        }
        TagSelection::Tagged(TagList::Prefixes(prefixes)) => {
            write!(text, "{{\"tagStatus\":\"tagged\",\"tagPrefixList\":{}", array(prefixes))?;
        }
    }
    text.push_str(match selection.stated_storage_class {
        None => "",
        Some(StorageClass::Standard) => ",\"storageClass\":\"standard\"",
        Some(StorageClass::Archive) => ",\"storageClass\":\"archive\"",
    });
    let (count, number) = match selection.count {
        Count::ImageCountMoreThan(number) => ("\"imageCountMoreThan\"", number),
        Count::SinceImagePushed(days) => ("\"sinceImagePushed\",\"countUnit\":\"days\"", days),
        Count::SinceImagePulled(days) => ("\"sinceImagePulled\",\"countUnit\":\"days\"", days),
        Count::SinceImageTransitioned(days) => ("\"sinceImageTransitioned\",\"countUnit\":\"days\"", days),
    };
    write!(text, ",\"countType\":{count},\"countNumber\":{number}}}")
}

fn array(texts: &[String]) -> Value {
    Value::from_iter(texts.iter().map(String::as_str))
}
