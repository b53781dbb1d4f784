//! Servers that are set as nobody would wish them, accounts that may not do what is needed, and every
//! way to log in.

use std::process::Command;

use crate::support::database::SECRET;
use crate::support::{Database, Load, PrivateServer, Server, Workdir, on_both, workdir};

on_both! {
    needs!("mariadb"),
    needs!("mysql"),
    needs!("mariadb11");
    a_server_that_is_lenient_small_and_without_load_data
    a_table_that_cannot_roll_back
    accounts_without_what_it_takes
    passwords_from_everywhere
    certificates
}

fn a_server_that_is_lenient_small_and_without_load_data(server: &Server) {
    let options = ["--sql-mode=", "--local-infile=0", "--max-allowed-packet=1M"];
    let private = PrivateServer::start(server, workdir!(), &options);
    let database = Database::new(&private.server);
    let client = &database.client;
    let columns = "(k INT PRIMARY KEY, v LONGTEXT CHARACTER SET latin2)";
    client.run(format!("CREATE TABLE t {columns}"));

    // Rows larger than a packet, smaller than one, and many that are together much larger.
    let large = "x".repeat(1_500_000);
    let small = "y".repeat(300_000);
    let lines: String = (10..20).map(|k| format!("{k},{small}\n")).collect();
    let text = format!("k,v\n1,a\n2,{large}\n3,中\n{lines}");
    for mode in ["insert", "skip", "upsert"] {
        client.run("DELETE FROM t");
        let loaded = Load::csv(&database, workdir!(), &text)
            .with("--max-errors 2 --mode")
            .with(mode)
            .run()
            .completes()
            .says("SET GLOBAL local_infile = ON")
            .rejected(&["3: too_large", "4:v encoding"])
            .counts("read 13, inserted 11, failed 2");
        let said = loaded.finished.stderr.matches("rows go by INSERT").count();
        assert_eq!(said, 1, "{}", loaded.finished);
        let sql = "SELECT COUNT(*), SUM(LENGTH(v)), MAX(v) FROM t";
        assert_eq!(client.lines(sql)[0].len(), "11|3000001|".len() + small.len(), "{mode}");
    }

    // LOAD DATA takes fields larger than a packet.
    client.run("SET GLOBAL local_infile = ON");
    client.run("DROP TABLE t");
    client.run("CREATE TABLE t (k INT PRIMARY KEY, v LONGTEXT, w VARBINARY(9) UNIQUE)");
    Load::csv(&database, workdir!(), format!("k,v,w\n1,{large},a\n2,b,b\n"))
        .run()
        .completes()
        .counts("read 2, inserted 2");
    assert_eq!(client.number("SELECT SUM(LENGTH(v)) FROM t"), 1_500_001);

    // Nobody else gets in, for now.
    client.run("SET GLOBAL max_connections = 10");
    let others: Vec<_> = std::iter::from_fn(|| private.server.try_connect().ok()).collect();
    let load = Load::csv(&database, workdir!(), "k,v\n3,c\n");
    let mut running = load.program().spawn();
    running.wait_for_line("(error 1040)");
    drop(others);
    client.run("SET GLOBAL max_connections = 100");
    load.ended(running.finish()).completes();

    // Nobody may write, for now.
    client.run("SET GLOBAL read_only = ON");
    let load = Load::csv(&database, workdir!(), "k,v\n4,d\n");
    let mut running = load.program().spawn();
    running.wait_for_line("(error 1290)");
    client.run("SET GLOBAL read_only = OFF");
    load.ended(running.finish()).completes();
    assert_eq!(client.number("SELECT COUNT(*) FROM t"), 4);

    // Over the socket.
    let workdir = workdir!();
    workdir.write("in.csv", "k,v\n5,e\n");
    let socket = private.socket();
    let args = format!(
        "--csv-file in.csv --db-socket {} --db-user {} --db-name {} --db-table t",
        socket.display(),
        database.name,
        database.name
    );
    let program = workdir.flowgauge().args(args.split(' ')).env("FLOWGAUGE_DB_PASS", SECRET);
    program.run().assert_code(0);
    assert_eq!(client.number("SELECT COUNT(*) FROM t"), 5);
}

fn a_table_that_cannot_roll_back(server: &Server) {
    let database = Database::new(server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY, CHECK (k <> 3)) ENGINE=MyISAM");
    let load = || Load::csv(&database, workdir!(), "k\n1\n2\n3\n4\n2\n").with("--max-errors 1");
    load().run().ends_with(2).says("MyISAM").says("--allow-non-transactional");
    assert_eq!(client.number("SELECT COUNT(*) FROM t"), 0);
    load()
        .with("--allow-non-transactional")
        .run()
        .completes()
        .says("may be there twice")
        .counts("read 5, inserted 3, duplicate 1, failed 1")
        .rejected(&["4: constraint"]);
    assert_eq!(client.lines("SELECT k FROM t ORDER BY k"), ["1", "2", "4"]);
}

