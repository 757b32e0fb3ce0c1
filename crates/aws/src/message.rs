//! AWS's sentences for violated constraints.
//!
//! ECR has a form of its own (ecr.md §1.4), IAM and STS the two generations of the common one (iam.md §2.4).

use crate::constraint::{Constraint, Violation};

/// Pattern of the IAM names that have a sentence of their own.
const NAME_PATTERN: &str = r"[\w+=,.@-]+";

/// ECR's sentence: `Invalid parameter at '<member>' failed to satisfy constraint: '<constraint>'`.
///
/// For doors and rooms that find semantic faults: `ecr_invalid_parameter("PolicyText", "Principal not found")`.
#[must_use]
pub fn ecr_invalid_parameter(member: &str, constraint: &str) -> String {
    format!("Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'")
}

/// Text of an InvalidParameterException for one violation; ECR reports only the first (ecr.md §1.4).
///
/// Confirmed are names, tags, account ids, list members, smallest lengths, largest values and enums; the path of
/// nested members (`tags.1.member.value`) and the phrase for null are those of the other services (unverified).
#[must_use]
pub fn ecr_message(violation: &Violation) -> String {
    let constraint = match &violation.constraint {
        // The one confirmed sample for account ids has no inner quotes, the ones for names and tags have.
        Constraint::Pattern(pattern) if violation.path == "registryId" => {
            format!("must satisfy regular expression {pattern}")
        }
        Constraint::Pattern(pattern) => format!("must satisfy regular expression '{pattern}'"),
        other => phrase(other, true),
    };
    ecr_invalid_parameter(&violation.path, &constraint)
}

/// Text of a ValidationError for all violations of a Query request.
///
/// `with_value` is the older generation that STS uses: it echoes values and lists enum sets. Without it, as IAM
/// answers today, names and paths have sentences of their own, which come when nothing else is wrong.
#[must_use]
pub fn query_message(violations: &[Violation], with_value: bool) -> String {
    let special = |violation: &Violation| if with_value { None } else { special(violation) };
    let plain: Vec<String> = violations
        .iter()
        .filter(|violation| special(violation).is_none())
        .map(|violation| sentence(violation, with_value))
        .collect();
    match plain.len() {
        0 => violations.iter().find_map(special).unwrap_or_default(),
        1 => format!("1 validation error detected: {}", plain.concat()),
        count => format!("{count} validation errors detected: {}", plain.join("; ")),
    }
}

fn sentence(violation: &Violation, with_value: bool) -> String {
    let value = match (&violation.value, with_value) {
        (_, false) => "Value".to_owned(),
        (None, true) => "Value null".to_owned(),
        (Some(value), true) => format!("Value '{value}'"),
    };
    let phrase = phrase(&violation.constraint, with_value);
    format!("{value} at '{}' failed to satisfy constraint: {phrase}", violation.path)
}

fn special(violation: &Violation) -> Option<String> {
    let Constraint::Pattern(pattern) = violation.constraint else { return None };
    let path = &violation.path;
    if pattern == NAME_PATTERN {
        Some(format!(
            "The specified value for {path} is invalid. \
             It must contain only alphanumeric characters and/or the following: +=,.@_-"
        ))
    } else if path == "path" {
        Some(
            "The specified value for path is invalid. \
             It must begin and end with / and contain only alphanumeric characters and/or / characters."
                .to_owned(),
        )
    } else {
        None
    }
}

/// `Member must …`; `list_values` says whether enum sets are listed.
fn phrase(constraint: &Constraint, list_values: bool) -> String {
    match constraint {
        Constraint::NotNull => "Member must not be null".to_owned(),
        Constraint::MinLength(min) => format!("Member must have length greater than or equal to {min}"),
        Constraint::MaxLength(max) => format!("Member must have length less than or equal to {max}"),
        Constraint::MinValue(min) => format!("Member must have value greater than or equal to {min}"),
        Constraint::MaxValue(max) => format!("Member must have value less than or equal to {max}"),
        Constraint::Pattern(pattern) => format!("Member must satisfy regular expression pattern: {pattern}"),
        Constraint::Enum(values) if list_values => {
            format!("Member must satisfy enum value set: [{}]", values.join(", "))
        }
        Constraint::Enum(_) => "Member must satisfy enum value set".to_owned(),
        Constraint::Element(inner) => {
            format!("Member must satisfy constraint: [{}]", phrases(inner, list_values))
        }
        Constraint::MapKey(inner) => {
            format!("Map keys must satisfy constraint: [{}]", phrases(inner, list_values))
        }
        Constraint::MapValue(inner) => {
            format!("Map value must satisfy constraint: [{}]", phrases(inner, list_values))
        }
    }
}

fn phrases(constraints: &[Constraint], list_values: bool) -> String {
    let phrases: Vec<String> = constraints.iter().map(|constraint| phrase(constraint, list_values)).collect();
    phrases.join(", ")
}

#[cfg(test)]
mod tests;
