//! A database on a real server that one test has for itself, with an account that may do nothing
//! else, and connections of the test's own to look into it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, Value};
use tokio::runtime::Runtime;

use super::{Flowgauge, Workdir, eventually};

/// Of every account that the program logs in with. It must not turn up in anything it says.
pub const SECRET: &str = "seS4me-0pens";

/// A server, and how an administrator gets in.
#[derive(Clone, Debug)]
pub struct Server {
    /// Such as `127.0.0.1:3306`.
    pub address: String,
    pub is_mariadb: bool,
    /// What `private-mysql` calls one like it.
    pub kind: &'static str,
}

impl Server {
    pub fn mariadb(address: String) -> Server {
        Server { address, is_mariadb: true, kind: "mariadb" }
    }

    pub fn mariadb11(address: String) -> Server {
        Server { address, is_mariadb: true, kind: "mariadb11" }
    }

    pub fn mysql(address: String) -> Server {
        Server { address, is_mariadb: false, kind: "mysql" }
    }

    pub fn port(&self) -> u16 {
        self.address.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap()
    }

    pub fn try_connect(&self) -> mysql_async::Result<Client> {
        Client::connect(self, "")
    }

    #[track_caller]
    pub fn connect(&self) -> Client {
        self.try_connect().unwrap_or_else(|error| panic!("no way to {}: {error}", self.address))
    }
}

/// What a server says that does not do what it is told.
pub struct Refusal {
    pub code: u16,
    pub message: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (error {})", self.message, self.code)
    }
}

/// A connection as root. Dropping it ends it, and its transaction.
pub struct Client {
    runtime: Runtime,
    conn: RefCell<Conn>,
}

impl Client {
    fn connect(server: &Server, database: &str) -> mysql_async::Result<Client> {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(server.port())
            .user(Some("root"))
            .pass(Some("password"))
            .prefer_socket(false)
            .db_name((!database.is_empty()).then_some(database));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let conn = RefCell::new(runtime.block_on(Conn::new(options))?);
        Ok(Client { runtime, conn })
    }

    /// The server's number where it refuses.
    pub fn try_run(&self, sql: impl AsRef<[u8]>) -> Result<(), u16> {
        let sql = sql.as_ref();
        match self.runtime.block_on(self.conn.borrow_mut().query_drop(sql)) {
            Ok(()) => Ok(()),
            Err(mysql_async::Error::Server(error)) => Err(error.code),
            Err(error) => panic!("{error}: {}", String::from_utf8_lossy(sql)),
        }
    }

    /// How many rows the statement changed, as the server counts: an update is two.
    pub fn try_affected(&self, sql: &str) -> Result<u64, Refusal> {
        let mut conn = self.conn.borrow_mut();
        match self.runtime.block_on(conn.query_drop(sql)) {
            Ok(()) => Ok(conn.affected_rows()),
            Err(mysql_async::Error::Server(error)) => {
                Err(Refusal { code: error.code, message: error.message })
            }
            Err(error) => panic!("{error}: {sql}"),
        }
    }

    #[track_caller]
    pub fn run(&self, sql: impl AsRef<[u8]>) {
        let sql = sql.as_ref();
        let done = self.runtime.block_on(self.conn.borrow_mut().query_drop(sql));
        done.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(sql)));
    }

    /// Rows of cells as text. What may hold other bytes is to be asked for by HEX(); a list of
    /// processes has the statements of others, cut anywhere.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let rows = self.runtime.block_on(self.conn.borrow_mut().query::<Row, _>(sql));
        let rows = rows.unwrap_or_else(|error| panic!("{error}: {sql}"));
        let cell = |value| match value {
            Value::NULL => None,
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            other => Some(other.as_sql(false)),
        };
        rows.into_iter().map(|row| row.unwrap().into_iter().map(cell).collect()).collect()
    }

    /// Rows as `1|x|NULL`.
    #[track_caller]
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let shown = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_string());
        let line = |row: Vec<Option<String>>| row.into_iter().map(shown).collect::<Vec<_>>();
        self.rows(sql).into_iter().map(|row| line(row).join("|")).collect()
    }

    /// The first cell of the only row.
    #[track_caller]
    pub fn text(&self, sql: &str) -> String {
        match &self.lines(sql)[..] {
            [line] => line.clone(),
            lines => panic!("{lines:?} from {sql}"),
        }
    }

    #[track_caller]
    pub fn number(&self, sql: &str) -> u64 {
        self.text(sql).parse().unwrap()
    }
}

