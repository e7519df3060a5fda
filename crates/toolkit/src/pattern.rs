//! Tool patterns: how configuration and command line name the tools to offer (`users`,
//! `users.getUser`, `getUser`, `*`). A name that means nothing is an error, never an empty list.

use std::fmt;

use thiserror::Error;

use crate::text::escape_str;

/// How many edits away a name may be to be suggested.
const NEAR: usize = 2;

/// Why patterns could not be read, or select nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// No input, or one that holds no pattern.
    #[error(
        "empty tool pattern\nhint: write `*` for every tool, a category such as `users`, or a tool \
         such as `users.getUser`"
    )]
    Empty,
    /// None of the forms.
    #[error(
        "`{0}` is not a tool pattern\nhint: write `*`, a category (`users` or `users.*`), or a tool \
         (`users.getUser` or `getUser`)"
    )]
    Form(String),
    /// No category, and no tool either where the pattern could have been one.
    #[error(
        "`{pattern}` names no category or tool\nhint: {suggestion}the categories are {categories}"
    )]
    UnknownName {
        /// The pattern as given.
        pattern: String,
        /// The nearest name, if one is near.
        suggestion: Suggestion,
        /// Every category.
        categories: Names,
    },
    /// A category without that tool.
    #[error("`{pattern}` names no tool\nhint: {suggestion}the tools of `{category}` are {tools}")]
    UnknownTool {
        /// The pattern as given.
        pattern: String,
        /// The category it names.
        category: String,
        /// The nearest name, if one is near.
        suggestion: Suggestion,
        /// Every tool of the category.
        tools: Names,
    },
}

/// The name that was probably meant; displayed as a question, or as nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion(pub Option<String>);

impl fmt::Display for Suggestion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(formatter, "did you mean {name}? "),
            None => Ok(()),
        }
    }
}

/// Names for a message, displayed with commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return formatter.write_str("(none)");
        }
        formatter.write_str(&self.0.join(", "))
    }
}

/// Tool patterns in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// `*`
    Every,
    /// `users.*`
    Category(String),
    /// `users.getUser`
    Tool(String, String),
    /// `users` or `getUser`
    Bare(String),
}

impl Patterns {
    /// Reads patterns; each input may hold several, separated by spaces or commas.
    ///
    /// # Errors
    ///
    /// No input at all, an input without a pattern, and text of another form.
    pub fn parse<I, S>(inputs: I) -> Result<Self, PatternError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let mut patterns = Vec::new();
        for input in inputs {
            let before = patterns.len();
            for word in words(input.as_ref()) {
                patterns.push(Pattern::parse(word)?);
            }
            if patterns.len() == before {
                return Err(PatternError::Empty);
            }
        }
        if patterns.is_empty() {
            return Err(PatternError::Empty);
        }
        Ok(Self(patterns))
    }

    /// The indices of the selected tools, in the catalogue's order and each once.
    ///
    /// `catalogue` holds pairs of category and tool. Case matters. A bare name that is both a
    /// category and a tool is the category.
    ///
    /// # Errors
    ///
    /// A pattern whose category or tool the catalogue does not know.
    pub fn select<'a>(
        &self,
        catalogue: &'a [(&'a str, &'a str)],
    ) -> Result<Vec<usize>, PatternError> {
        let mut selected = vec![false; catalogue.len()];
        for pattern in &self.0 {
            let mut any = false;
            // Tools of the same name in several categories are all meant by a bare name.
            let bare_category = pattern.is_bare_category(catalogue);
            for (mark, (category, tool)) in selected.iter_mut().zip(catalogue) {
                if pattern.matches(category, tool, bare_category) {
                    *mark = true;
                    any = true;
                }
            }
            if !any && *pattern != Pattern::Every {
                return Err(pattern.unknown(catalogue));
            }
        }
        Ok((0..)
            .zip(selected)
            .filter_map(|(index, mark)| mark.then_some(index))
            .collect())
    }

    /// Whether one of them names this very tool, and not only its category or everything.
    #[must_use]
    pub fn name(&self, category: &str, tool: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Tool(in_category, name) => in_category == category && name == tool,
            Pattern::Bare(name) => name == tool,
            Pattern::Every | Pattern::Category(_) => false,
        })
    }
}

