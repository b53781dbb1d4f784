//! What the environment says: a variable for each option, and where state is kept.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use super::mistakes::Mistakes;
use super::nearest::nearest;
use super::options::OPTIONS;
use super::written::{OptionOrigin, Spellings, WrittenOptions};

const PREFIX: &str = "FLOWGAUGE_";

/// Variables of our own tests, which somebody who works on flowgauge has set.
const OF_TESTS: [&str; 2] = ["FLOWGAUGE_TEST_", "FLOWGAUGE_SOAK_"];

/// The environment's layer, of all variables there are.
pub fn from_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    mistakes: &mut Mistakes,
) -> WrittenOptions {
    let mut written = WrittenOptions::default();
    let mut variables: Vec<_> = variables.into_iter().filter(|(name, _)| is_for_us(name)).collect();
    variables.sort();
    for (name, value) in variables {
        let shown = name.to_string_lossy();
        let Some(option) = OPTIONS.iter().find(|option| option.variable() == shown) else {
            written.warnings.extend(unknown(&shown, &value));
            continue;
        };
        let Some(value) = value.to_str() else {
            let spellings = Spellings(option, Some(&OptionOrigin::Variable));
            mistakes.add(format!("{spellings}: the value is not valid UTF-8"));
            continue;
        };
        // Kubernetes sets such for a Service that is called like us, without being asked.
        let is_injected = option.name.ends_with("-port") && is_address_of_service(value);
        if is_injected {
            written.warnings.push(format!("{shown} holds '{value}', which is no port; ignored"));
            continue;
        }
        written.set(option, option.values(value), OptionOrigin::Variable);
    }
    written
}

/// In whatever case: names of variables are written in capitals, which not everybody knows.
fn is_for_us(name: &OsStr) -> bool {
    let prefix = name.as_bytes().get(..PREFIX.len());
    prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX.as_bytes()))
}

/// What to say of a variable that no option has.
fn unknown(name: &str, value: &OsStr) -> Option<String> {
    if OF_TESTS.iter().any(|prefix| name.starts_with(prefix)) || is_of_service(name, value) {
        return None;
    }
    let known: Vec<String> = OPTIONS.iter().map(|option| option.key().to_uppercase()).collect();
    let rest = name[PREFIX.len()..].to_ascii_uppercase();
    let meant = match known.contains(&rest) {
        true => Some(rest.as_str()),
        false => nearest(&rest, known.iter().map(String::as_str)),
    };
    let meant = meant.map(|meant| format!("; did you mean {PREFIX}{meant}?")).unwrap_or_default();
    Some(format!("{name} is set, and no option has that variable; it is ignored{meant}"))
}

fn is_address_of_service(value: &str) -> bool {
    ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
}

/// Kubernetes tells every container of the Services beside it, such as one called `flowgauge`:
/// `FLOWGAUGE_SERVICE_HOST`, `FLOWGAUGE_PORT_8000_TCP_ADDR`.
fn is_of_service(name: &str, value: &OsStr) -> bool {
    let is_port = name.ends_with("_PORT") && value.to_str().is_some_and(is_address_of_service);
    let is_port_of = |name: &str| {
        let Some((_, port)) = name.split_once("_PORT_") else { return false };
        let mut words = port.split('_');
        let number = words.next().unwrap_or_default();
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && matches!(words.next(), Some("TCP" | "UDP" | "SCTP"))
            && matches!(words.next(), None | Some("PROTO" | "PORT" | "ADDR"))
    };
    is_port
        || name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || is_port_of(name)
}

