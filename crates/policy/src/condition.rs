//! Conditions: operators, their operands, and what an absent key means (iam.md §3.7).
//!
//! A [`Condition`] is one `operator: { key: values }` pair. All conditions of a statement must hold. Operands are
//! read once at compile time; an operand or request value that an operator cannot read matches nothing, so that
//! the negated form of the operator holds (unverified for the negated forms).
//!
//! Example: `{"ForAllValues:StringLike": {"aws:TagKeys": ["env", "team-*"]}}` is the operator `StringLike` with
//! [`Quantifier::All`], the key `aws:TagKeys` and two operands.

mod decimal;
mod instant;
mod operand;
mod operator;

use crate::context::{Keys, Values, fold};

pub(crate) use instant::Instant;
use operand::{Operand, Value};
pub(crate) use operator::{Operator, Quantifier};

/// One key under one operator.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    operator: Operator,
    key: Box<str>,
    folded: Box<str>,
    operands: Vec<Operand>,
}

impl Condition {
    /// Compiles one key with its values (texts, as normalised by the parser).
    pub(crate) fn compile(operator: Operator, key: &str, values: &[String], variables: bool) -> Condition {
        Condition {
            operator,
            key: key.into(),
            folded: fold(key).into(),
            operands: values.iter().map(|value| Operand::compile(operator.base, value, variables)).collect(),
        }
    }

    /// Whether the condition holds in this context.
    pub(crate) fn holds(&self, context: &dyn Keys) -> bool {
        let present = context.values(&self.folded);
        if self.operator.base == operator::Base::Null {
            let wanted = Value::Text(if present.is_none() { "true" } else { "false" });
            return self.matches(context, wanted);
        }
        let Some(values) = present else {
            return self.operator.holds_without_key();
        };
        let negated = self.operator.negated;
        let single = |value: Value<'_>| self.matches(context, value);
        match values {
            Values::One(value) => self.quantify(&[Value::Text(&value)], negated, single),
            Values::Binary(value) => self.quantify(&[Value::Binary(value)], negated, single),
            Values::Many(values) => {
                let values: Vec<Value<'_>> = values.iter().map(|value| Value::Text(value)).collect();
                self.quantify(&values, negated, single)
            }
        }
    }

    fn quantify(&self, values: &[Value<'_>], negated: bool, single: impl Fn(Value<'_>) -> bool) -> bool {
        let mut values = values.iter();
        match self.operator.quantifier {
            // A plain operator on several values: some value matches; negated, none does (unverified).
            Quantifier::None => values.any(|value| single(*value)) != negated,
            Quantifier::All => values.all(|value| single(*value) != negated),
            Quantifier::Any => values.any(|value| single(*value) != negated),
        }
    }

    /// True when any operand matches, before negation.
    fn matches(&self, context: &dyn Keys, value: Value<'_>) -> bool {
        self.operands.iter().any(|operand| operand.matches(context, value))
    }

    /// The key, as written.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The context keys of the variables in its operands, as written.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.operands.iter().flat_map(Operand::variables)
    }
}

#[cfg(test)]
mod tests;
