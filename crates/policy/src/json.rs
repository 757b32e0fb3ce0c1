//! A small JSON reader (RFC 8259) that keeps what policies need and a generic reader throws away.
//!
//! It keeps the place of every value (simulation reports line and column), the literal text of numbers (`1.50`
//! stays `1.50`), and refuses duplicate member names: two readers that disagree about which of two `Effect`
//! members counts are a way around a policy. Depth is capped, so hostile nesting cannot exhaust the stack.
//!
//! INVARIANT: never panics, never recurses deeper than [`DEPTH`], and takes time linear in the text.

/// Deepest nesting read; a policy never needs more than 6 (iam.md §3.1).
pub(crate) const DEPTH: usize = 16;

/// One value and where it stands, as byte offsets into the text (`end` exclusive).
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A JSON value. Members keep their order; numbers their spelling.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

/// One `"name": value` of an object.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) node: Node,
}

/// Why the text was refused, with the byte offset of the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonError {
    /// No RFC 8259 text.
    Malformed(usize),
    /// The same member name twice in one object.
    Duplicate(usize, String),
    /// Nested deeper than [`DEPTH`].
    Deep(usize),
}

impl JsonError {
    /// Byte offset of the fault.
    pub(crate) fn offset(&self) -> usize {
        match self {
            JsonError::Malformed(offset) | JsonError::Duplicate(offset, _) | JsonError::Deep(offset) => {
                *offset
            }
        }
    }
}

/// Reads one value that fills the whole text.
pub(crate) fn parse(text: &str) -> Result<Node, JsonError> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    let node = reader.value(0)?;
    reader.space();
    if reader.at == text.len() { Ok(node) } else { Err(reader.malformed()) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += 1;
        }
        found
    }

    fn malformed(&self) -> JsonError {
        JsonError::Malformed(self.at)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, JsonError> {
        if depth > DEPTH {
            return Err(JsonError::Deep(self.at));
        }
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => Value::Object(self.object(depth)?),
            Some(b'[') => Value::Array(self.array(depth)?),
            Some(b'"') => Value::String(self.string()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            _ => Value::Number(self.number()?),
        };
        Ok(Node { value, start, end: self.at })
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        let found = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if !found {
            return Err(self.malformed());
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Member>, JsonError> {
        self.at += 1;
        let mut members: Vec<Member> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        self.space();
        if self.take(b'}') {
            return Ok(members);
        }
        loop {
            self.space();
            let place = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.malformed());
            }
            let name = self.string()?;
            if !seen.insert(name.clone()) {
                return Err(JsonError::Duplicate(place, name));
            }
            self.space();
            if !self.take(b':') {
                return Err(self.malformed());
            }
            self.space();
            members.push(Member { name, node: self.value(depth + 1)? });
            self.space();
            if self.take(b'}') {
                return Ok(members);
            }
            if !self.take(b',') {
                return Err(self.malformed());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Node>, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(items);
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take(b']') {
                return Ok(items);
            }
            if !self.take(b',') {
                return Err(self.malformed());
            }
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let before = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == before { Err(self.malformed()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        self.take(b'-');
        // RFC 8259 allows no leading zero: after `0` comes a fraction, an exponent or the end.
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        self.text.get(start..self.at).map(str::to_owned).ok_or_else(|| self.malformed())
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            text.push_str(self.text.get(start..self.at).ok_or_else(|| self.malformed())?);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return Err(self.malformed()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let letter = self.peek().ok_or_else(|| self.malformed())?;
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(self.malformed()),
        })
    }

    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.four()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !(self.take(b'\\') && self.take(b'u')) {
                return Err(self.malformed());
            }
            let second = self.four()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.malformed());
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        // A lone low surrogate is no character: there is no faithful text for it, so the document is refused.
        char::from_u32(code).ok_or_else(|| self.malformed())
    }

    fn four(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at..self.at + 4).ok_or_else(|| self.malformed())?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.malformed());
        }
        let code = u32::from_str_radix(digits, 16).map_err(|_| self.malformed())?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::{DEPTH, JsonError, Value, parse};

    #[test]
    fn keeps_places_numbers_and_escapes() {
        let node = parse(" {\"a\\u00e9\\ud83d\\ude00\": [1.50, -0e1, true, null]} ").unwrap();
        assert_eq!((node.start, node.end), (1, 50));
        let Value::Object(members) = node.value else { panic!("an object") };
        assert_eq!(members[0].name, "aé😀");
        let Value::Array(items) = &members[0].node.value else { panic!("an array") };
        assert!(matches!(&items[0].value, Value::Number(text) if text == "1.50"));
        assert!(matches!(&items[1].value, Value::Number(text) if text == "-0e1"));
    }

    #[test]
    fn refuses_what_is_not_plain_json() {
        for text in [
            "",
            "\u{feff}{}",
            "{} x",
            "{a:1}",
            "{\"a\":1,}",
            "[1,]",
            "01",
            "1.",
            ".5",
            "+1",
            "nul",
            "'a'",
            "\"a",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\n\"",
            "// c",
            "NaN",
            "[",
            "{\"a\"",
            "\"\\u00é\"",
        ] {
            assert!(matches!(parse(text), Err(JsonError::Malformed(_))), "{text:?}");
        }
        assert_eq!(parse("{\"a\":1,\"\\u0061\":2}").unwrap_err(), JsonError::Duplicate(7, "a".into()));
    }

    #[test]
    fn caps_the_depth() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(DEPTH + 1)).is_ok());
        assert!(matches!(parse(&nested(DEPTH + 2)), Err(JsonError::Deep(_))));
        assert!(matches!(parse(&"[".repeat(100_000)), Err(JsonError::Deep(_))));
    }
}
