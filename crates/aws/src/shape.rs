//! The static schema of the services: what every generated shape accepts and how it travels.
//!
//! One [`Shape`] per shape of a service model, in statics that the generator writes; the decoders, the encoder
//! and the constraint checks walk them. Example: ECR's `MaxResults` is
//! `Shape { name: "MaxResults", sensitive: false, kind: Kind::Integer { min: Some(1), max: Some(1000) } }`.

use crate::pattern::Pattern;

/// One shape of a service model.
#[derive(Debug)]
pub struct Shape {
    /// Name in the model, such as `RepositoryName`.
    pub name: &'static str,
    /// The value is a secret: never echoed in messages, redacted in `Debug`.
    pub sensitive: bool,
    /// Type and constraints.
    pub kind: Kind,
}

/// Type of a shape with the constraints of the model; bounds are inclusive, lengths count as said.
#[derive(Debug)]
pub enum Kind {
    /// Named members, in the model's order (XML is written in it).
    Structure(&'static [Member]),
    /// List; lengths count elements. On the Query wire `Name.member.N`, in XML `<member>`.
    List {
        /// Shape of every element.
        member: &'static Shape,
        /// Smallest number of elements.
        min: Option<u32>,
        /// Largest number of elements.
        max: Option<u32>,
    },
    /// Map with text keys; lengths count entries. On the Query wire `Name.entry.N.key`/`value`.
    Map {
        /// Shape of the keys, always text.
        key: &'static Shape,
        /// Shape of the values.
        value: &'static Shape,
        /// Largest number of entries.
        max: Option<u32>,
    },
    /// Text; lengths count Unicode scalar values (Smithy specification, "length trait").
    Text {
        /// Smallest length.
        min: Option<u32>,
        /// Largest length.
        max: Option<u32>,
        /// Pattern that the whole value must match.
        pattern: Option<&'static Pattern>,
        /// Allowed values in the order in which AWS prints them; empty when the shape is no enum.
        values: &'static [&'static str],
    },
    /// Whole number of 32 bits.
    Integer {
        /// Smallest value.
        min: Option<i64>,
        /// Largest value.
        max: Option<i64>,
    },
    /// Whole number of 64 bits.
    Long {
        /// Smallest value.
        min: Option<i64>,
        /// Largest value.
        max: Option<i64>,
    },
    /// Floating point number.
    Double,
    /// `true` or `false`.
    Boolean,
    /// Point in time: JSON epoch seconds, XML ISO 8601.
    Timestamp,
    /// Bytes, base64 on the wire; lengths count decoded bytes.
    Blob {
        /// Smallest number of bytes.
        min: Option<u32>,
        /// Largest number of bytes.
        max: Option<u32>,
    },
}

/// Member of a structure.
#[derive(Debug)]
pub struct Member {
    /// Name on the wire, such as `repositoryName` (ECR) or `UserName` (IAM).
    pub name: &'static str,
    /// The model demands it. In responses the flag is informative only.
    pub required: bool,
    /// Shape of the value.
    pub shape: &'static Shape,
}

impl Shape {
    /// Member of a structure by its wire name; `None` for other kinds and unknown names.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'static Member> {
        self.members().iter().find(|member| member.name == name)
    }

    /// Members of a structure in the model's order; empty for other kinds.
    #[must_use]
    pub fn members(&self) -> &'static [Member] {
        match self.kind {
            Kind::Structure(members) => members,
            _ => &[],
        }
    }
}
