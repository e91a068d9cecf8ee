//! Numbers and quantities as values of a search (R4, Search, "number", "quantity").

use std::cmp::Ordering;

use serde_json::Value;

use super::escapes::{split, unescaped};
use super::prefix::{Prefix, unsupported};

/// A decimal number: `digits` times ten to the power of `exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    digits: i128,
    exponent: i32,
}

/// A number to compare with. Equal is what rounds to it: `5.4` is all from 5.35 up to 5.45.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NumberTest {
    prefix: Prefix,
    number: Decimal,
}

/// A quantity to compare with. Units are compared to the letter and never converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QuantityTest {
    number: NumberTest,
    unit: Unit,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Unit {
    /// Any unit, or none.
    Any,
    /// The code or the words for it.
    Named(String),
    /// A code of a system, such as UCUM.
    Coded(String, String),
}

impl Decimal {
    /// The digits and the exponents beyond which nothing is compared.
    const MAX_DIGITS: usize = 30;
    const MAX_EXPONENT: i32 = 30;

    fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let unsigned = number.strip_prefix('-').unwrap_or(number);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (unsigned, ""),
        };
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let sound = !whole.is_empty() && is_number(whole) && is_number(fraction);
        if !sound || whole.len() + fraction.len() > Self::MAX_DIGITS {
            return None;
        }
        let digits: i128 = [whole, fraction].concat().parse().ok()?;
        let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
        let digits = if number.starts_with('-') { -digits } else { digits };
        (-Self::MAX_EXPONENT..=Self::MAX_EXPONENT)
            .contains(&exponent)
            .then_some(Self { digits, exponent })
    }

    /// The digits at a smaller exponent, unless they are too many.
    fn at(self, exponent: i32) -> Option<i128> {
        let shift = u32::try_from(self.exponent.checked_sub(exponent)?).ok()?;
        10_i128.checked_pow(shift)?.checked_mul(self.digits)
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        let exponent = self.exponent.min(other.exponent);
        Some(self.at(exponent)?.cmp(&other.at(exponent)?))
    }

    /// The number half a unit of its last digit above or below it.
    fn half_a_unit(self, direction: i128) -> Option<Self> {
        let exponent = self.exponent.checked_sub(1)?;
        let digits = self.at(exponent)?.checked_add(5 * direction)?;
        Some(Self { digits, exponent })
    }
}

impl NumberTest {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (prefix, number) = match Prefix::split(text)? {
            // A number neither starts nor ends.
            (Prefix::StartsAfter, _) => return Err(unsupported("sa")),
            (Prefix::EndsBefore, _) => return Err(unsupported("eb")),
            plain => plain,
        };
        let number = Decimal::parse(number).ok_or_else(|| format!("`{number}` is not a number"))?;
        Ok(Self { prefix, number })
    }

    /// Compares a number.
    pub(super) fn matches(self, element: &Value) -> bool {
        let Value::Number(element) = element else { return false };
        let element = Decimal::parse(&element.to_string());
        element.and_then(|element| self.compare(element)).unwrap_or(false)
    }

    fn compare(self, element: Decimal) -> Option<bool> {
        let order = element.compare(self.number)?;
        let rounds_to_it = || {
            let from = element.compare(self.number.half_a_unit(-1)?)?;
            let to = element.compare(self.number.half_a_unit(1)?)?;
            Some(from.is_ge() && to.is_lt())
        };
        match self.prefix {
            Prefix::Equal => rounds_to_it(),
            Prefix::NotEqual => rounds_to_it().map(|rounds| !rounds),
            // For `gt`, `lt`, `ge` and `le` the precision of the value is ignored (R4, Search, "number").
            Prefix::Greater => Some(order.is_gt()),
            Prefix::Less => Some(order.is_lt()),
            Prefix::GreaterOrEqual => Some(order.is_ge()),
            Prefix::LessOrEqual => Some(order.is_le()),
            Prefix::StartsAfter | Prefix::EndsBefore => None,
        }
    }
}

