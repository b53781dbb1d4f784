//! What is meant for OpenLineage: by options, and by the variables that its official clients read. Those are
//! often set for a whole machine, so that what cannot be understood there is ignored with a warning.

use serde_json::Value;

use super::export::AddressOptions;
use crate::config::option_reader::OptionReader;
use crate::export::{OpenLineageSettings, ParentRun, Target, complete_lineage_url};
use crate::secret::Secret;
use crate::shown::is_obeyed;

const OPENLINEAGE: AddressOptions = AddressOptions {
    url: "openlineage",
    password_file: "openlineage-pass-file",
    token_file: "openlineage-token-file",
    header: "openlineage-header",
    ca: "openlineage-ca",
};

/// As the official clients call what nobody has named.
const NAMESPACE: &str = "default";

impl OptionReader<'_> {
    pub fn openlineage(&mut self) -> Option<OpenLineageSettings> {
        let mut target = self.target(&OPENLINEAGE);
        if let Some(target) = &mut target {
            complete_lineage_url(&mut target.url);
        }
        let namespace = self.text("openlineage-namespace");
        if namespace.as_ref().is_some_and(|name| name.is_empty() || name.chars().any(is_obeyed)) {
            let why = "a name cannot be empty or hold control characters";
            self.wrong("openlineage-namespace", why);
        }
        let is_written = self.is_written("openlineage");
        let mut variables = LineageVariables {
            variable: |name: &str| std::env::var(name).ok(),
            warnings: &mut self.warnings,
        };
        if variables.is_disabled() {
            if is_written {
                variables
                    .warn("OPENLINEAGE_DISABLED", "is true, so that --openlineage sends nothing");
            }
            return None;
        }
        if !is_written {
            target = variables.target();
        }
        let settings = target.map(|target| variables.settings(target, namespace));
        if settings.is_none() && !is_written {
            self.refuse(&["openlineage-namespace"], "without --openlineage");
        }
        settings
    }
}

struct LineageVariables<'a, V> {
    variable: V,
    warnings: &'a mut Vec<String>,
}

