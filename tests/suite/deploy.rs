//! The files in `deploy`: each is read by the program that it is for, or by its schema, and what they say to
//! flowgauge is done. `deploy/release` itself is run by hand, as it takes minutes: see CONTRIBUTING.md.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flowgauge::parts::Opt;

use crate::support::prometheus::Promtool;
use crate::support::{Workdir, assert_same_text, needs, workdir};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(shipped(name)).unwrap()
}

fn flowgauge() -> &'static str {
    env!("CARGO_BIN_EXE_flowgauge")
}

/// All that a program said, and whether it was content.
fn judged(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if status.success() { Ok(said) } else { Err(said) }
}

/// One of the readers in Python.
fn module(tools: &str, name: &str) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", tools).args(["-m", name]);
    command
}

fn program(tools: &str, name: &str) -> Command {
    Command::new(Path::new(tools).join("bin").join(name))
}

/// The units in a folder of their own, with the program of these tests as `flowgauge`, and a template's instance
/// `example`, as systemd makes it.
fn units(workdir: &Workdir) -> Vec<PathBuf> {
    let on_failure = workdir.write("on-failure", "#!/bin/sh\n");
    fs::set_permissions(&on_failure, fs::Permissions::from_mode(0o755)).unwrap();
    let mut units = Vec::new();
    for entry in fs::read_dir(shipped("systemd")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".service") && !name.ends_with(".timer") {
            continue;
        }
        let text = text(&format!("systemd/{name}"))
            .replace("ExecStart=flowgauge ", &format!("ExecStart={} ", flowgauge()))
            .replace("/etc/flowgauge/on-failure", on_failure.to_str().unwrap());
        let path = workdir.write(&format!("units/{name}"), text);
        let instance = workdir.path(&format!("units/{}", name.replace('@', "@example")));
        if instance != path {
            symlink(&path, &instance).unwrap();
        }
        units.push(instance);
    }
    assert_eq!(units.len(), 4, "{units:?}");
    units
}

#[test]
fn units_are_verified_by_systemd() {
    needs!("deploy_tools");
    let workdir = workdir!();
    let units = units(&workdir);
    let verify = |units: &[PathBuf]| {
        judged(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units))
    };
    assert_eq!(verify(&units), Ok(String::new()));

    let misspelt = workdir.write("units/misspelt.service", "[Service]\nExecStrat=/bin/true\n");
    let said = verify(&[misspelt]).unwrap_or_else(|said| said);
    assert!(said.contains("Unknown key") && said.contains("ExecStrat"), "{said}");

    // From 0, as safe as may be, to 10.
    for unit in units.iter().filter(|unit| unit.ends_with("flowgauge-exporter.service")) {
        let mut security = Command::new("systemd-analyze");
        let verdict =
            judged(security.args(["security", "--offline=yes", "--threshold=20"]).arg(unit));
        assert!(verdict.is_ok(), "{verdict:?}");
    }
}

/// What the service does, for the pipeline that the package comes with.
#[test]
fn the_pipeline_of_the_package_runs_as_its_service_says() {
    let workdir = workdir!();
    let orders = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders.csv");
    let syncs = text("systemd/syncs.toml")
        .replace("/usr/share/doc/flowgauge/examples/orders.csv", orders.to_str().unwrap())
        .replace("/var/lib/flowgauge", workdir.path("state").to_str().unwrap());
    let syncs = workdir.write("syncs.toml", syncs);
    fs::create_dir(workdir.path("state")).unwrap();

    let service = text("systemd/flowgauge@.service");
    let start = service.lines().find_map(|line| line.strip_prefix("ExecStart=flowgauge ")).unwrap();
    let start = start
        .replace("%i", "example")
        .replace("/etc/flowgauge/syncs.toml", syncs.to_str().unwrap());
    workdir.flowgauge().args(start.split(' ')).run().assert_code(0).assert_stderr("");
    assert_eq!(workdir.read("state/orders.jsonl").lines().count(), 2000);
}