impl Pattern {
    fn parse(word: &str) -> Result<Self, PatternError> {
        let form = || PatternError::Form(shown(word));
        if word == "*" {
            return Ok(Self::Every);
        }
        let name = |text: &str| {
            let valid = !text.is_empty() && !text.contains(['*', '.']);
            if valid {
                Ok(text.to_owned())
            } else {
                Err(form())
            }
        };
        match word.split_once('.') {
            None => Ok(Self::Bare(name(word)?)),
            Some((category, "*")) => Ok(Self::Category(name(category)?)),
            Some((category, tool)) => Ok(Self::Tool(name(category)?, name(tool)?)),
        }
    }

    fn is_bare_category(&self, catalogue: &[(&str, &str)]) -> bool {
        match self {
            Self::Bare(name) => catalogue.iter().any(|(category, _)| category == name),
            _ => false,
        }
    }

    fn matches(&self, category: &str, tool: &str, bare_category: bool) -> bool {
        match self {
            Self::Every => true,
            Self::Category(name) => name == category,
            Self::Tool(in_category, name) => in_category == category && name == tool,
            Self::Bare(name) => name == if bare_category { category } else { tool },
        }
    }

    /// The error for a pattern that matched nothing.
    fn unknown(&self, catalogue: &[(&str, &str)]) -> PatternError {
        let categories = || {
            let mut names: Vec<&str> = Vec::new();
            for (category, _) in catalogue {
                if !names.contains(category) {
                    names.push(category);
                }
            }
            names
        };
        let owned = |names: Vec<&str>| Names(names.into_iter().map(str::to_owned).collect());
        let all_tools = || catalogue.iter().map(|(_, tool)| *tool);
        let unknown_name =
            |pattern: String, suggestion: Option<String>| PatternError::UnknownName {
                pattern,
                suggestion: Suggestion(suggestion),
                categories: owned(categories()),
            };
        match self {
            Self::Every => unknown_name("*".to_owned(), None),
            Self::Bare(name) => {
                let near = nearest(name, categories().into_iter().chain(all_tools()));
                unknown_name(shown(name), near.map(str::to_owned))
            }
            Self::Category(name) => {
                let near = nearest(name, categories().into_iter());
                unknown_name(
                    shown(&format!("{name}.*")),
                    near.map(|near| format!("{near}.*")),
                )
            }
            Self::Tool(category, name) => {
                let pattern = shown(&format!("{category}.{name}"));
                let tools_of = |wanted: &str| -> Vec<&str> {
                    let of = catalogue.iter().filter(|(category, _)| *category == wanted);
                    of.map(|(_, tool)| *tool).collect()
                };
                let elsewhere = || {
                    let (category, tool) = catalogue.iter().find(|(_, tool)| tool == name)?;
                    Some(format!("{category}.{tool}"))
                };
                let tools = tools_of(category);
                if tools.is_empty() {
                    let near = elsewhere().or_else(|| {
                        let category = nearest(category, categories().into_iter())?;
                        let tool = nearest(name, tools_of(category).into_iter()).unwrap_or("*");
                        Some(format!("{category}.{tool}"))
                    });
                    return unknown_name(pattern, near);
                }
                let near = nearest(name, tools.iter().copied());
                PatternError::UnknownTool {
                    pattern,
                    category: category.clone(),
                    suggestion: Suggestion(
                        near.map(|tool| format!("{category}.{tool}"))
                            .or_else(elsewhere),
                    ),
                    tools: owned(tools),
                }
            }
        }
    }
}

fn words(input: &str) -> impl Iterator<Item = &str> {
    input
        .split(|character: char| character == ',' || character.is_whitespace())
        .filter(|word| !word.is_empty())
}