/// Gone when it is dropped, and its account with it.
pub struct Database {
    pub name: String,
    pub server: Server,
    /// A connection for the test's questions, in this database.
    pub client: Client,
}

impl Database {
    #[track_caller]
    pub fn new(server: &Server) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fg_{}_{number}", std::process::id());
        let root = server.connect();
        root.run(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
        root.run(format!("CREATE USER {name}@'%' IDENTIFIED BY '{SECRET}'"));
        root.run(format!("GRANT ALL ON {name}.* TO {name}@'%'"));
        let client = Client::connect(server, &name).unwrap();
        Database { name, server: server.clone(), client }
    }

    /// Another connection, for locks that the test holds.
    #[track_caller]
    pub fn connect(&self) -> Client {
        Client::connect(&self.server, &self.name).unwrap()
    }

    pub fn url(&self) -> String {
        format!("mysql://{}@{}/{}", self.name, self.server.address, self.name)
    }

    /// The program with everything that it takes to reach this database.
    pub fn flowgauge(&self, workdir: &Workdir) -> Flowgauge {
        let program = workdir.flowgauge().args(["--db-url", &self.url()]);
        program.env("FLOWGAUGE_DB_PASS", SECRET)
    }

    /// Blocks until a statement of the account waits for a lock on rows of this database, and gives
    /// the number of its connection.
    #[track_caller]
    pub fn wait_for_waiter(&self) -> u32 {
        // Not by information_schema: INNODB_TRX seems to stay as it was while it is asked often, and
        // MariaDB 10.11 crashed in ha_maria::drop_table when that was joined with PROCESSLIST.
        eventually("a statement that waits for a lock", || {
            let status = self.client.rows("SHOW ENGINE INNODB STATUS");
            let status = status[0][2].as_deref().unwrap_or_default();
            let table = format!(" table `{}`.", self.name);
            // MariaDB's dictionary is tables as well: who creates one waits for others who do.
            let mut waiting = status.split("---TRANSACTION ").skip(1).filter(|text| {
                let lock = text.split_once("FOR THIS LOCK TO BE GRANTED:");
                lock.is_some_and(|(_, lock)| lock.contains(&table))
            });
            let own = self.connections();
            waiting.find_map(|text| {
                let (_, rest) = text.split_once(" thread id ")?;
                let id = rest.split(',').next()?.parse().ok()?;
                own.contains(&id).then_some(id)
            })
        })
    }

    /// The account's connections.
    pub fn connections(&self) -> Vec<u32> {
        connections(&self.client, &self.name)
    }
}

fn connections(client: &Client, user: &str) -> Vec<u32> {
    let rows = client.rows("SHOW PROCESSLIST");
    let own = rows.iter().filter(|row| row[1].as_deref() == Some(user));
    own.filter_map(|row| row[0].as_ref()?.parse().ok()).collect()
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that the test stopped has nothing to drop.
        let Ok(root) = self.server.try_connect() else { return };
        // What a killed run left open would hold the tables.
        for id in connections(&root, &self.name) {
            let _ = root.try_run(format!("KILL {id}"));
        }
        // A connection of the test that failed holds locks as long as it lives: not waited for long.
        root.run("SET lock_wait_timeout = 2");
        let _ = root.try_run(format!("DROP DATABASE {}", self.name));
        let _ = root.try_run(format!("DROP USER {}@'%'", self.name));
    }
}

/// Tests that run against both servers, and against a newer MariaDB where one is named. What follows is
/// the names of functions that take a `&Server`.
macro_rules! on_both {
    ($mariadb:expr, $mysql:expr, $mariadb11:expr; $($name:ident)*) => {
        crate::support::on_both! { $mariadb, $mysql; $($name)* }
        mod mariadb11 {
            use crate::support::needs;
            $(#[test] fn $name() { super::$name(&crate::support::database::Server::mariadb11($mariadb11)); })*
        }
    };
    ($mariadb:expr, $mysql:expr; $($name:ident)*) => {
        mod mariadb {
            use crate::support::needs;
            $(#[test] fn $name() { super::$name(&crate::support::database::Server::mariadb($mariadb)); })*
        }
        mod mysql {
            use crate::support::needs;
            $(#[test] fn $name() { super::$name(&crate::support::database::Server::mysql($mysql)); })*
        }
    };
}
pub(crate) use on_both;
