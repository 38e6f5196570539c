//! SPDX licence expressions, as far as crates use them.

use anyhow::{Context as _, bail, ensure};

/// Whether an expression can be satisfied with the licences in `allowed`. `A/B`, the old way to write
/// `A OR B`, is understood; `A WITH B` is one licence of that name.
pub(super) fn is_satisfied(expression: &str, allowed: &[String]) -> anyhow::Result<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allowed };
    let satisfied = parser.or().with_context(|| format!("licence expression {expression:?}"))?;
    ensure!(parser.words.is_empty(), "licence expression {expression:?} has something left over");
    Ok(satisfied)
}

struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Parser<'_> {
    /// Takes the next word if it is this one.
    fn eat(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn next(&mut self) -> anyhow::Result<String> {
        let (first, rest) = self.words.split_first().context("ends too early")?;
        self.words = rest;
        Ok((*first).to_owned())
    }

    fn or(&mut self) -> anyhow::Result<bool> {
        let mut satisfied = self.and()?;
        while self.eat("OR") {
            satisfied |= self.and()?;
        }
        Ok(satisfied)
    }

    fn and(&mut self) -> anyhow::Result<bool> {
        let mut satisfied = self.one()?;
        while self.eat("AND") {
            satisfied &= self.one()?;
        }
        Ok(satisfied)
    }

    fn one(&mut self) -> anyhow::Result<bool> {
        if self.eat("(") {
            let satisfied = self.or()?;
            ensure!(self.eat(")"), "a bracket is not closed");
            return Ok(satisfied);
        }
        let mut name = self.next()?;
        if ["AND", "OR", "WITH", ")"].contains(&name.as_str()) {
            bail!("{name:?} stands where a licence should");
        }
        if self.eat("WITH") {
            name = format!("{name} WITH {}", self.next()?);
        }
        Ok(self.allowed.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: Option<bool>) {
        let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception", "NCSA"].map(str::to_owned);
        assert_eq!(is_satisfied(expression, &allowed).ok(), expected, "{expression}");
    }

    #[test]
    fn evaluates_expressions() {
        check("MIT", Some(true));
        check("GPL-3.0-only", Some(false));
        check("GPL-2.0 OR MIT", Some(true));
        check("MIT/Apache-2.0", Some(true));
        check("GPL-2.0 AND MIT", Some(false));
        check("(MIT OR Apache-2.0) AND NCSA", Some(true));
        check("GPL-2.0 AND MIT OR NCSA", Some(true));
        check("NCSA AND (GPL-2.0 OR LGPL-2.1)", Some(false));
        check("Apache-2.0 WITH LLVM-exception", Some(true));
        check("Apache-2.0", Some(false));
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check("", None);
        check("MIT OR", None);
        check("(MIT", None);
        check("MIT NCSA", None);
        check("AND", None);
    }
}