fn accounts_without_what_it_takes(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    let load = || Load::csv(&database, workdir!(), "k\n1\n");
    load()
        .env("FLOWGAUGE_DB_PASS", "wrong")
        .run()
        .ends_with(2)
        .says("(error 1045)")
        .says("--db-pass");
    load().with("--db-name nowhere").run().ends_with(2).says("(error 1044)").says("--db-name");
    load().with("--db-table nowhere").run().ends_with(2).says("nowhere");
    // MySQL makes up a way to log in for an account that it does not have, another one for each
    // name, and it may be one that the driver does not know.
    load().with("--db-user nobody").run().ends_with(2).says("--db-user");
    let name = &database.name;
    let grant = |rights: &str| {
        database.client.run(format!("REVOKE ALL ON {name}.* FROM {name}@'%'"));
        database.client.run(format!("GRANT {rights} ON {name}.* TO {name}@'%'"));
    };
    grant("SELECT");
    load().run().ends_with(2).says("(error 1142)");
    // Those that README names, with the state tables there.
    grant("SELECT, INSERT, UPDATE, DELETE, CREATE");
    load().run().completes().counts("read 1, inserted 1");
    grant("SELECT, INSERT, UPDATE, DELETE");
    load().run().completes().counts("read 1, duplicate 1");
    // Without the right to make a temporary table, another way.
    load().with("--mode upsert").run().completes().counts("read 1, unchanged 1");
    let administrator = server.connect();
    let sql = "CREATE DATABASE IF NOT EXISTS ";
    administrator.run(format!("{sql}{name}_x"));
    let outcome = load().with("--db-table").with(&format!("{name}_x.t")).run();
    administrator.run(format!("DROP DATABASE {name}_x"));
    outcome.ends_with(2).says("(error 1044)");
}

fn passwords_from_everywhere(server: &Server) {
    let database = Database::new(server);
    database.client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    let url = database.url();
    let url_with = url.replacen('@', &format!(":{SECRET}@"), 1);
    let begin = |workdir: &Workdir| {
        workdir.write("in.csv", "k\n1\n");
        workdir.write("secret/db-pass", format!("{SECRET}\n"));
        workdir.flowgauge().args(["--csv-file", "in.csv", "--db-table", "t"])
    };
    for (args, variable, warning) in [
        (vec!["--db-url", &url, "--db-pass-file", "secret/db-pass"], ("X", ""), ""),
        (vec!["--db-url", &url], ("FLOWGAUGE_DB_PASS", SECRET), ""),
        (vec!["--db-url", &url], ("CREDENTIALS_DIRECTORY", "secret"), ""),
        (vec![], ("FLOWGAUGE_DB_URL", url_with.as_str()), ""),
        (vec!["--db-url", &url_with], ("X", ""), "--db-url can be read by other users"),
        (vec!["--db-url", &url, "--db-pass", SECRET], ("X", ""), "--db-pass can be read by other"),
    ] {
        let workdir = workdir!();
        let finished = begin(&workdir).args(args).env(variable.0, variable.1).run();
        finished.assert_code(0).assert_stderr_has(warning);
        assert!(!finished.stderr.contains(SECRET), "{finished}");
        assert_eq!(finished.stderr.contains("can be read by other"), !warning.is_empty());
    }
    // Two are one too many.
    let workdir = workdir!();
    let finished = begin(&workdir)
        .args(["--db-url", &url, "--db-pass-file", "secret/db-pass"])
        .env("FLOWGAUGE_DB_PASS", SECRET)
        .run();
    assert!(!finished.stderr.contains(SECRET), "{finished}");
}

/// An authority of our own, and a server's certificate for this machine. False without openssl.
fn make_certificates(workdir: &Workdir) -> bool {
    workdir.write("san", "subjectAltName=IP:127.0.0.1\n");
    let new = "req -new -newkey rsa:2048 -nodes -subj";
    for args in [
        format!("{new} /CN=ca -x509 -days 9 -keyout ca.key -out ca.pem"),
        format!("{new} /CN=other -x509 -days 9 -keyout other.key -out other.pem"),
        format!("{new} /CN=server -keyout server.key -out server.csr"),
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile san -out server.pem"
            .to_string(),
    ] {
        let made = Command::new("openssl").args(args.split(' ')).current_dir(workdir.root()).output();
        let Ok(made) = made else { return false };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    true
}

fn certificates(server: &Server) {
    let files = workdir!();
    if !make_certificates(&files) {
        assert!(std::env::var_os("FLOWGAUGE_TEST_ALL").is_none(), "there is no openssl");
        eprintln!("not run: there is no openssl");
        return;
    }
    let path = |name: &str| files.path(name).display().to_string();
    let options = [("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key")]
        .map(|(option, name)| format!("--ssl-{option}={}", path(name)));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let private = PrivateServer::start(server, workdir!(), &options);
    let database = Database::new(&private.server);
    let client = &database.client;
    client.run("CREATE TABLE t (k INT PRIMARY KEY)");
    client.run(format!("ALTER USER {}@'%' REQUIRE SSL", database.name));
    let load = |args: &str| Load::csv(&database, workdir!(), "k\n1\n").with(args).run();
    let (ca, other) = (path("ca.pem"), path("other.pem"));

    load("").ends_with(2).says("(error 1045)").says("--db-ssl-mode");
    load("--db-ssl-mode required").completes();
    load(&format!("--db-ca {ca}")).completes();
    load(&format!("--db-ssl-mode verify-ca --db-ca {ca}")).completes();
    load(&format!("--db-ssl-mode verify-identity --db-ca {ca}")).completes();
    for mode in ["verify-ca", "verify-identity"] {
        load(&format!("--db-ssl-mode {mode} --db-ca {other}")).ends_with(2).says("--db-ca");
        load(&format!("--db-ssl-mode {mode}")).ends_with(2).says("--db-ca");
    }
    // By another name it is somebody else.
    load(&format!("--db-ssl-mode verify-identity --db-ca {ca} --db-host localhost"))
        .ends_with(2)
        .says("verify-ca");
    load(&format!("--db-ssl-mode verify-ca --db-ca {ca} --db-host localhost")).completes();
    load(&format!("--db-ssl-mode required --db-ca {other}"))
        .completes()
        .says("--db-ca is not looked at with --db-ssl-mode required");
    load(&format!("--db-ssl-mode verify-ca --db-ca {}", path("server.key"))).ends_with(2);
}
