//! A connection to a server, and the statements that run on it: none of them is waited for without end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mysql_async::consts::StatusFlags;
use mysql_async::prelude::{FromRow, Queryable, StatementLike};
use mysql_async::{Conn, LocalInfileError, Params, Row};

use super::server::ServerInfo;
use crate::error::{Error, Kind};
use crate::event::{Event, Observer, ResourceGuard, ServerResource, SqlOperation};
use crate::record::ErrorType;
use crate::sink::mysql::trouble::{self, During, Tried, Trouble};

/// How long a connection waits for the server's answer to its goodbye.
const GOODBYE_MAX: Duration = Duration::from_secs(60);

/// Twice what an ordinary INSERT of rows has.
pub(super) const SENT_BYTES_KEPT: usize = 512 << 10;

/// One piece of LOAD DATA text is a packet with a flush of its own.
const INFILE_PIECE_BYTES: usize = 256 << 10;

/// A connection. Whatever fails on it is sorted by `trouble`.
pub struct Session {
    conn: Conn,
    pub server: Arc<ServerInfo>,
    address: String,
    timeout: Duration,
    /// The server said of the last transaction that it had begun. A proxy may not pass that on.
    tells_of_transactions: bool,
    /// Bytes of the largest statement.
    sent_max: usize,
    has_loaded: bool,
    observed: Option<Observed>,
}

/// Who is told how long statements take, and that there is a connection.
struct Observed {
    observer: Arc<dyn Observer>,
    _guard: ResourceGuard,
}

/// What the server says of a statement that returned no rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub affected: u64,
    /// Saturates at 65,535; `info` has the true number.
    pub warnings: u16,
    /// Such as `Records: 3  Deleted: 0  Skipped: 1  Warnings: 1`.
    pub info: String,
}

/// Waits for an answer, and not for ever.
pub(super) async fn within<T>(
    limit: Duration,
    during: During,
    address: &str,
    answer: impl Future<Output = mysql_async::Result<T>>,
) -> Tried<T> {
    let asked = Instant::now();
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(failure)) => {
            Err(trouble::classify(&failure, during, address).after(asked.elapsed()))
        }
        Err(_) => Err(trouble::timed_out(during, address, limit)),
    }
}

impl Session {
    /// Nothing is known of the server yet, and the session is as the server makes it.
    pub(super) fn new(conn: Conn, address: String, timeout: Duration) -> Session {
        Session {
            conn,
            server: Arc::default(),
            address,
            timeout,
            tells_of_transactions: false,
            sent_max: 0,
            has_loaded: false,
            observed: None,
        }
    }

    /// From now on this observer is told what the connection does.
    pub fn observed_by(&mut self, observer: &Arc<dyn Observer>) {
        let _guard = ResourceGuard::new(observer, ServerResource::SqlConnection);
        self.observed = Some(Observed { observer: Arc::clone(observer), _guard });
    }

    /// The server's number of the connection.
    pub fn id(&self) -> u32 {
        self.conn.id()
    }

    /// For messages.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Runs a statement whose rows, if any, do not matter.
    pub async fn run(&mut self, sql: &str) -> Tried<Done> {
        self.run_during(During::Statement, SqlOperation::Statement, sql).await
    }

    /// The same of a statement that carries rows, or moves them.
    pub async fn write(&mut self, operation: SqlOperation, sql: &str) -> Tried<Done> {
        self.run_during(During::Statement, operation, sql).await
    }

    pub async fn begin(&mut self) -> Tried<()> {
        self.run("START TRANSACTION").await?;
        self.tells_of_transactions = self.is_in_transaction() == Some(true);
        Ok(())
    }

    /// Fails where the server has ended the transaction without a word: what was written in it is
    /// gone, and another statement would be on its own. Asks only after a failure, because other
    /// answers say it.
    pub async fn check_transaction(&mut self) -> Tried<()> {
        if !self.tells_of_transactions {
            return Ok(());
        }
        if self.is_in_transaction().is_none() {
            self.run("DO 1").await?;
        }
        match self.is_in_transaction() {
            Some(false) => Err(Trouble::Lost(Error::new(
                Kind::Unavailable,
                ErrorType::Other,
                format!("mysql server {}: it ended a transaction by itself", self.address),
            ))),
            _ => Ok(()),
        }
    }

    /// None after a failure.
    fn is_in_transaction(&self) -> Option<bool> {
        let answer = self.conn.last_ok_packet()?;
        Some(answer.status_flags().contains(StatusFlags::SERVER_STATUS_IN_TRANS))
    }

    /// A lost answer is of kind `Unknown`.
    pub async fn commit(&mut self) -> Tried<Done> {
        self.run_during(During::Commit, SqlOperation::Commit, "COMMIT").await
    }

    /// LOAD DATA was tried on this connection, for whatever segment.
    pub fn has_loaded(&self) -> bool {
        self.has_loaded
    }

    /// So much, in one statement, that the driver keeps more memory for it than a connection is worth.
    pub fn has_sent_much(&self) -> bool {
        self.sent_max > SENT_BYTES_KEPT
    }

