//! The schema of a policy: from JSON to rules whose every member is well-formed.
//!
//! Goes through the document once and collects faults, parents before children, members in the order of
//! ecr.md §5.1 (the order among several sentences is unverified). Whether count type, unit, storage class
//! and action go together is judged only in a rule without other faults: a missing member should not be
//! reported a second time as a combination that matches nothing.

use serde_json::{Map, Value};

use super::{
    Action, Count, MAX_RULES, MIN_ARCHIVE_DAYS, PolicyError, Rule, SchemaFault, Selection, StorageClass,
    TagList, TagSelection,
};

/// Most faults reported at once: nobody reads more, and a list of 10 000 wrong tags has as many.
const MAX_FAULTS: usize = 20;

const TAG_STATUSES: &[&str] = &["any", "tagged", "untagged"];
const STORAGE_CLASSES: &[&str] = &["archive", "standard"];
const COUNT_TYPES: &[&str] =
    &["imageCountMoreThan", "sinceImagePulled", "sinceImagePushed", "sinceImageTransitioned"];
const COUNT_UNITS: &[&str] = &["days"];
const ACTION_TYPES: &[&str] = &["expire", "transition"];

/// A rule that obeys the schema and whose lists of tags are still to be judged by `constraints`.
#[derive(Debug)]
pub(super) struct DraftRule {
    pub(super) priority: u32,
    description: Option<String>,
    pub(super) tag_status: TagStatus,
    /// Empty when absent: Terraform writes empty lists for absent ones and takes them as equal (ecr.md §5.7).
    pub(super) prefixes: Vec<String>,
    /// As `prefixes`.
    pub(super) patterns: Vec<String>,
    stated_storage_class: Option<StorageClass>,
    count: Count,
    action: Action,
}

/// The three values of `tagStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagStatus {
    Tagged,
    Untagged,
    Any,
}

impl DraftRule {
    pub(super) fn storage_class(&self) -> StorageClass {
        self.stated_storage_class.unwrap_or(StorageClass::Standard)
    }

    /// The rule with its one list of tags, after `constraints` found nothing.
    pub(super) fn finish(self) -> Result<Rule, PolicyError> {
        let tags = match (self.tag_status, self.prefixes.is_empty(), self.patterns.is_empty()) {
            (TagStatus::Untagged, true, true) => TagSelection::Untagged,
            (TagStatus::Any, true, true) => TagSelection::Any,
            (TagStatus::Tagged, false, true) => TagSelection::Tagged(TagList::Prefixes(self.prefixes)),
            (TagStatus::Tagged, true, false) => TagSelection::Tagged(TagList::Patterns(self.patterns)),
            // `constraints` refuses these; a policy must not be made from them if it ever does not.
            _ => return Err(PolicyError::NotAPolicy),
        };
        let selection =
            Selection { tags, stated_storage_class: self.stated_storage_class, count: self.count };
        Ok(Rule { priority: self.priority, description: self.description, selection, action: self.action })
    }
}

/// The rules of a document in its order.
pub(super) fn read(document: &Value) -> Result<Vec<DraftRule>, PolicyError> {
    let mut faults = Faults(Vec::new());
    if !document.is_object() {
        return Err(PolicyError::NotAPolicy);
    }
    let rules = match faults.object(document, &["rules"], &["rules"]).and_then(|map| map.get("rules")) {
        Some(rules) => faults.array(rules),
        None => &[],
    };
    if rules.len() > MAX_RULES {
        faults.add(SchemaFault::TooManyRules { found: rules.len() });
        return Err(PolicyError::Schema(faults.0));
    }
    let drafts: Vec<Option<DraftRule>> = rules.iter().map(|rule| faults.rule(rule)).collect();
    if !faults.0.is_empty() {
        return Err(PolicyError::Schema(faults.0));
    }
    // Without faults a rule is absent only when a number does not fit the service's 32-bit integers.
    drafts.into_iter().collect::<Option<_>>().ok_or(PolicyError::NotAPolicy)
}

