//! Size accounting for the policy quotas of iam.md §2.7.

/// Counts the characters of a policy that the quotas count: all but JSON whitespace outside strings.
///
/// In: policy text, valid JSON or not. Out: number of characters (not bytes).
/// AWS leaves whitespace out of the size quotas; a client that indents its policy is not punished for it.
///
/// ```
/// assert_eq!(policy::compact_size("{ \"Id\" : \"a b\" }\n"), 12);
/// ```
pub fn compact_size(text: &str) -> usize {
    let mut inside = false;
    let mut escaped = false;
    let mut counted: usize = 0;
    for letter in text.chars() {
        if inside {
            counted += 1;
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => inside = false,
                _ => {}
            }
        } else if !matches!(letter, ' ' | '\t' | '\n' | '\r') {
            counted += 1;
            inside = letter == '"';
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::compact_size;

    #[test]
    fn counts_characters_outside_of_layout() {
        assert_eq!(compact_size(""), 0);
        assert_eq!(compact_size(" \t\r\n"), 0);
        assert_eq!(compact_size(r#"{"a": "x \" y"}"#), r#"{"a":"x \" y"}"#.len());
        assert_eq!(compact_size(r#"{"a": "\\" }"#), r#"{"a":"\\"}"#.len());
        assert_eq!(compact_size("\"ä\""), 3);
    }
}