#[test]
fn manifests_are_valid_for_kubernetes() {
    let tools = needs!("deploy_tools");
    let workdir = workdir!();
    let validate =
        |file: &Path| judged(module(&tools, "kubernetes_validate").arg("--strict").arg(file));
    for name in ["common", "cronjob-file", "cronjob-table"] {
        let verdict = validate(&shipped(&format!("kubernetes/{name}.yaml")));
        let said = verdict.unwrap_or_else(|said| panic!("{name}: {said}"));
        assert!(!said.contains("WARN"), "{name}: {said}");
    }
    let misspelt =
        text("kubernetes/cronjob-file.yaml").replace("enableServiceLinks", "enableServiceLink");
    let misspelt = workdir.write("misspelt.yaml", misspelt);
    assert!(validate(&misspelt).is_err());

    // One of the Prometheus Operator's own. It passes over names that it does not know, and leaves them out.
    let same = "
import sys, yaml
from cloudcoil.models.prometheus_operator.v1 import PodMonitor
read = yaml.safe_load(open(sys.argv[1]))
sys.exit(PodMonitor.model_validate(read).model_dump(by_alias=True, exclude_unset=True, mode='json') != read)
";
    let model = |file: &Path| {
        let mut python = Command::new("python3");
        judged(python.env("PYTHONPATH", &tools).args(["-c", same]).arg(file))
    };
    assert_eq!(model(&shipped("kubernetes/podmonitor.yaml")), Ok(String::new()));
    let misspelt = text("kubernetes/podmonitor.yaml").replace("scrapeTimeout", "scrapeTimeOut");
    assert!(model(&workdir.write("misspelt.yaml", misspelt)).is_err());
}

/// What the profile `restricted` of Kubernetes asks of a pod, and what a run has no use for.
#[test]
fn pods_have_no_rights() {
    for name in ["kubernetes/cronjob-file.yaml", "kubernetes/cronjob-table.yaml"] {
        let text = text(name);
        for line in [
            "runAsNonRoot: true",
            "runAsUser: 65532",
            "seccompProfile: {type: RuntimeDefault}",
            "allowPrivilegeEscalation: false",
            "capabilities: {drop: [ALL]}",
            "readOnlyRootFilesystem: true",
            "automountServiceAccountToken: false",
            "enableServiceLinks: false",
        ] {
            assert!(text.contains(line), "{name} is without {line}");
        }
    }
}

/// The flags of a manifest's `args`, in their order.
fn arguments(name: &str) -> Vec<String> {
    let text = text(name);
    let after = text.lines().skip_while(|line| line.trim() != "args:").skip(1).map(str::trim);
    let arguments = after.take_while(|line| line.starts_with("- ") || line.starts_with('#'));
    arguments.filter_map(|line| line.strip_prefix("- ")).map(str::to_string).collect()
}

#[test]
fn the_file_of_the_cron_job_is_written_as_it_says() {
    let workdir = workdir!();
    workdir.write("in/prices-1.csv", "item,price\nlamp,12.50\n");
    for folder in ["out", "state"] {
        fs::create_dir(workdir.path(folder)).unwrap();
    }
    let root = workdir.root().to_str().unwrap();
    let mut arguments = arguments("kubernetes/cronjob-file.yaml");
    assert!(arguments.contains(&"--metrics-until-scraped".to_string()));
    // Nobody scrapes here, and the port may be somebody's.
    arguments.retain(|argument| !argument.starts_with("--metrics-"));
    let arguments =
        arguments.iter().map(|argument| argument.replace("=/data", &format!("={root}")));
    workdir.flowgauge().args(arguments).run().assert_code(0);
    assert!(workdir.exists("out/prices.jsonl.zst"));
    assert!(workdir.exists("state/ledger.sqlite"));
}