/// The faults found so far. Readers give `None` after adding a fault, so that the walk can go on.
struct Faults(Vec<SchemaFault>);

impl Faults {
    fn add(&mut self, fault: SchemaFault) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(fault);
        }
    }

    fn rule(&mut self, value: &Value) -> Option<DraftRule> {
        let before = self.0.len();
        let members = ["rulePriority", "description", "selection", "action"];
        let rule = self.object(value, &members, &["action", "rulePriority", "selection"])?;
        let priority = rule.get("rulePriority").and_then(|value| self.integer(value));
        let description = rule.get("description").and_then(|value| self.string(value));
        let selection = rule.get("selection").and_then(|value| self.selection(value));
        let action = rule.get("action").and_then(|value| self.action(value));
        if self.0.len() > before || self.0.len() >= MAX_FAULTS {
            return None;
        }
        let (selection, action) = (selection?, action?);
        let Some(count) = combination(&selection, &action) else {
            self.add(SchemaFault::NoAlternative);
            return None;
        };
        if let Count::SinceImageTransitioned(days) = count
            && days < MIN_ARCHIVE_DAYS
        {
            self.add(SchemaFault::BelowMinimum { minimum: MIN_ARCHIVE_DAYS, found: days.to_string() });
        }
        Some(DraftRule {
            priority: priority?,
            description: description.map(str::to_owned),
            tag_status: selection.tag_status,
            prefixes: selection.prefixes,
            patterns: selection.patterns,
            stated_storage_class: selection.storage_class,
            count,
            action: if action.transition { Action::TransitionToArchive } else { Action::Expire },
        })
    }

    fn selection<'a>(&mut self, value: &'a Value) -> Option<DraftSelection<'a>> {
        let members = [
            "tagStatus",
            "tagPatternList",
            "tagPrefixList",
            "storageClass",
            "countType",
            "countUnit",
            "countNumber",
        ];
        let selection = self.object(value, &members, &["countNumber", "countType", "tagStatus"])?;
        let tag_status = selection.get("tagStatus").and_then(|value| self.choice(value, TAG_STATUSES));
        let patterns = selection.get("tagPatternList").map(|value| self.strings(value));
        let prefixes = selection.get("tagPrefixList").map(|value| self.strings(value));
        let storage_class =
            selection.get("storageClass").and_then(|value| self.choice(value, STORAGE_CLASSES));
        let count_type = selection.get("countType").and_then(|value| self.choice(value, COUNT_TYPES));
        let unit = selection.get("countUnit").and_then(|value| self.choice(value, COUNT_UNITS));
        let number = selection.get("countNumber").and_then(|value| self.integer(value));
        Some(DraftSelection {
            tag_status: match tag_status? {
                "tagged" => TagStatus::Tagged,
                "untagged" => TagStatus::Untagged,
                _ => TagStatus::Any,
            },
            patterns: patterns.unwrap_or_default(),
            prefixes: prefixes.unwrap_or_default(),
            storage_class: storage_class.map(|name| match name {
                "archive" => StorageClass::Archive,
                _ => StorageClass::Standard,
            }),
            count_type: count_type?,
            has_unit: unit.is_some(),
            number: number?,
        })
    }

    fn action(&mut self, value: &Value) -> Option<DraftAction> {
        let action = self.object(value, &["type", "targetStorageClass"], &["type"])?;
        let transition =
            action.get("type").and_then(|value| self.choice(value, ACTION_TYPES))? == "transition";
        // Whatever is wrong with the target, also its type, is reported as a combination (ecr.md §5.3).
        let target_fits = match action.get("targetStorageClass") {
            None => !transition,
            Some(target) => transition && target == "archive",
        };
        Some(DraftAction { transition, target_fits })
    }

    /// `value` as an object; reports missing and unknown members but gives the object all the same.
    fn object<'a>(
        &mut self,
        value: &'a Value,
        known: &[&str],
        required: &[&'static str],
    ) -> Option<&'a Map<String, Value>> {
        let Value::Object(members) = value else {
            return self.wrong_type(value, "object");
        };
        let missing: Vec<_> = required.iter().copied().filter(|name| !members.contains_key(*name)).collect();
        if !missing.is_empty() {
            self.add(SchemaFault::MissingProperties(missing));
        }
        let names = members.keys().filter(|name| !known.contains(&name.as_str()));
        let mut unknown: Vec<String> = names.cloned().collect();
        if !unknown.is_empty() {
            // serde_json's map is sorted only until some crate in the build turns on `preserve_order`.
            unknown.sort_unstable();
            self.add(SchemaFault::UnknownProperties(unknown));
        }
        Some(members)
    }

    fn array<'a>(&mut self, value: &'a Value) -> &'a [Value] {
        match value {
            Value::Array(elements) => elements,
            _ => self.wrong_type(value, "array").unwrap_or_default(),
        }
    }

    fn strings(&mut self, value: &Value) -> Vec<String> {
        let elements = self.array(value).iter();
        elements.filter_map(|element| self.string(element)).map(str::to_owned).collect()
    }

    fn string<'a>(&mut self, value: &'a Value) -> Option<&'a str> {
        match value {
            Value::String(text) => Some(text),
            _ => self.wrong_type(value, "string"),
        }
    }

    fn choice<'a>(&mut self, value: &'a Value, possible: &'static [&'static str]) -> Option<&'a str> {
        let text = self.string(value)?;
        if possible.contains(&text) {
            return Some(text);
        }
        self.add(SchemaFault::Enumeration { found: text.to_owned(), possible });
        None
    }

    /// An integer from 1 to `i32::MAX`; above that `None` without a fault, see [`read`].
    fn integer(&mut self, value: &Value) -> Option<u32> {
        let Value::Number(number) = value else {
            return self.wrong_type(value, "integer");
        };
        if number.is_f64() {
            return self.wrong_type(value, "integer");
        }
        if number.as_u64().unwrap_or(0) < 1 {
            self.add(SchemaFault::BelowMinimum { minimum: 1, found: number.to_string() });
            return None;
        }
        let number = i32::try_from(number.as_u64()?).ok()?;
        u32::try_from(number).ok()
    }

    fn wrong_type<T>(&mut self, value: &Value, allowed: &'static str) -> Option<T> {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        self.add(SchemaFault::Type { found, allowed });
        None
    }
}

