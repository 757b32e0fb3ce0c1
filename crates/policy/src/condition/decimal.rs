//! Decimal numbers of any size, compared exactly: `0.1` equals `0.10`, and no rounding decides an access.

use std::cmp::Ordering;

/// A decimal number: `0.d1d2d3… × 10^exponent`, with its sign.
///
/// INVARIANT: `digits` has no leading and no trailing zeros; zero has no digits, no sign and exponent 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    exponent: i64,
    digits: Vec<u8>,
}

impl Decimal {
    /// Reads `-12.50`, `+3`, `.5`, `1e3`; `None` for anything else, also for surrounding space.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i32>().ok()?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !all_digits || (whole.is_empty() && fraction.is_empty()) {
            return None;
        }
        let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let leading = digits.iter().take_while(|digit| **digit == b'0').count();
        digits.drain(..leading);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return Some(Decimal { negative: false, exponent: 0, digits });
        }
        let exponent = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()? + i64::from(power);
        Some(Decimal { negative, exponent, digits })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let sign = |number: &Decimal| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let magnitude = || self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => magnitude(),
            _ => magnitude().reverse(),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn orders_numbers_exactly() {
        let ascending =
            ["-1e3", "-10.5", "-10", "-0.1", "0", "1e-400", "0.09", ".1", "1.50", "9", "10", "1e2", "101"];
        for (left, right) in ascending.iter().zip(&ascending[1..]) {
            assert!(Decimal::parse(left).unwrap() < Decimal::parse(right).unwrap(), "{left} < {right}");
        }
        for (left, right) in [("0.1", "0.10"), ("-0", "+0.0"), ("100", "1e2"), ("007", "7"), ("1.", "1")] {
            assert_eq!(Decimal::parse(left).unwrap(), Decimal::parse(right).unwrap());
        }
        assert!(Decimal::parse("18446744073709551617") > Decimal::parse("18446744073709551616"));
    }

    #[test]
    fn refuses_everything_else() {
        for text in
            ["", "-", ".", "abc", "1x", " 1", "1e", "0x1", "1_0", "１", "NaN", "inf", "--1", "1e99999999999"]
        {
            assert!(Decimal::parse(text).is_none(), "{text:?}");
        }
    }
}