impl QuantityTest {
    /// Reads `number`, `number|system|code` or `number||code`, still escaped.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let parts = split(text, '|').into_iter().map(unescaped);
        let parts = parts.collect::<Result<Vec<String>, String>>()?;
        let (number, unit) = match parts.as_slice() {
            [number] => (number, Unit::Any),
            [number, system, code] if !code.is_empty() => match system.is_empty() {
                true => (number, Unit::Named(code.clone())),
                false => (number, Unit::Coded(system.clone(), code.clone())),
            },
            _ => return Err(format!("`{text}` is not a quantity")),
        };
        Ok(Self { number: NumberTest::parse(number)?, unit })
    }

    /// Compares a Quantity, or Money. One that is only more or less than its value does not match.
    pub(super) fn matches(&self, element: &Value) -> bool {
        let text = |name: &str| element.get(name).and_then(Value::as_str);
        let has_unit = match &self.unit {
            Unit::Any => true,
            Unit::Named(unit) => {
                [text("code"), text("unit"), text("currency")].contains(&Some(unit))
            }
            Unit::Coded(system, code) => {
                text("system") == Some(system) && text("code") == Some(code)
            }
        };
        let value = element.get("value").filter(|_| element.get("comparator").is_none());
        has_unit && value.is_some_and(|value| self.number.matches(value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(test: &str, element: &Value) -> bool {
        NumberTest::parse(test).unwrap().matches(element)
    }

    #[test]
    fn equal_is_what_rounds_to_it() {
        for test in ["5.4", "eq5.40", "5", "gt5.39", "ge5.4", "le5.4", "lt5.5", "ne5.5", "54e-1"] {
            assert!(number(test, &json!(5.4)), "{test}");
        }
        for test in ["5.5", "5.41", "ne5.4", "ne5", "gt5.4", "lt5.4", "ge5.5", "le5.3", "-5.4"] {
            assert!(!number(test, &json!(5.4)), "{test}");
        }
        assert!(number("100", &json!(100)) && number("100", &json!(99.5)));
        assert!(!number("100", &json!(100.5)) && number("1e2", &json!(100)));
        assert!(number("-1", &json!(-1)) && number("lt0", &json!(-1)));
    }

    #[test]
    fn what_cannot_be_compared_does_not_match() {
        for element in
            [json!("5.4"), json!(null), json!([5.4]), json!({"value": 5.4}), json!(1e300)]
        {
            assert!(!number("ne1", &element), "{element}");
        }
        for text in ["", "x", "5.", ".5", "5.4.3", "1e", "1e99", "ap5", "sa5", "٥", "--1", "+1"] {
            assert!(NumberTest::parse(text).is_err(), "{text}");
        }
        for (digits, expected) in [(30, true), (31, false)] {
            assert_eq!(NumberTest::parse(&"1".repeat(digits)).is_ok(), expected, "{digits}");
        }
    }

    #[test]
    fn units_are_compared_to_the_letter() {
        let ucum = "http://unitsofmeasure.org";
        let element = json!({"value": 5.4, "unit": "millimoles", "system": ucum, "code": "mmol/L"});
        let matches = |test: &str| QuantityTest::parse(test).unwrap().matches(&element);
        for test in
            ["5.4", "5.4||mmol/L", "5.4||millimoles", "gt5|http://unitsofmeasure.org|mmol/L"]
        {
            assert!(matches(test), "{test}");
        }
        for test in [
            "5.4||mg",
            "5.4|http://other.test|mmol/L",
            "5.4|http://unitsofmeasure.org|mg",
            "6||mmol/L",
        ] {
            assert!(!matches(test), "{test}");
        }
        for text in ["5.4|", "5.4|a", "5.4|a|", "5.4|a|b|c", "|a|b", ""] {
            assert!(QuantityTest::parse(text).is_err(), "{text}");
        }
        let less = json!({"value": 5.4, "comparator": "<"});
        assert!(!QuantityTest::parse("5.4").unwrap().matches(&less));
        assert!(
            QuantityTest::parse("20||EUR")
                .unwrap()
                .matches(&json!({"value": 20, "currency": "EUR"}))
        );
    }
}
