//! Operands of conditions, read once, and their comparison with a request value.

use std::net::IpAddr;

use base64::Engine as _;
use ipnet::IpNet;

use super::decimal::Decimal;
use super::instant::Instant;
use super::operator::{Base, Order};
use crate::context::Keys;
use crate::pattern::{ArnOperand, Template, Wildcards};

/// One value of a condition. `None` inside: the text is no value of that kind and matches nothing.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Text(Template),
    Folded(Template),
    Numeric(Order, Option<Decimal>),
    Date(Order, Option<Instant>),
    Bool(Option<bool>),
    Binary(Option<Vec<u8>>),
    Ip(Option<IpNet>),
    Arn(Box<ArnOperand>),
}

/// One value of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl Operand {
    pub(super) fn compile(base: Base, text: &str, variables: bool) -> Operand {
        match base {
            Base::StringEquals => Operand::Text(Template::compile(text, Wildcards::No, variables)),
            Base::StringLike => Operand::Text(Template::compile(text, Wildcards::Yes, variables)),
            Base::StringEqualsIgnoreCase => {
                Operand::Folded(Template::compile(text, Wildcards::No, variables))
            }
            Base::Numeric(order) => Operand::Numeric(order, Decimal::parse(text)),
            Base::Date(order) => Operand::Date(order, Instant::parse(text)),
            Base::Bool | Base::Null => Operand::Bool(boolean(text)),
            Base::Binary => Operand::Binary(base64::engine::general_purpose::STANDARD.decode(text).ok()),
            Base::IpAddress => Operand::Ip(network(text)),
            Base::Arn => Operand::Arn(Box::new(ArnOperand::compile(text, variables))),
        }
    }

    pub(super) fn matches(&self, context: &dyn Keys, value: Value<'_>) -> bool {
        let text = match (self, value) {
            (Operand::Binary(Some(operand)), Value::Binary(bytes)) => return operand == bytes,
            // Only binary values match BinaryEquals, and they match nothing else (unverified, vector 46).
            (Operand::Binary(_), _) | (_, Value::Binary(_)) => return false,
            (_, Value::Text(text)) => text,
        };
        match self {
            Operand::Text(template) => template.matches(context, text),
            Operand::Folded(template) => {
                template.text(context).is_some_and(|operand| operand.to_lowercase() == text.to_lowercase())
            }
            Operand::Numeric(order, operand) => related(*order, Decimal::parse(text), operand.as_ref()),
            Operand::Date(order, operand) => related(*order, Instant::parse(text), operand.as_ref()),
            Operand::Bool(operand) => operand.is_some() && *operand == boolean(text),
            Operand::Ip(operand) => match (operand, text.parse::<IpAddr>()) {
                (Some(operand), Ok(address)) => operand.contains(&address.to_canonical()),
                _ => false,
            },
            Operand::Arn(operand) => operand.matches(context, text),
            Operand::Binary(_) => false,
        }
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        let (template, arn) = match self {
            Operand::Text(template) | Operand::Folded(template) => (Some(template), None),
            Operand::Arn(operand) => (None, Some(operand)),
            _ => (None, None),
        };
        let template = template.into_iter().flat_map(Template::variables);
        template.chain(arn.into_iter().flat_map(|operand| operand.variables()))
    }
}

fn related<T: Ord>(order: Order, value: Option<T>, operand: Option<&T>) -> bool {
    match (value, operand) {
        (Some(value), Some(operand)) => order.holds(value.cmp(operand)),
        _ => false,
    }
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Reads `address` or `address/prefix`; v4-mapped v6 becomes v4, so that `::ffff:10.0.0.1` is inside `10.0.0.0/8`.
fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    match (network.addr().to_canonical(), network) {
        (IpAddr::V4(address), IpNet::V6(mapped)) => {
            let length = mapped.prefix_len().checked_sub(96)?;
            ipnet::Ipv4Net::new(address, length).ok().map(IpNet::V4)
        }
        _ => Some(network),
    }
}