#[test]
fn the_compose_file_is_valid_and_so_is_what_it_mounts() {
    let tools = needs!("deploy_tools");
    let workdir = workdir!();
    let check = |file: &Path| {
        let mut command = module(&tools, "check_jsonschema");
        judged(command.args(["--builtin-schema", "vendor.compose-spec"]).arg(file))
    };
    let verdict = check(&shipped("compose/compose.yaml"));
    assert!(verdict.is_ok(), "{verdict:?}");
    let misspelt = text("compose/compose.yaml").replace("depends_on", "depend_on");
    assert!(check(&workdir.write("misspelt.yaml", misspelt)).is_err());

    let mounted = text("compose/compose.yaml");
    let mounted = mounted.lines().filter_map(|line| line.trim().strip_prefix("- "));
    let mounted =
        mounted.filter(|line| line.starts_with('.')).map(|line| line.split(':').next().unwrap());
    let mut count = 0;
    for path in mounted {
        assert!(shipped("compose").join(path).exists(), "{path} is mounted and not there");
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn the_recipe_of_the_image_and_the_scripts_are_linted() {
    let tools = needs!("deploy_tools");
    let verdict = judged(program(&tools, "hadolint").arg(shipped("container/Containerfile")));
    assert_eq!(verdict, Ok(String::new()));

    let scripts = ["release", "package", "pages", "checksums", "third-party", "compose/documents"];
    let maintainer = ["debian/postinst", "debian/prerm", "debian/postrm"];
    let scripts = scripts.iter().chain(&maintainer).map(|name| shipped(name));
    let verdict = judged(program(&tools, "shellcheck").args(scripts));
    assert_eq!(verdict, Ok(String::new()));
}

#[test]
fn prometheus_takes_the_configuration_of_the_compose_file() {
    needs!("prometheus");
    let workdir = workdir!();
    let config = workdir.write("prometheus.yml", text("compose/prometheus.yml"));
    workdir.write("alerts.yml", text("../docs/alerts.yml"));
    let said = Promtool::new().check_config(&config).unwrap();
    assert!(said.contains("1 rule files found"), "{said}");
}

#[test]
fn alertmanager_takes_the_example() {
    let tools = needs!("deploy_tools");
    let workdir = workdir!();
    let check = |file: &Path| {
        let mut amtool = Command::new(Path::new(&tools).join("usr/bin/amtool"));
        judged(amtool.arg("check-config").arg(file))
    };
    let said = check(&shipped("alertmanager/alertmanager.yml")).unwrap();
    assert!(said.contains("2 receivers"), "{said}");
    let config = text("alertmanager/alertmanager.yml");
    let misspelt = config.replace("inhibit_rules", "inhibit_rule");
    assert!(check(&workdir.write("misspelt.yml", misspelt)).is_err());

    let rules = text("../docs/alerts.yml");
    let names = config.split(|letter: char| !letter.is_ascii_alphanumeric());
    for name in names.filter(|word| word.starts_with("Flowgauge")) {
        assert!(rules.contains(&format!("alert: {name}\n")), "there is no alert {name}");
    }
}

/// The alerts on what Kubernetes and systemd know go by name.
#[test]
fn jobs_and_units_have_the_names_that_alerts_look_for() {
    let rules = text("../docs/alerts.yml");
    let looked_for = |label: &str| {
        let (_, after) = rules.split_once(&format!("{label}=~\"")).unwrap();
        after.split_once(".*\"").unwrap().0.to_string()
    };
    for name in ["kubernetes/cronjob-file.yaml", "kubernetes/cronjob-table.yaml"] {
        let text = text(name);
        let (_, job) = text.split_once("kind: CronJob\n").unwrap();
        let job = job.lines().find_map(|line| line.strip_prefix("  name: ")).unwrap();
        assert!(job.starts_with(&looked_for("job_name")), "{name}: {job}");
    }
    for entry in fs::read_dir(shipped("systemd")).unwrap() {
        let unit = entry.unwrap().file_name().into_string().unwrap();
        if unit.ends_with(".service") {
            assert!(unit.starts_with(&looked_for("name")), "{unit}");
        }
    }
}

/// Its own tests are in `dashboard`.
#[test]
fn the_dashboard_is_the_one_that_is_printed() {
    let printed = workdir!().flowgauge().args(["metrics", "dashboard"]).run();
    printed.assert_code(0);
    let name = "compose/grafana/dashboards/flowgauge.json";
    let shipped = fs::read_to_string(shipped(name)).unwrap_or_default();
    if shipped != printed.stdout {
        eprintln!("where a change of it is meant: flowgauge metrics dashboard > deploy/{name}");
    }
    assert_same_text(name, &shipped, &printed.stdout);
}

#[test]
fn every_flag_of_flowgauge_in_these_files_exists() {
    let of_exporter = ["host", "port"];
    let mut count = 0;
    let mut check = |name: &str, word: &str| {
        let Some(flag) = word.strip_prefix("--") else { return };
        let flag = flag.split('=').next().unwrap();
        let is_known = Opt::find(flag).is_some() || of_exporter.contains(&flag);
        assert!(is_known, "{name} names --{flag}, which there is not");
        count += 1;
    };
    for name in ["systemd/flowgauge@.service", "systemd/flowgauge-exporter.service"] {
        let text = text(name);
        let starts = text.lines().filter_map(|line| line.strip_prefix("ExecStart=flowgauge "));
        starts.flat_map(str::split_whitespace).for_each(|word| check(name, word));
    }
    for name in ["kubernetes/cronjob-file.yaml", "kubernetes/cronjob-table.yaml"] {
        arguments(name).iter().for_each(|word| check(name, word));
    }
    let compose = text("compose/compose.yaml");
    let commands =
        compose.lines().filter(|line| line.contains("flowgauge run") || line.contains("[exporter"));
    let words = commands.flat_map(|line| line.split([' ', ',', '[', ']', ';', '"']));
    words.for_each(|word| check("compose/compose.yaml", word));
    assert!(count > 20, "{count}");
}

/// The packages of the program that these tests are built with.
#[test]
fn the_debian_packages_are_without_complaint() {
    needs!("deploy_tools");
    let workdir = workdir!();
    let stripped = workdir.path("flowgauge");
    let mut strip = Command::new("strip");
    judged(strip.arg("--remove-section=.comment").arg("-o").arg(&stripped).arg(flowgauge()))
        .unwrap();
    let mut keep = Command::new("objcopy");
    keep.args(["--only-keep-debug", "--compress-debug-sections=zlib"]).arg(flowgauge());
    judged(keep.arg(workdir.path("flowgauge.debug"))).unwrap();
    let mut package = Command::new(shipped("package"));
    package.arg("--binary").arg(&stripped).arg("--out").arg(workdir.path("out"));
    // A minute less than the best compression takes.
    package.env("DPKG_DEB_COMPRESSOR_TYPE", "gzip").env("DPKG_DEB_COMPRESSOR_LEVEL", "1");
    package.env("SOURCE_DATE_EPOCH", "1800000000");
    judged(&mut package).unwrap();
    let sums = workdir.read("out/SHA256SUMS");
    let names = sums.lines().map(|line| line.split_whitespace().nth(1).unwrap());
    let packages: Vec<PathBuf> = names.map(|name| workdir.path("out").join(name)).collect();
    let [symbols, program] = &packages[..] else { panic!("{packages:?}") };
    judged(
        Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(workdir.path("out")),
    )
    .unwrap();

    let mut lintian = Command::new("lintian");
    // Whose address it is, is for whoever gives it away.
    let suppressed = "bogus-mail-host,bogus-mail-host-in-debian-changelog";
    lintian.args(["--allow-root", "--fail-on", "error,warning", "--suppress-tags", suppressed]);
    assert_eq!(judged(lintian.args(&packages)), Ok(String::new()));

    let contents = judged(Command::new("dpkg-deb").arg("--contents").arg(program)).unwrap();
    for path in [
        "./usr/bin/flowgauge",
        "./usr/share/man/man1/flowgauge-exporter.1.gz",
        "./usr/share/bash-completion/completions/flowgauge",
        "./usr/share/doc/flowgauge/THIRD-PARTY.gz",
        "./lib/systemd/system/flowgauge@.timer",
        "./etc/flowgauge/syncs.toml",
    ] {
        assert!(contents.lines().any(|line| line.ends_with(path)), "{path}:\n{contents}");
    }

    // Where backtraces, gdb and perf look for it.
    let notes = judged(Command::new("readelf").arg("--notes").arg(&stripped)).unwrap();
    let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: ")).unwrap();
    let path = format!("./usr/lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..]);
    let contents = judged(Command::new("dpkg-deb").arg("--contents").arg(symbols)).unwrap();
    assert!(contents.lines().any(|line| line.ends_with(&path)), "{path}:\n{contents}");

    // The same program makes the same packages; the line tables of another one are left out.
    let contents = packages.iter().map(fs::read).collect::<Result<Vec<_>, _>>().unwrap();
    judged(&mut package).unwrap();
    for (path, first) in packages.iter().zip(&contents) {
        assert!(fs::read(path).unwrap() == *first, "{path:?} differs from the one before");
    }
    fs::remove_file(symbols).unwrap();
    fs::copy(Path::new("/bin/true"), workdir.path("flowgauge.debug")).unwrap();
    judged(&mut package).unwrap();
    assert!(!symbols.exists(), "symbols of another program were packaged");
}