/// Where the environment wants state to be kept.
pub fn state_dir(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    // systemd may name several directories; the first is ours.
    let systemd = variable("STATE_DIRECTORY").map(|directories| {
        let first = directories.as_bytes().split(|byte| *byte == b':').next();
        PathBuf::from(OsString::from_vec(first.unwrap_or_default().to_vec()))
    });
    systemd
        .or_else(|| variable("XDG_STATE_HOME").map(|home| PathBuf::from(home).join("flowgauge")))
        .or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".local/state/flowgauge")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &[u8])]) -> (WrittenOptions, Vec<String>) {
        let variables = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from_vec(value.to_vec())));
        let mut mistakes = Mistakes::default();
        let written = from_environment(variables, &mut mistakes);
        let mistakes = mistakes.into_result().err().unwrap_or_default();
        (written, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_value_is_utf_8_or_a_mistake_that_names_the_variable() {
        let (written, mistakes) =
            read(&[("FLOWGAUGE_IF_EXISTS", b"refuse\xff"), ("FLOWGAUGE_DB_PASS", b"\xff")]);
        assert!(written.names().next().is_none());
        assert_eq!(
            mistakes,
            [
                "FLOWGAUGE_DB_PASS (--db-pass, db_pass): the value is not valid UTF-8",
                "FLOWGAUGE_IF_EXISTS (--if-exists, if_exists): the value is not valid UTF-8",
            ]
        );
    }

    #[test]
    fn a_variable_that_nobody_knows_is_said_with_what_may_be_meant() {
        for (name, value, meant) in [
            ("FLOWGAUGE_IF_EXIST", "refuse", Some("did you mean FLOWGAUGE_IF_EXISTS?")),
            ("FLOWGAUGE_WORKER", "1", Some("did you mean FLOWGAUGE_WORKERS?")),
            ("flowgauge_csv_file", "x", Some("did you mean FLOWGAUGE_CSV_FILE?")),
            ("Flowgauge_Csv_Flie", "x", Some("did you mean FLOWGAUGE_CSV_FILE?")),
            ("FLOWGAUGE_CSV-FILE", "x", Some("did you mean FLOWGAUGE_CSV_FILE?")),
            ("FLOWGAUGE_IMAGE_TAG", "x", Some("it is ignored")),
            ("FLOWGAUGE_", "x", Some("it is ignored")),
            ("FLOWGAUGE_TEST_MARIADB", "x", None),
            ("FLOWGAUGE_SOAK_SEED", "x", None),
            ("FLOWGAUGES", "x", None),
            ("MY_FLOWGAUGE_WORKER", "x", None),
            ("FLOWGAUGE_SERVICE_HOST", "10.0.0.1", None),
            ("FLOWGAUGE_METRICS_SERVICE_PORT_HTTP", "80", None),
            ("FLOWGAUGE_PORT", "tcp://10.0.0.1:8000", None),
            ("FLOWGAUGE_PORT", "8000", Some("it is ignored")),
            ("FLOWGAUGE_WEB_PORT_8000_TCP_ADDR", "10.0.0.1", None),
            ("FLOWGAUGE_PORT_8000_UDP", "udp://10.0.0.1:8000", None),
            ("FLOWGAUGE_PORT_8000", "1", Some("it is ignored")),
        ] {
            let (written, mistakes) = read(&[(name, value.as_bytes())]);
            assert!(mistakes.is_empty() && written.names().next().is_none(), "{name}");
            match (meant, &written.warnings[..]) {
                (None, []) => {}
                (Some(meant), [said]) => assert!(said.ends_with(meant), "{said}"),
                (_, said) => panic!("{name}: {said:?}"),
            }
        }
    }

    #[test]
    fn state_is_kept_where_systemd_says_or_at_home() {
        let kept = |set: &[(&str, &[u8])]| {
            state_dir(|name| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from_vec(value.to_vec()))
            })
            .map(|path| path.into_os_string().into_vec())
        };
        assert_eq!(kept(&[]), None);
        assert_eq!(kept(&[("HOME", b"")]), None);
        assert_eq!(kept(&[("HOME", b"/h\xff")]).unwrap(), b"/h\xff/.local/state/flowgauge");
        assert_eq!(kept(&[("HOME", b"/h"), ("XDG_STATE_HOME", b"/x")]).unwrap(), b"/x/flowgauge");
        assert_eq!(kept(&[("HOME", b"/h"), ("STATE_DIRECTORY", b"/a\xff:/b")]).unwrap(), b"/a\xff");
    }
}
