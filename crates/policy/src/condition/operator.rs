//! Names of condition operators: `[ForAllValues:|ForAnyValue:]base[IfExists]`, case-sensitive.

/// One operator name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) base: Base,
    pub(crate) negated: bool,
    pub(crate) quantifier: Quantifier,
    pub(crate) if_exists: bool,
}

/// The set prefix of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantifier {
    None,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// What is compared, without negation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    IpAddress,
    Arn,
    Null,
}

/// An order relation, request value on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// Whether `left` compared with `right` has this relation.
    pub(crate) fn holds(self, left_to_right: std::cmp::Ordering) -> bool {
        match self {
            Order::Equal => left_to_right.is_eq(),
            Order::Less => left_to_right.is_lt(),
            Order::LessOrEqual => left_to_right.is_le(),
            Order::Greater => left_to_right.is_gt(),
            Order::GreaterOrEqual => left_to_right.is_ge(),
        }
    }

    fn parse(name: &str) -> Option<(Order, bool)> {
        Some(match name {
            "Equals" => (Order::Equal, false),
            "NotEquals" => (Order::Equal, true),
            "LessThan" => (Order::Less, false),
            "LessThanEquals" => (Order::LessOrEqual, false),
            "GreaterThan" => (Order::Greater, false),
            "GreaterThanEquals" => (Order::GreaterOrEqual, false),
            _ => return None,
        })
    }
}

impl Operator {
    /// Reads an operator name; `None` when there is no such operator. `Null` has no `IfExists` form.
    pub(crate) fn parse(name: &str) -> Option<Operator> {
        let (quantifier, rest) = if let Some(rest) = name.strip_prefix("ForAllValues:") {
            (Quantifier::All, rest)
        } else if let Some(rest) = name.strip_prefix("ForAnyValue:") {
            (Quantifier::Any, rest)
        } else {
            (Quantifier::None, name)
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let (base, negated) = match base {
            "StringEquals" => (Base::StringEquals, false),
            "StringNotEquals" => (Base::StringEquals, true),
            "StringEqualsIgnoreCase" => (Base::StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Base::StringEqualsIgnoreCase, true),
            "StringLike" => (Base::StringLike, false),
            "StringNotLike" => (Base::StringLike, true),
            "Bool" => (Base::Bool, false),
            "BinaryEquals" => (Base::Binary, false),
            "IpAddress" => (Base::IpAddress, false),
            "NotIpAddress" => (Base::IpAddress, true),
            "ArnEquals" | "ArnLike" => (Base::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Base::Arn, true),
            "Null" if !if_exists => (Base::Null, false),
            other => {
                if let Some(order) = other.strip_prefix("Numeric") {
                    let (order, negated) = Order::parse(order)?;
                    (Base::Numeric(order), negated)
                } else {
                    let (order, negated) = Order::parse(other.strip_prefix("Date")?)?;
                    (Base::Date(order), negated)
                }
            }
        };
        Some(Operator { base, negated, quantifier, if_exists })
    }

    /// True for the operators whose operands must be dates.
    pub(crate) fn is_date(self) -> bool {
        matches!(self.base, Base::Date(_))
    }

    /// Whether a condition holds when its key is absent (not for `Null`).
    pub(crate) fn holds_without_key(self) -> bool {
        self.if_exists
            || match self.quantifier {
                Quantifier::None => self.negated,
                Quantifier::All => true,
                Quantifier::Any => false,
            }
    }
}
