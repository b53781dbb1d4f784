//! Where events go, and under which names.

use reqwest::Url;

use crate::export::Target;

/// What the official clients send events to.
pub const PATH: &str = "api/v1/lineage";

#[derive(Clone, Debug)]
pub struct OpenLineageSettings {
    pub target: Target,
    /// Of the job.
    pub namespace: String,
    /// Whoever started this run, and whoever started that.
    pub parent: Option<ParentRun>,
    pub root: Option<ParentRun>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentRun {
    pub namespace: String,
    pub name: String,
    pub run_id: String,
}

impl ParentRun {
    /// `NAMESPACE/NAME/RUN`, as schedulers hand it on. A namespace may be a URL; names hold no slash.
    pub fn parse(written: &str) -> Option<ParentRun> {
        let mut parts = written.trim().rsplitn(3, '/');
        let (run_id, name, namespace) = (parts.next()?, parts.next()?, parts.next()?);
        ParentRun::new(namespace, name, run_id)
    }

    pub fn new(namespace: &str, name: &str, run_id: &str) -> Option<ParentRun> {
        let run_id = uuid::Uuid::try_parse(run_id).ok()?.hyphenated().to_string();
        if namespace.is_empty() || name.is_empty() {
            return None;
        }
        Some(ParentRun { namespace: namespace.to_string(), name: name.to_string(), run_id })
    }
}

/// The two official clients agree on an address without a path. Of one with a path, that of Python joins
/// the rest where it ends in a slash, and that of Java takes it as it is; so both are done.
pub fn complete(url: &mut Url) {
    let path = url.path().to_string();
    if path.ends_with('/') {
        url.set_path(&format!("{path}{PATH}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_events_are_sent() {
        for (written, sent) in [
            ("http://h:5000", "http://h:5000/api/v1/lineage"),
            ("http://h:5000/", "http://h:5000/api/v1/lineage"),
            ("https://h/openapi/openlineage/", "https://h/openapi/openlineage/api/v1/lineage"),
            (
                "https://h/openapi/openlineage/api/v1/lineage",
                "https://h/openapi/openlineage/api/v1/lineage",
            ),
            ("https://h/events?key=v", "https://h/events?key=v"),
            ("https://h?key=v", "https://h/api/v1/lineage?key=v"),
        ] {
            let mut url = Url::parse(written).unwrap();
            complete(&mut url);
            assert_eq!(url.as_str(), sent);
        }
    }

    #[test]
    fn a_parent_is_namespace_name_and_run() {
        const RUN: &str = "f99310b4-3c3c-1a1a-2b2b-c1b95c24ff11";
        for (written, expected) in [
            (format!("airflow/dag.task/{RUN}"), Some(("airflow", "dag.task"))),
            (
                format!("https://air.flow/x/dag.task/{RUN}"),
                Some(("https://air.flow/x", "dag.task")),
            ),
            (format!("airflow/dag.task/{}", RUN.to_uppercase()), Some(("airflow", "dag.task"))),
            (format!("dag.task/{RUN}"), None),
            (format!("//{RUN}"), None),
            ("airflow/dag.task/manual__2026".to_string(), None),
            (String::new(), None),
        ] {
            let parent = ParentRun::parse(&written);
            let found = parent.as_ref().map(|parent| (&*parent.namespace, &*parent.name));
            assert_eq!(found, expected, "{written}");
            assert!(parent.is_none_or(|parent| parent.run_id == RUN));
        }
    }
}