struct DraftSelection<'a> {
    tag_status: TagStatus,
    prefixes: Vec<String>,
    patterns: Vec<String>,
    storage_class: Option<StorageClass>,
    count_type: &'a str,
    has_unit: bool,
    number: u32,
}

struct DraftAction {
    transition: bool,
    target_fits: bool,
}

/// The count, if type, unit, storage class and action go together (ecr.md §5.1, "Allowed pairs").
fn combination(selection: &DraftSelection<'_>, action: &DraftAction) -> Option<Count> {
    let number = selection.number;
    let count = match selection.count_type {
        "imageCountMoreThan" => Count::ImageCountMoreThan(number),
        "sinceImagePushed" => Count::SinceImagePushed(number),
        "sinceImagePulled" => Count::SinceImagePulled(number),
        _ => Count::SinceImageTransitioned(number),
    };
    let counts_images = matches!(count, Count::ImageCountMoreThan(_));
    let counts_from_archiving = matches!(count, Count::SinceImageTransitioned(_));
    let archived = selection.storage_class == Some(StorageClass::Archive);
    let action_fits = match count {
        Count::SinceImagePulled(_) => action.transition,
        Count::SinceImageTransitioned(_) => !action.transition,
        Count::ImageCountMoreThan(_) | Count::SinceImagePushed(_) => true,
    };
    let fits = action.target_fits
        && action_fits
        && selection.has_unit != counts_images
        && archived == counts_from_archiving;
    fits.then_some(count)
}
