//! Just enough of a Rust scanner for the rules: tokens with their lines, and the paths that a file names.
//!
//! Comments vanish, string literals keep their text, everything else becomes words and signs. The scanner never
//! fails: an unknown sign is passed on as it is, because the compiler judges syntax, not tidy.

/// What a token is; strings carry their text without quotes, escapes unresolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Word(String),
    Text(String),
    PathSeparator,
    Sign(char),
}

/// One token and the line, counted from 1, on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub line: usize,
}

impl Token {
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::Word(found) if found == word)
    }

    pub fn is_sign(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

/// Splits Rust source into tokens.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut scanner = Scanner { characters: source.chars().collect(), position: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(token) = scanner.next_token() {
        found.push(token);
    }
    found
}

struct Scanner {
    characters: Vec<char>,
    position: usize,
    line: usize,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.position + ahead).copied()
    }

    fn advance(&mut self) -> Option<char> {
        let character = self.peek(0)?;
        self.position += 1;
        self.line += usize::from(character == '\n');
        Some(character)
    }

    fn next_token(&mut self) -> Option<Token> {
        loop {
            match (self.peek(0)?, self.peek(1)) {
                (blank, _) if blank.is_whitespace() => {
                    self.advance();
                }
                ('/', Some('/')) => {
                    while self.peek(0).is_some_and(|character| character != '\n') {
                        self.advance();
                    }
                }
                ('/', Some('*')) => self.block_comment(),
                _ => break,
            }
        }
        let line = self.line;
        let kind = match self.advance()? {
            ':' if self.peek(0) == Some(':') => {
                self.advance();
                Kind::PathSeparator
            }
            '"' => Kind::Text(self.text_until_quote()),
            '\'' => self.character_or_lifetime(),
            first if first.is_alphanumeric() || first == '_' => self.word_or_prefixed_text(first),
            sign => Kind::Sign(sign),
        };
        Some(Token { kind, line })
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => return,
                _ => {
                    self.advance();
                    continue;
                }
            }
            self.advance();
            self.advance();
            if depth == 0 {
                return;
            }
        }
    }

    fn text_until_quote(&mut self) -> String {
        let mut text = String::new();
        while let Some(character) = self.advance() {
            match character {
                '"' => break,
                '\\' => text.extend(self.advance()),
                other => text.push(other),
            }
        }
        text
    }

    /// `'a'` and `'\n'` are characters, `'a` is a lifetime; neither matters, but `'"'` must not open a string.
    fn character_or_lifetime(&mut self) -> Kind {
        if self.peek(0) == Some('\\') {
            self.advance();
            self.advance();
            while self.advance().is_some_and(|character| character != '\'') {}
        } else if self.peek(1) == Some('\'') {
            self.advance();
            self.advance();
        }
        Kind::Sign('\'')
    }

    /// A word; or, after `r`, `b`, `br` or `c`, the string that the prefix belongs to.
    fn word_or_prefixed_text(&mut self, first: char) -> Kind {
        let mut word = String::from(first);
        while let Some(character) =
            self.peek(0).filter(|character| character.is_alphanumeric() || *character == '_')
        {
            word.push(character);
            self.advance();
        }
        let is_raw = matches!(word.as_str(), "r" | "br" | "cr");
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        if is_raw && self.peek(hashes) == Some('"') {
            for _ in 0..=hashes {
                self.advance();
            }
            return Kind::Text(self.raw_text(hashes));
        }
        if matches!(word.as_str(), "b" | "c") && self.peek(0) == Some('"') {
            self.advance();
            return Kind::Text(self.text_until_quote());
        }
        Kind::Word(word)
    }

    fn raw_text(&mut self, hashes: usize) -> String {
        let mut text = String::new();
        while let Some(character) = self.advance() {
            if character == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                for _ in 0..hashes {
                    self.advance();
                }
                break;
            }
            text.push(character);
        }
        text
    }
}

/// A path that begins at the crate's root, for example `["catalog", "tag", "list"]`, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct RootedPath {
    pub segments: Vec<String>,
    pub line: usize,
}