    async fn run_during(
        &mut self,
        during: During,
        operation: SqlOperation,
        sql: &str,
    ) -> Tried<Done> {
        self.sent_max = self.sent_max.max(sql.len());
        let asked = Instant::now();
        let answer = within(self.timeout, during, &self.address, self.conn.query_drop(sql)).await;
        if let Some(Observed { observer, .. }) = &self.observed {
            observer.notice(&Event::Queried { operation, took: asked.elapsed() });
        }
        answer?;
        Ok(self.done())
    }

    /// The rows of a query, of which there have to be few.
    pub async fn rows<T>(&mut self, sql: &str) -> Tried<Vec<T>>
    where
        T: FromRow + Send + 'static,
    {
        let answer = self.conn.query(sql);
        let rows = within(self.timeout, During::Statement, &self.address, answer).await?;
        self.converted(rows)
    }

    /// The same with parameters.
    pub async fn rows_with<T>(
        &mut self,
        sql: impl StatementLike,
        parameters: impl Into<Params> + Send,
    ) -> Tried<Vec<T>>
    where
        T: FromRow + Send + 'static,
    {
        let answer = self.conn.exec(sql, parameters);
        let rows = within(self.timeout, During::Statement, &self.address, answer).await?;
        self.converted(rows)
    }

    /// The driver would panic where a value is of another type than was expected, or NULL: servers
    /// answer so of what an account may not see.
    fn converted<T: FromRow>(&self, rows: Vec<Row>) -> Tried<Vec<T>> {
        let convert = |row| {
            T::from_row_opt(row).map_err(|_| {
                Trouble::Stop(
                    Error::new(
                        Kind::Config,
                        ErrorType::Protocol,
                        format!(
                            "mysql server {}: it answers a question with other columns than expected",
                            self.address
                        ),
                    )
                    .help("is there a proxy in between, or does the account lack SELECT on the table?"),
                )
            })
        };
        rows.into_iter().map(convert).collect()
    }

    /// Runs LOAD DATA LOCAL with this text, whatever file the server names. Nothing is ever read
    /// from a file, and there is no handler for any other statement.
    pub async fn load(&mut self, sql: &str, text: Bytes) -> Tried<Done> {
        self.has_loaded = true;
        self.conn.set_infile_handler(async { Ok(Box::pin(Pieces(text)) as _) });
        let done = self.write(SqlOperation::LoadData, sql).await;
        // A statement that failed before it asked leaves it behind, for whoever asks next.
        self.conn.set_infile_handler(async { Err(LocalInfileError::NoHandler.into()) });
        done
    }

    /// Has the server keep a warning for each row that a statement skips, and says how many it keeps:
    /// MySQL wants a right for more than it does by itself.
    pub async fn keep_warnings(&mut self) -> Tried<u64> {
        match self.run("SET SESSION max_error_count = 65535").await {
            Ok(_) | Err(Trouble::Stop(_)) => {}
            Err(trouble) => return Err(trouble),
        }
        Ok(self
            .rows::<u64>("SELECT @@SESSION.max_error_count")
            .await?
            .first()
            .copied()
            .unwrap_or(0))
    }

    /// How many warnings of the last statement the server kept, and how many of them say that a row
    /// meets another by a key that is one of these.
    pub async fn duplicates(
        &mut self,
        is_one: impl Fn(&str) -> bool + Send + Sync,
    ) -> Tried<(u64, u64)> {
        let count = |(told, met): (u64, u64), (_, code, message): (String, u16, String)| {
            let is_met = trouble::key_met(code, &message).is_some_and(|key| is_one(&key));
            (told + 1, met + u64::from(is_met))
        };
        let answer = self.conn.query_fold("SHOW WARNINGS", (0, 0), count);
        within(self.timeout, During::Statement, &self.address, answer).await
    }

    /// Has the server check a statement, its rights among it, without running it.
    pub async fn can_prepare(&mut self, sql: &str) -> Tried<()> {
        let answer = self.conn.prep(sql);
        let prepared = within(self.timeout, During::Statement, &self.address, answer).await?;
        let answer = self.conn.close(prepared);
        within(self.timeout, During::Statement, &self.address, answer).await
    }

    /// Says goodbye. What was not committed is rolled back.
    pub async fn close(self) {
        let _ = tokio::time::timeout(self.timeout.min(GOODBYE_MAX), self.conn.disconnect()).await;
    }

    fn done(&self) -> Done {
        Done {
            affected: self.conn.affected_rows(),
            warnings: self.conn.get_warnings(),
            info: self.conn.info().into_owned(),
        }
    }
}

/// Text in pieces, without copying it. It cannot fail: after a failure the driver would tell the
/// server that all is said, and the server would take a part.
struct Pieces(Bytes);

impl futures_core::Stream for Pieces {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.0.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.0.len().min(INFILE_PIECE_BYTES);
        Poll::Ready(Some(Ok(self.0.split_to(length))))
    }
}
