//! How ECR prints a policy: Jackson's pretty style (ecr.md §6.1).
//!
//! Two spaces per object, `"key" : value`, lists on one line, objects in lists opened as `[ {`. Members keep
//! their order and strings their spelling, so the print of a print is the same text.
//!
//! ```text
//! {"Version":"2012-10-17","Statement":[{"Effect":"Allow"}]}
//! ```
//! becomes
//! ```text
//! {
//!   "Version" : "2012-10-17",
//!   "Statement" : [ {
//!     "Effect" : "Allow"
//!   } ]
//! }
//! ```

/// Prints a JSON text, which must be valid, in that style.
pub(super) fn pretty(text: &str) -> String {
    let mut out = Printer { text: String::with_capacity(text.len() * 2), open: Vec::new(), is_empty: false };
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\n' | '\r' => {}
            '{' | '[' => out.open(letter),
            '}' | ']' => out.close(letter),
            ',' => out.separate(),
            ':' => out.text.push_str(" : "),
            '"' => {
                out.begin_value();
                out.text.push('"');
                copy_string(&mut letters, &mut out.text);
            }
            other => {
                // A number or a literal; only its first letter follows an opening bracket.
                out.begin_value();
                out.text.push(other);
            }
        }
    }
    out.text
}

/// Copies the rest of a string literal, closing quote included.
fn copy_string(letters: &mut std::str::Chars<'_>, out: &mut String) {
    while let Some(letter) = letters.next() {
        out.push(letter);
        match letter {
            '"' => return,
            '\\' => out.extend(letters.next()),
            _ => {}
        }
    }
}

struct Printer {
    text: String,
    /// The brackets that are open.
    open: Vec<char>,
    /// Whether the innermost bracket holds nothing so far.
    is_empty: bool,
}

impl Printer {
    fn open(&mut self, bracket: char) {
        self.begin_value();
        self.text.push(bracket);
        self.open.push(bracket);
        self.is_empty = true;
    }

    /// What stands between an opening bracket and its first content.
    fn begin_value(&mut self) {
        if std::mem::take(&mut self.is_empty) {
            self.space();
        }
    }

    fn separate(&mut self) {
        self.text.push(',');
        self.space();
    }

    /// A new line in an object, a space in a list.
    fn space(&mut self) {
        if self.open.last() == Some(&'{') {
            self.new_line();
        } else {
            self.text.push(' ');
        }
    }

    fn new_line(&mut self) {
        self.text.push('\n');
        // Lists do not indent.
        for _ in self.open.iter().filter(|bracket| **bracket == '{') {
            self.text.push_str("  ");
        }
    }

    fn close(&mut self, bracket: char) {
        let was_empty = std::mem::take(&mut self.is_empty);
        self.open.pop();
        if bracket == '}' && !was_empty {
            self.new_line();
        } else {
            self.text.push(' ');
        }
        self.text.push(bracket);
    }
}

#[cfg(test)]
mod tests {
    use super::pretty;

    #[test]
    fn prints_as_ecr_does() {
        let text = r#"{"Version":"2008-10-17","Statement":[{"Sid":"a \" , } b","Effect":"Allow",
            "Principal":{"AWS":["arn:aws:iam::1:root","*"]},"Action":[ "ecr:GetImage" ],"Condition":{}},
            {"n":[1,-2.5e3,true,null],"empty":[]}]}"#;
        let expected = "\
{
  \"Version\" : \"2008-10-17\",
  \"Statement\" : [ {
    \"Sid\" : \"a \\\" , } b\",
    \"Effect\" : \"Allow\",
    \"Principal\" : {
      \"AWS\" : [ \"arn:aws:iam::1:root\", \"*\" ]
    },
    \"Action\" : [ \"ecr:GetImage\" ],
    \"Condition\" : { }
  }, {
    \"n\" : [ 1, -2.5e3, true, null ],
    \"empty\" : [ ]
  } ]
}";
        assert_eq!(pretty(text), expected);
        assert_eq!(pretty(expected), expected);
    }

    proptest::proptest! {
        #[test]
        fn keeps_the_value_and_never_panics(text in ".{0,200}") {
            let printed = pretty(&text);
            let before = serde_json::from_str::<serde_json::Value>(&text);
            let after = serde_json::from_str::<serde_json::Value>(&printed);
            if let Ok(before) = before {
                proptest::prop_assert_eq!(before, after.unwrap());
            }
        }
    }
}