/// Every path of the file that begins with `crate`, `self` or `super`, with groups written out.
///
/// `module` is the file's own module path (`["catalog", "tag"]` for `src/catalog/tag.rs`), against which `self`
/// and `super` are resolved, also inside `mod name { … }`.
pub fn rooted_paths(tokens: &[Token], module: &[String]) -> Vec<RootedPath> {
    let mut found = Vec::new();
    let mut module = module.to_vec();
    // One entry per open brace: whether it belongs to an inline module, which lengthens the module path.
    let mut braces: Vec<bool> = Vec::new();
    let mut position = 0;
    while let Some(token) = tokens.get(position) {
        let follows_separator = position
            .checked_sub(1)
            .and_then(|before| tokens.get(before))
            .is_some_and(|before| before.kind == Kind::PathSeparator);
        match &token.kind {
            Kind::Word(word)
                if word == "mod" && tokens.get(position + 2).is_some_and(|next| next.is_sign('{')) =>
            {
                if let Some(Token { kind: Kind::Word(name), .. }) = tokens.get(position + 1) {
                    module.push(name.clone());
                    braces.push(true);
                    position += 2;
                }
            }
            Kind::Word(word)
                if !follows_separator
                    && matches!(word.as_str(), "crate" | "self" | "super")
                    && tokens.get(position + 1).is_some_and(|next| next.kind == Kind::PathSeparator) =>
            {
                let base = base_of(word, &module);
                position = branch(tokens, position + 2, base, &mut found);
                continue;
            }
            Kind::Sign('{') => braces.push(false),
            Kind::Sign('}') => {
                let leaves_module = braces.pop().unwrap_or(false);
                let parents = module.len() - usize::from(leaves_module);
                module.truncate(parents);
            }
            _ => {}
        }
        position += 1;
    }
    found
}

fn base_of(word: &str, module: &[String]) -> Vec<String> {
    match word {
        "crate" => Vec::new(),
        "super" => module.split_last().map(|(_, parents)| parents.to_vec()).unwrap_or_default(),
        _ => module.to_vec(),
    }
}

/// Reads what follows `base::` at `position`: one path or a group of them. Returns the position behind it.
fn branch(
    tokens: &[Token],
    mut position: usize,
    mut base: Vec<String>,
    found: &mut Vec<RootedPath>,
) -> usize {
    let line = tokens.get(position).map_or(0, |token| token.line);
    loop {
        match tokens.get(position).map(|token| &token.kind) {
            Some(Kind::Sign('{')) => return group(tokens, position + 1, &base, found),
            Some(Kind::Word(word)) if word == "super" => {
                base.pop();
            }
            Some(Kind::Word(word)) if word == "self" => {}
            Some(Kind::Word(word)) => base.push(word.clone()),
            Some(Kind::Sign('*')) => base.push("*".to_owned()),
            _ => {
                found.push(RootedPath { segments: base, line });
                return position;
            }
        }
        position += 1;
        if tokens.get(position).is_some_and(|token| token.kind == Kind::PathSeparator) {
            position += 1;
        } else {
            found.push(RootedPath { segments: base, line });
            return position;
        }
    }
}

fn group(tokens: &[Token], mut position: usize, base: &[String], found: &mut Vec<RootedPath>) -> usize {
    while let Some(token) = tokens.get(position) {
        match &token.kind {
            Kind::Sign('}') => return position + 1,
            Kind::Word(word) if word == "as" => position += 2,
            Kind::Word(_) | Kind::Sign('*') | Kind::Sign('{') => {
                position = branch(tokens, position, base.to_vec(), found)
            }
            _ => position += 1,
        }
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(module: &[&str], source: &str) -> Vec<String> {
        let module: Vec<String> = module.iter().map(|part| (*part).to_owned()).collect();
        rooted_paths(&tokens(source), &module).into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn groups_are_written_out_and_renames_ignored() {
        let source = "use crate::{catalog::{self, tag::list as l}, store as s, api::*};\nlet x = crate::server::run(1);";
        assert_eq!(paths(&[], source), ["catalog", "catalog::tag::list", "store", "api::*", "server::run"]);
    }

    #[test]
    fn super_is_resolved_also_inside_inline_modules() {
        let source = "use super::super::api::x; mod tests { use super::y; use super::super::z; } fn f() { super::w() }";
        assert_eq!(
            paths(&["catalog", "tag"], source),
            ["api::x", "catalog::tag::y", "catalog::z", "catalog::w"]
        );
    }

    #[test]
    fn comments_strings_and_characters_name_nothing() {
        let source = "// crate::a\n/* crate::b /* crate::c */ crate::d */ let s = \"crate::e\"; let q = '\"'; let r = r#\"crate::f\"\"#; fn g<'a>() { crate::h() }";
        assert_eq!(paths(&[], source), ["h"]);
    }

    #[test]
    fn lines_are_counted() {
        let found = rooted_paths(&tokens("\n\n\"two\nlines\"\ncrate::a;"), &[]);
        assert_eq!(found, [RootedPath { segments: vec!["a".to_owned()], line: 5 }]);
    }

    #[test]
    fn visibility_is_not_a_path() {
        assert!(paths(&["catalog"], "pub(crate) fn a() {} pub(super) struct B;").is_empty());
    }
}
