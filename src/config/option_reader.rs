//! Reads what was written, one option at a time, and notes what is wrong with it.

use std::time::Duration;

use super::choices::Choice;
use super::defaults;
use super::mistakes::Mistakes;
use super::options::{Opt, Takes, Theme};
use super::units;
use super::written::{OptionOrigin, Spellings, WrittenOptions};
use crate::secret::by_name;

/// Reads texts and notes what is wrong with them.
pub struct OptionReader<'a> {
    pub written: &'a WrittenOptions,
    pub mistakes: &'a mut Mistakes,
    /// What is put up with, to be said once there is a log.
    pub warnings: Vec<String>,
    pub has_failed: bool,
}

impl OptionReader<'_> {
    pub fn is_written(&self, name: &str) -> bool {
        self.written.get(name).is_some()
    }

    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.written.get(name)?;
        text.values.last().cloned()
    }

    pub fn list(&mut self, name: &'static str) -> Option<Vec<String>> {
        Some(self.written.get(name)?.values.clone())
    }

    pub fn text_or_default(&mut self, name: &'static str) -> String {
        self.text(name).unwrap_or_else(|| default(name))
    }

    pub fn number(&mut self, name: &'static str, min: u64, max: u64) -> Option<u64> {
        self.parsed(name, number_within(min, max))
    }

    pub fn number_or_default(&mut self, name: &'static str, min: u64, max: u64) -> u64 {
        self.parsed_or_default(name, number_within(min, max))
    }

    pub fn size(&mut self, name: &'static str) -> Option<u64> {
        self.parsed(name, units::size)
    }

    /// One that cannot be 0, because everything would be too late.
    pub fn some_time(&mut self, name: &'static str) -> Option<Duration> {
        self.parsed(name, units::some_duration)
    }

    pub fn byte(&mut self, name: &'static str) -> Option<u8> {
        self.parsed(name, units::byte)
    }

    pub fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(name)?;
        parse(&text).map_err(|why| self.wrong(name, &why)).ok()
    }

    /// What holds by default is in one table, which the help is made of, too.
    pub fn parsed_or_default<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.parsed(name, &parse).unwrap_or_else(|| {
            let text = default(name);
            parse(&text).unwrap_or_else(|why| unreachable!("the default of --{name}: {why}"))
        })
    }

    pub fn choice<T: Choice>(&mut self, name: &'static str) -> Option<T> {
        self.parsed(name, chosen)
    }

    pub fn choice_or_default<T: Choice>(&mut self, name: &'static str) -> T {
        self.parsed_or_default(name, chosen)
    }

    pub fn switch(&mut self, name: &'static str) -> bool {
        match self.text(name).as_deref() {
            None => false,
            Some(no) if is_no(no) => false,
            Some("true" | "1" | "yes") => true,
            Some(other) => {
                let why = format!("'{other}' is not true or false");
                self.wrong(name, &why);
                false
            }
        }
    }

    pub fn missing(&mut self, name: &'static str, what: &str) {
        self.has_failed = true;
        let spellings = Spellings(option(name), None);
        self.mistakes.add(format!("{spellings} is missing: {what}"));
    }

    pub fn wrong(&mut self, name: &str, why: &str) {
        self.has_failed = true;
        if self.written.unknown.contains(&name) {
            return;
        }
        let origin = self.written.get(name).map(|text| &text.origin);
        let spellings = Spellings(option(name), origin);
        let place = match origin {
            Some(OptionOrigin::File(place)) if place.line > 0 => format!("{place}: "),
            _ => String::new(),
        };
        self.mistakes.add(by_name(&format!("{place}{spellings}: {why}")));
    }

    /// A path that is empty is the start of another one, such as `./rejects`, or fails at the end.
    pub fn refuse_empty(&mut self) {
        for name in self.written.names().collect::<Vec<_>>() {
            let what = match option(name).takes {
                Takes::One("DIR") => "directory",
                Takes::One("FILE") | Takes::Files(_) => "file",
                _ if NEVER_EMPTY.contains(&name) => "value",
                _ => continue,
            };
            let is_empty =
                self.written.get(name).is_some_and(|text| text.values.iter().any(String::is_empty));
            if is_empty {
                self.wrong(name, &format!("it is empty; say a {what}, or leave it out"));
            }
        }
    }

    /// What has no meaning here was most likely meant otherwise. Defaults shared by many pipelines
    /// are not for this one.
    pub fn refuse(&mut self, names: &[&'static str], when: &str) {
        for name in names {
            let is_for_this = self.written.get(name).is_some_and(|text| match &text.origin {
                OptionOrigin::Flag => true,
                OptionOrigin::Variable => false,
                OptionOrigin::File(place) => place.is_of_pipeline(),
            });
            if is_for_this && !self.is_turned_off(name) {
                self.wrong(name, &format!("it has no meaning {when}"));
            }
        }
    }

    /// A switch that says no means nothing anywhere.
    fn is_turned_off(&self, name: &str) -> bool {
        let text = self.written.get(name).and_then(|text| text.values.last());
        option(name).takes == Takes::Nothing && text.is_some_and(|text| is_no(text))
    }

    pub fn refuse_theme(&mut self, theme: Theme, when: &str) {
        let names: Vec<_> =
            self.written.names().filter(|name| option(name).theme == theme).collect();
        self.refuse(&names, when);
    }
}

/// Others are refused where they are understood, and some may be empty, such as a password.
const NEVER_EMPTY: [&str; 8] = [
    "metrics-host",
    "db-host",
    "db-name",
    "es-user",
    "es-api-key",
    "es-token",
    "state-table",
    "throttle-query",
];

fn default(name: &str) -> String {
    defaults::value(name).unwrap_or_else(|| unreachable!("--{name} has no default"))
}

fn number_within(min: u64, max: u64) -> impl Fn(&str) -> Result<u64, String> {
    move |text| {
        let number = units::number(text).filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| format!("'{text}' is not a number from {min} to {max}"))
    }
}

fn chosen<T: Choice>(text: &str) -> Result<T, String> {
    T::of_name(text).ok_or_else(|| format!("'{text}' is not one of {}", T::NAMES.join(", ")))
}

fn is_no(text: &str) -> bool {
    matches!(text, "false" | "0" | "no")
}

fn option(name: &str) -> &'static Opt {
    Opt::find(name).expect("settings ask for options of the table only")
}
