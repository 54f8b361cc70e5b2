//! YAML 1.2, and so JSON, as a tree that knows where everything stands.
//!
//! What a list of PATs never needs is refused rather than interpreted: aliases can make a small file large, tags can
//! make one text mean two things, and of two keys with one name a reader sees only the first.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::problem::{Position, Problem, quoted};

/// How deep a manifest may nest. Its own form needs five levels.
const DEEPEST: usize = 16;

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) at: Position,
    /// What it is.
    pub(super) value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A scalar.
    Scalar {
        /// Its text, without quotes and escapes.
        text: String,
        /// Whether it stands without quotes, and so could be a number, a boolean or nothing.
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order in which it is written.
    Map(Vec<Pair>),
    /// What has been refused already: an alias.
    Refused,
}

/// One key of a mapping and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// Where the key stands.
    pub(super) at: Position,
    /// The key.
    pub(super) key: String,
    /// Its value.
    pub(super) node: Node,
}

/// Reads one document, as far as it can be read as a tree; beside it, everything that is wrong with its form.
pub(super) fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    let mut reader = Reader { parser: Parser::new_from_str(text), problems: Vec::new() };
    let document = reader.document();
    let Reader { mut problems, .. } = reader;
    match document {
        Ok(document) => (Some(document), problems),
        Err(last) => {
            problems.push(last);
            (None, problems)
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Node, Problem> {
        let (mut event, mut span) = self.next()?;
        while matches!(event, Event::Nothing | Event::StreamStart | Event::DocumentStart(_)) {
            (event, span) = self.next()?;
        }
        if matches!(event, Event::StreamEnd | Event::DocumentEnd) {
            return Err(empty(position(&span.start)));
        }
        let document = self.node(event, &span, 0)?;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(document),
                Event::DocumentStart(_) => {
                    let at = position(&span.start);
                    let what = "A second document begins here";
                    self.problems.push(Problem::new(at, what, "keep one document in a manifest"));
                    return Ok(document);
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(unreadable(&error)),
            None => Ok((Event::StreamEnd, Span::empty(Marker::new(0, 1, 0)))),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, Problem> {
        let at = position(&span.start);
        if depth > DEEPEST {
            let what = "The manifest nests too deeply";
            return Err(Problem::new(at, what, "write a mapping with version and a list of pats"));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_decoration(at, anchor, tag.is_some());
                Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_decoration(at, anchor, tag.is_some());
                Value::List(self.list(depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_decoration(at, anchor, tag.is_some());
                Value::Map(self.map(depth)?)
            }
            Event::Alias(_) => {
                self.refuse_alias(at);
                Value::Refused
            }
            _ => return Err(Problem::new(at, "A value is missing here", "give it one")),
        };
        Ok(Node { at, value })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(list),
                (event, span) => list.push(self.node(event, &span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Pair>, Problem> {
        let mut pairs: Vec<Pair> = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(pairs);
            }
            let key = self.node(event, &span, depth + 1)?;
            let (event, span) = self.next()?;
            let node = self.node(event, &span, depth + 1)?;
            let at = key.at;
            let Value::Scalar { text: key, .. } = key.value else {
                if key.value != Value::Refused {
                    let what = "A key is a word, not a list or a mapping";
                    self.problems.push(Problem::new(at, what, "write 'key: value'"));
                }
                continue;
            };
            match lines.entry(key.clone()) {
                Entry::Vacant(new) => {
                    new.insert(at.line);
                    pairs.push(Pair { at, key, node });
                }
                Entry::Occupied(first) => {
                    let what = format!("{} stands twice, first on line {}", quoted(&key), first.get());
                    self.problems.push(Problem::new(at, what, "keep one of them"));
                }
            }
        }
    }

    fn refuse_decoration(&mut self, at: Position, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.refuse_alias(at);
        }
        if tagged {
            let what = "A manifest has no tags ('!...')";
            self.problems.push(Problem::new(at, what, "write the value without one"));
        }
    }

    fn refuse_alias(&mut self, at: Position) {
        let what = "A manifest has no anchors and aliases ('&', '*')";
        let remedy = "put a text in quotes that begins with one, and use defaults for what entries share";
        self.problems.push(Problem::new(at, what, remedy));
    }
}

fn empty(at: Position) -> Problem {
    Problem::new(at, "The manifest is empty", "write version, and a list of pats")
}

/// What a person did, for the parser's words that say it in terms of its own; and what to do about it.
const SLIPS: [(&str, &str, &str); 11] = [
    ("tab", "A tab stands where YAML wants spaces", "indent with spaces"),
    (
        "mapping values are not allowed",
        "A colon and a space stand where no key can",
        "put the text in quotes, or check the indentation",
    ),
    (
        "illegal placement of ':'",
        "A colon stands where no key can, after a bracket that is not closed",
        "close the bracket, or put the text in quotes",
    ),
    ("found unexpected end of stream", "A quotation mark is never closed", "close it"),
    (
        "invalid trailing content",
        "Something follows a closing quotation mark",
        "put a comma or a line break between, or the whole text in quotes",
    ),
    (
        "unknown escape character",
        "A backslash escapes nothing that YAML knows",
        "use single quotes, or write \\\\",
    ),
    ("expected ',' or ']'", "A list in brackets is not closed, or lacks a comma", "write [one, two]"),
    (
        "expected ',' or '}'",
        "A mapping in braces is not closed, or lacks a comma",
        "write {key: value, key: value}",
    ),
    (
        "simple key expect",
        "A line is neither 'key: value' nor an entry of a list",
        "add the colon and a space, or check the indentation",
    ),
    (
        "expected key",
        "The indentation does not fit what stands above",
        "indent the keys of one mapping alike",
    ),
    (
        "expected '-' indicator",
        "The indentation does not fit the list above",
        "begin each entry with '- ', as far to the right as the first",
    ),
];

/// The parser's own words say what it expected, in terms of YAML's grammar. What it found may be a secret, and it
/// repeats none of it but a single character.
fn unreadable(error: &ScanError) -> Problem {
    let at = position(error.marker());
    let info = error.info();
    match SLIPS.iter().find(|(words, ..)| info.contains(words)) {
        Some((_, what, remedy)) => Problem::new(at, *what, *remedy),
        None => {
            let remedy = "check the quotes, the colons and the indentation there";
            Problem::new(at, format!("The manifest is not YAML from here on ({info})"), remedy)
        }
    }
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}