/// The candidate equal but for case, or else the first with the fewest edits, at most a few.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    nearest_within(name, NEAR, candidates)
}

/// The candidate equal but for case, or else the first with the fewest edits, at most so many.
pub fn nearest_within<'a>(
    name: &str,
    most: usize,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let distance = |candidate: &str| {
        if candidate.eq_ignore_ascii_case(name) {
            return Some(0);
        }
        // A name of three letters is within two edits of too much to be a guess.
        edits(name, candidate, most).filter(|edits| *edits < candidate.chars().count())
    };
    candidates
        .filter_map(|candidate| Some((distance(candidate)?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The edits (insertion, deletion, substitution, swap of neighbours) from `a` to `b`, if they are
/// at most so many. Long input costs no more than its first look: lengths too far apart are far.
fn edits(a: &str, b: &str, most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most * char::MAX.len_utf8() {
        return None;
    }
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (row, from) in a.iter().enumerate() {
        let mut this = vec![row + 1];
        for (column, to) in b.iter().enumerate() {
            let substituted = last[column] + usize::from(from != to);
            let mut fewest = substituted.min(last[column + 1] + 1).min(this[column] + 1);
            let swapped = row > 0 && column > 0 && a[row - 1] == *to && b[column - 1] == *from;
            if swapped {
                fewest = fewest.min(before[column - 1] + 1);
            }
            this.push(fewest);
        }
        before = std::mem::replace(&mut last, this);
    }
    last.last().copied().filter(|edits| *edits <= most)
}

/// The caller's text for a message: its first 80 characters, safe to print.
fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(80).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    escape_str(&start).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CATALOGUE: [(&str, &str); 5] = [
        ("users", "getUser"),
        ("organizations", "getOrganization"),
        ("users", "listUsers"),
        ("sessions", "getSession"),
        ("organizations", "users"),
    ];

    fn select(inputs: &[&str]) -> Result<Vec<usize>, PatternError> {
        Patterns::parse(inputs)?.select(&CATALOGUE)
    }

    #[test]
    fn selects_in_catalogue_order_without_duplicates() {
        let cases: [(&[&str], &[usize]); 9] = [
            (&["*"], &[0, 1, 2, 3, 4]),
            (&["users"], &[0, 2]),
            (&["users.*"], &[0, 2]),
            (&["organizations.users"], &[4]),
            (&["users.listUsers"], &[2]),
            (&["getSession"], &[3]),
            (&["getSession", "users getUser,users.*"], &[0, 2, 3]),
            (&[" sessions,\n,getUser, "], &[0, 3]),
            (&["users", "*"], &[0, 1, 2, 3, 4]),
        ];
        for (inputs, expected) in cases {
            assert_eq!(select(inputs).unwrap(), expected, "{inputs:?}");
        }
        assert_eq!(Patterns::parse(["*"]).unwrap().select(&[]), Ok(vec![]));
    }

    #[test]
    fn empty_patterns_are_errors() {
        for inputs in [&[][..], &[""], &[" ,\t"], &["users", ""], &["", "*"]] {
            let error = select(inputs).unwrap_err();
            assert_eq!(error, PatternError::Empty, "{inputs:?}");
            assert!(error.to_string().starts_with("empty tool pattern\nhint: "));
        }
    }

    #[test]
    fn other_forms_are_errors() {
        for word in [
            "users.",
            ".getUser",
            ".",
            "a.b.c",
            "*.getUser",
            "*.*",
            "us*",
            "**",
            "users.get*",
        ] {
            assert_eq!(select(&[word]), Err(PatternError::Form(word.to_owned())));
        }
    }

    #[test]
    fn unknown_names_are_errors_that_help() {
        let categories = "the categories are users, organizations, sessions";
        let tools = "the tools of `users` are getUser, listUsers";
        let cases = [
            (
                "getUsr",
                format!(
                    "`getUsr` names no category or tool\nhint: did you mean getUser? {categories}"
                ),
            ),
            (
                "GETUSER",
                format!(
                    "`GETUSER` names no category or tool\nhint: did you mean getUser? {categories}"
                ),
            ),
            (
                "user",
                format!("`user` names no category or tool\nhint: did you mean users? {categories}"),
            ),
            (
                "Users.*",
                format!(
                    "`Users.*` names no category or tool\nhint: did you mean users.*? {categories}"
                ),
            ),
            (
                "billing",
                format!("`billing` names no category or tool\nhint: {categories}"),
            ),
            (
                "usres.getUsre",
                format!(
                    "`usres.getUsre` names no category or tool\nhint: did you mean users.getUser? {categories}"
                ),
            ),
            (
                "user.getSession",
                format!(
                    "`user.getSession` names no category or tool\nhint: did you mean sessions.getSession? {categories}"
                ),
            ),
            (
                "users.getSession",
                format!(
                    "`users.getSession` names no tool\nhint: did you mean sessions.getSession? {tools}"
                ),
            ),
            (
                "users.listUser",
                format!(
                    "`users.listUser` names no tool\nhint: did you mean users.listUsers? {tools}"
                ),
            ),
            (
                "users.nothing",
                format!("`users.nothing` names no tool\nhint: {tools}"),
            ),
        ];
        for (pattern, message) in cases {
            assert_eq!(select(&["*", pattern]).unwrap_err().to_string(), message);
        }
        let none = Patterns::parse(["users"]).unwrap().select(&[]).unwrap_err();
        assert!(none.to_string().ends_with("the categories are (none)"));
    }

    #[test]
    fn counts_edits() {
        for (a, b, expected) in [
            ("getUser", "getUser", Some(0)),
            ("getUser", "getUesr", Some(1)),
            ("getUser", "etUsers", Some(2)),
            ("getUser", "getSession", None),
            ("", "ab", Some(2)),
            ("", "abc", None),
            ("é", "e", Some(1)),
        ] {
            assert_eq!(edits(a, b, NEAR), expected, "{a} {b}");
            assert_eq!(edits(b, a, NEAR), expected, "{b} {a}");
        }
        assert_eq!(nearest("xy", ["ab", "x"].into_iter()), None);
    }

    proptest! {
        #[test]
        fn any_text_is_answered(inputs in proptest::collection::vec(
            prop_oneof![any::<String>(), "[us.*, getUer]{0,12}", "users|getUser|\\*|users\\.\\*"], 0..4,
        )) {
            match Patterns::parse(&inputs).and_then(|patterns| patterns.select(&CATALOGUE)) {
                Ok(selected) => {
                    // Never silently nothing, in order, each once.
                    prop_assert!(!selected.is_empty());
                    prop_assert!(selected.windows(2).all(|pair| pair[0] < pair[1]));
                    prop_assert!(selected.iter().all(|index| *index < CATALOGUE.len()));
                }
                Err(error) => prop_assert!(error.to_string().contains("\nhint: ")),
            }
        }

        #[test]
        fn separators_do_not_matter(
            names in proptest::collection::vec("users|sessions|getUser|organizations\\.\\*", 1..5),
            separator in "[ ,\t\n]{1,3}",
        ) {
            let apart = Patterns::parse(&names).unwrap();
            let together = Patterns::parse([names.join(&separator)]).unwrap();
            prop_assert_eq!(apart.select(&CATALOGUE), together.select(&CATALOGUE));
        }

        #[test]
        fn one_edit_is_near(index in 0..CATALOGUE.len(), at in 0usize..9, letter in "[a-z]") {
            let (_, tool) = CATALOGUE[index];
            let mut typed = tool.to_owned();
            typed.insert_str(at.min(tool.len()), &letter);
            prop_assert!(edits(&typed, tool, NEAR).is_some_and(|edits| edits <= 1));
        }
    }
}