impl<V: Fn(&str) -> Option<String>> LineageVariables<'_, V> {
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.variable)(name)?.trim().to_string();
        (!value.is_empty()).then_some(value)
    }

    fn warn(&mut self, name: &str, why: &str) {
        self.warnings.push(format!("{name} {why}"));
    }

    /// Only the word itself, as for the official clients.
    fn is_disabled(&self) -> bool {
        self.get("OPENLINEAGE_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true"))
    }

    /// The key is for this address and no other.
    fn target(&mut self) -> Option<Target> {
        const URL: &str = "OPENLINEAGE_URL";
        let written = self.get(URL)?;
        let target = Target::of_variable(URL, "SSL_CERT_FILE", &written)
            .and_then(|target| self.with_endpoint(target))
            .and_then(|mut target| {
                if let Some(key) = self.get("OPENLINEAGE_API_KEY") {
                    target.bear(&Secret::new(key))?;
                }
                Ok(target)
            });
        target
            .map_err(|why| self.warn(URL, &format!("is ignored, and nothing is sent there: {why}")))
            .ok()
    }

    /// Behind the address, as a link is followed.
    fn with_endpoint(&self, mut target: Target) -> Result<Target, String> {
        const ENDPOINT: &str = "OPENLINEAGE_ENDPOINT";
        match self.get(ENDPOINT) {
            None => complete_lineage_url(&mut target.url),
            Some(endpoint) => {
                let joined = target.url.join(&endpoint).ok();
                let joined = joined.filter(|joined| joined.origin() == target.url.origin());
                let wrong = || format!("{ENDPOINT} is no path");
                target.lead_to(joined.ok_or_else(wrong)?);
            }
        }
        Ok(target)
    }

    fn settings(&mut self, target: Target, namespace: Option<String>) -> OpenLineageSettings {
        let named = namespace.or_else(|| self.get("OPENLINEAGE_NAMESPACE"));
        let (parent, root) = self.parents();
        OpenLineageSettings {
            target,
            namespace: named.unwrap_or_else(|| NAMESPACE.to_string()),
            parent,
            root,
        }
    }

    /// Whoever started this run, and whoever started that: in the newer variable with both, or in one for each.
    fn parents(&mut self) -> (Option<ParentRun>, Option<ParentRun>) {
        if let Some(both) = self.context() {
            return both;
        }
        let parent = self.parent("OPENLINEAGE_PARENT_ID");
        let root = parent.as_ref().and_then(|_| self.parent("OPENLINEAGE_ROOT_PARENT_ID"));
        (parent, root)
    }

    fn parent(&mut self, name: &str) -> Option<ParentRun> {
        let written = self.get(name)?;
        let parent = ParentRun::parse(&written);
        if parent.is_none() {
            self.warn(name, "is not NAMESPACE/JOB/RUN with a UUID at its end, and passed over");
        }
        parent
    }

    fn context(&mut self) -> Option<(Option<ParentRun>, Option<ParentRun>)> {
        const CONTEXT: &str = "OPENLINEAGE_CONTEXT";
        let written = self.get(CONTEXT)?;
        let context: Value = serde_json::from_str(&written).unwrap_or_default();
        let run = |of: &Value| {
            let text = |value: &Value| value.as_str().map(String::from);
            let (job, run_id) = (&of["job"], text(&of["run"]["runId"])?);
            ParentRun::new(&text(&job["namespace"])?, &text(&job["name"])?, &run_id)
        };
        let parent = run(&context["parent"]);
        if parent.is_none() {
            self.warn(CONTEXT, "names no parent with its run and job, and is ignored");
            return None;
        }
        let root = run(&context["parent"]["root"]);
        Some((parent, root))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::AUTHORIZATION;

    use super::*;

    const RUN: &str = "f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11";

    fn read(variables: &[(&str, &str)]) -> (Option<OpenLineageSettings>, Vec<String>) {
        let mut warnings = Vec::new();
        let mut reader = LineageVariables {
            variable: |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.to_string())
            },
            warnings: &mut warnings,
        };
        if reader.is_disabled() {
            return (None, warnings);
        }
        let target = reader.target();
        let settings = target.map(|target| reader.settings(target, None));
        (settings, warnings)
    }

    #[test]
    fn variables_say_where_events_go() {
        const URL: &str = "OPENLINEAGE_URL";
        const ENDPOINT: &str = "OPENLINEAGE_ENDPOINT";
        for (variables, expected) in [
            (&[][..], ""),
            (&[(URL, " ")], ""),
            (&[(URL, "http://m:5000")], "http://m:5000/api/v1/lineage"),
            (
                &[(URL, "http://m:5000/"), ("OPENLINEAGE_DISABLED", "False")],
                "http://m:5000/api/v1/lineage",
            ),
            (&[(URL, "http://m:5000"), ("OPENLINEAGE_DISABLED", "True")], ""),
            (&[(URL, "http://m/a/"), (ENDPOINT, "b/c")], "http://m/a/b/c"),
            (&[(URL, "http://m"), (ENDPOINT, "/b")], "http://m/b"),
            (
                &[(URL, "http://m"), (ENDPOINT, "geheimnis?key=geheim123")],
                "http://m/geheimnis?key=geheim123",
            ),
        ] {
            let (settings, warnings) = read(variables);
            let url = settings.as_ref().map_or("", |settings| settings.target.url.as_str());
            assert_eq!(url, expected, "{variables:?}");
            if let Some(settings) = &settings {
                let said = settings.target.masked("no /geheimnis?key=geheim123, no geheim123");
                assert_eq!(said.contains("geheim"), !url.contains("geheim"), "{said}");
            }
            assert_eq!(warnings, [""; 0], "{variables:?}");
        }
    }

    #[test]
    fn variables_say_who_we_are() {
        let url = ("OPENLINEAGE_URL", "http://m");
        let (settings, _) = read(&[url]);
        assert_eq!(settings.unwrap().namespace, "default");
        let parent = format!("airflow/dag.task/{RUN}");
        let (settings, _) = read(&[
            url,
            ("OPENLINEAGE_NAMESPACE", "shop"),
            ("OPENLINEAGE_API_KEY", "geheim"),
            ("OPENLINEAGE_PARENT_ID", &parent),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.namespace, "shop");
        assert_eq!(settings.target.headers[AUTHORIZATION], "Bearer geheim");
        assert_eq!(settings.parent, ParentRun::new("airflow", "dag.task", RUN));
        assert_eq!(settings.root, None);
        let context = format!(
            r#"{{"parent":{{"run":{{"runId":"{RUN}"}},"job":{{"namespace":"a","name":"b"}},
            "root":{{"run":{{"runId":"{RUN}"}},"job":{{"namespace":"c","name":"d"}}}}}}}}"#
        );
        let (settings, warnings) =
            read(&[url, ("OPENLINEAGE_PARENT_ID", &parent), ("OPENLINEAGE_CONTEXT", &context)]);
        let settings = settings.unwrap();
        assert_eq!(settings.parent, ParentRun::new("a", "b", RUN));
        assert_eq!(settings.root, ParentRun::new("c", "d", RUN));
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn what_cannot_be_understood_is_passed_over_in_one_line() {
        let url = ("OPENLINEAGE_URL", "http://m");
        for (name, value, is_told) in [
            ("OPENLINEAGE_URL", "m:geheim@x", false),
            ("OPENLINEAGE_URL", "", false),
            ("OPENLINEAGE_ENDPOINT", "http://geheim/", false),
            ("OPENLINEAGE_API_KEY", "ge\nheim", false),
            ("OPENLINEAGE_PARENT_ID", "geheim", true),
            ("OPENLINEAGE_CONTEXT", "{geheim", true),
            ("OPENLINEAGE_CONTEXT", "{\"parent\":{\"run\":\"geheim\"}}", true),
        ] {
            let (settings, warnings) = read(&[(name, value), url]);
            assert_eq!(settings.is_some(), is_told, "{name} {value}");
            assert_eq!(
                warnings.len(),
                usize::from(!value.is_empty()),
                "{name} {value} {warnings:?}"
            );
            let said = warnings.concat();
            assert!(!said.contains("geheim") && !said.contains('\n'), "{said}");
        }
    }
}
