//! Connecting: the driver's options, what the server is, and a session in which every statement means
//! the same on every server.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::Conn;

use super::connection::{Session, within};
use super::{encryption, pinning, server_variables};
use crate::error::{Error, Result};
use crate::sink::mysql::settings::{Address, MysqlSettings};
use crate::sink::mysql::trouble::{During, Tried, Trouble};

/// Statements a connection keeps prepared: the lanes have a handful, of a full batch and its rest.
const STATEMENTS_KEPT: usize = 16;

/// A dead way is noticed by the system within minutes, whoever waits for whom.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Connects and pins the session.
pub async fn connect(settings: &MysqlSettings) -> Result<Session> {
    Ok(try_connect(settings).await?)
}

/// The same, for whoever wants to know what kind of failure it was.
pub async fn try_connect(settings: &MysqlSettings) -> Tried<Session> {
    let address = settings.address.to_string();
    let options = options(settings).map_err(Trouble::Stop)?;
    let connecting = Box::pin(Conn::new(options));
    let conn = within(settings.connect_timeout, During::Connect, &address, connecting).await?;
    let mut session = Session::new(conn, address, settings.statement_timeout);
    pinning::lift_limits(&mut session).await?;
    session.server = Arc::new(server_variables::read(&mut session).await?);
    pinning::pin(&mut session, settings).await?;
    Ok(session)
}

fn options(settings: &MysqlSettings) -> Result<mysql_async::OptsBuilder> {
    let options = mysql_async::OptsBuilder::default()
        .user(Some(settings.user.clone()))
        .pass(settings.password.as_ref().map(|password| password.reveal().to_string()))
        .db_name(settings.full_table().database)
        // The driver would ask the server for the path of a socket and connect again by it.
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .tcp_nodelay(true)
        .stmt_cache_size(STATEMENTS_KEPT);
    Ok(match &settings.address {
        Address::Tcp { host, port } => options
            .ip_or_hostname(host.clone())
            .tcp_port(*port)
            .ssl_opts(encryption::options(&settings.tls)?),
        Address::Socket(path) => {
            let path = path.to_str().ok_or_else(|| {
                Error::config(format!("the socket's path '{}' is not UTF-8", path.display()))
            })?;
            options.socket(Some(path))
        }
    })
}
