//! The glob matcher: pieces against a text, without backtracking.
//!
//! It carries the set of positions that the pieces so far can have reached and advances it piece by piece.
//! A crossing star makes that set "everything from here on", of which only the first position matters, so a
//! literal after it is found by one search. Stars that may not cross a colon need the general set.

/// One piece of a compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// These characters.
    Literal(Box<str>),
    /// Any one character.
    One,
    /// Any run of characters, also none.
    Any,
    /// Any one character but `:`, for `?` in the first five parts of an ARN.
    OneInPart,
    /// Any run without `:`, for `*` in the first five parts of an ARN.
    AnyInPart,
}

/// Positions (byte offsets on character borders) that the pieces so far can end at.
enum Reached {
    /// Exactly here.
    At(usize),
    /// Here and everywhere behind.
    From(usize),
    /// At these, ascending, at least one.
    Set(Vec<usize>),
}

/// True when the pieces cover the whole text.
pub(crate) fn matches(pieces: &[Piece], text: &str) -> bool {
    // What nearly every entry of an `Action` is.
    if let [Piece::Literal(literal)] = pieces {
        return **literal == *text;
    }
    // Nothing to find in a text that is shorter than the characters which must be there.
    if least_length(pieces) > text.len() {
        return false;
    }
    let mut reached = Reached::At(0);
    let mut rest = pieces.iter().peekable();
    while let Some(piece) = rest.next() {
        let advanced = match piece {
            Piece::Literal(literal) => match (reached, rest.peek()) {
                // Behind a crossing star, with another one or nothing to follow, one position decides.
                (Reached::From(start), Some(Piece::Any)) => find(text, start, literal).map(Reached::At),
                (Reached::From(start), None) => ends(text, start, literal).then_some(Reached::At(text.len())),
                (other, _) => advance(other, text, |at| follow(text, at, literal)),
            },
            Piece::One => advance(reached, text, |at| step(text, at, false)),
            Piece::OneInPart => advance(reached, text, |at| step(text, at, true)),
            Piece::Any => Some(Reached::From(first(&reached))),
            Piece::AnyInPart => Some(spread(reached, text)),
        };
        match advanced {
            Some(next) => reached = next,
            None => return false,
        }
    }
    match reached {
        Reached::At(at) => at == text.len(),
        Reached::From(at) => at <= text.len(),
        Reached::Set(set) => set.last() == Some(&text.len()),
    }
}

/// Bytes that the literals and single characters need at least.
fn least_length(pieces: &[Piece]) -> usize {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(literal) => literal.len(),
            Piece::One | Piece::OneInPart => 1,
            Piece::Any | Piece::AnyInPart => 0,
        })
        .sum()
}

fn first(reached: &Reached) -> usize {
    match reached {
        Reached::At(at) | Reached::From(at) => *at,
        Reached::Set(set) => set.first().copied().unwrap_or(usize::MAX),
    }
}

fn follow(text: &str, at: usize, literal: &str) -> Option<usize> {
    text.get(at..).filter(|rest| rest.starts_with(literal)).map(|_| at + literal.len())
}

fn find(text: &str, start: usize, literal: &str) -> Option<usize> {
    text.get(start..).and_then(|rest| rest.find(literal)).map(|offset| start + offset + literal.len())
}

fn ends(text: &str, start: usize, literal: &str) -> bool {
    text.get(start..).is_some_and(|rest| rest.ends_with(literal))
}

/// The position behind one character, unless there is none or it is a `:` that may not be crossed.
fn step(text: &str, at: usize, stay_in_part: bool) -> Option<usize> {
    let letter = text.get(at..)?.chars().next()?;
    (!(stay_in_part && letter == ':')).then(|| at + letter.len_utf8())
}

/// Moves every reached position by `move_one`; `None` when none survives.
fn advance(reached: Reached, text: &str, move_one: impl Fn(usize) -> Option<usize>) -> Option<Reached> {
    let set: Vec<usize> = match reached {
        Reached::At(at) => return move_one(at).map(Reached::At),
        Reached::From(start) => {
            let borders = text.get(start..)?.char_indices().map(|(offset, _)| start + offset);
            borders.chain([text.len()]).filter_map(move_one).collect()
        }
        Reached::Set(set) => set.into_iter().filter_map(move_one).collect(),
    };
    if set.is_empty() { None } else { Some(Reached::Set(set)) }
}

/// Lets every reached position run on up to the next colon.
fn spread(reached: Reached, text: &str) -> Reached {
    let starts = match reached {
        Reached::From(start) => return Reached::From(start),
        Reached::At(at) => vec![at],
        Reached::Set(set) => set,
    };
    let mut set: Vec<usize> = Vec::new();
    for start in starts {
        // Positions ascend: what an earlier start has covered need not be walked again.
        let mut at = match set.last() {
            Some(last) if *last >= start => continue,
            _ => start,
        };
        set.push(at);
        while let Some(next) = step(text, at, true) {
            set.push(next);
            at = next;
        }
    }
    Reached::Set(set)
}

#[cfg(test)]
mod tests {
    use super::{Piece, matches};

    fn pieces(pattern: &str) -> Vec<Piece> {
        pattern
            .chars()
            .map(|letter| match letter {
                '*' => Piece::Any,
                '?' => Piece::One,
                '~' => Piece::AnyInPart,
                '!' => Piece::OneInPart,
                other => Piece::Literal(other.to_string().into()),
            })
            .collect()
    }

    #[test]
    fn matches_the_whole_text() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "a:b", true),
            ("a*", "a", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*ab*ab", "ab", false),
            ("*ab*ab", "abab", true),
            ("?", "é", true),
            ("??", "é", false),
            ("*?b", "aab", true),
            ("*?", "", false),
            ("~", "a:b", false),
            ("~:~", "a:b", true),
            ("a~", "a", true),
            ("~b*", "aab:c", true),
            ("*:~", "a:b:c", true),
            ("*a~b", "a:ab", true),
            ("*a~b", "a:acb:b", false),
            ("!", ":", false),
            ("!", "x", true),
            ("~~a", "bba", true),
        ] {
            assert_eq!(matches(&pieces(pattern), text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let text = "a".repeat(4000);
        assert!(!matches(&pieces(&("*a".repeat(1000) + "b")), &text));
        assert!(!matches(&pieces(&("*?a".repeat(300) + "~b")), &text));
        assert!(!matches(&pieces(&("~a".repeat(300) + "b")), &text));
    }
}
