//! Drives the ways out on a thread of its own: in their rhythm while the run is on, and all of them side
//! by side when it has ended.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::chance::chance;
use crate::error::{Error, Kind, Result};
use crate::export::{Rhythm, Route, RunEnd};
use crate::observe::Moment;
use crate::record::ErrorType;
use crate::report::RouteReport;

/// How often it is tried to tell of an end, and the longest pause before the second try, which doubles.
const TRIES_MAX: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// Whoever waits for the end also listens to signals.
const LOOK_EVERY: Duration = Duration::from_millis(20);

type Read = Arc<dyn Fn() -> Moment + Send + Sync>;
type LastWord = watch::Receiver<Option<Arc<Last>>>;
/// Which route, and what became of it; none where it was not wanted.
type Answer = (usize, Option<Result<()>>);

/// The end, since when it is known, and until when it can be told.
struct Last {
    end: RunEnd,
    since: Instant,
    deadline: Instant,
}

pub struct Exporter {
    names: Vec<RouteName>,
    waiting: Option<(Vec<Box<dyn Route>>, Read)>,
    last: watch::Sender<Option<Arc<Last>>>,
    answers: Receiver<Answer>,
    answering: Option<Sender<Answer>>,
}

struct RouteName {
    name: &'static str,
    aim: String,
}

impl Exporter {
    /// `read` takes the numbers of the run as they are.
    pub fn new(
        routes: Vec<Box<dyn Route>>,
        read: impl Fn() -> Moment + Send + Sync + 'static,
    ) -> Exporter {
        let name = |route: &dyn Route| RouteName { name: route.name(), aim: route.aim() };
        let names = routes.iter().map(|route| name(&**route)).collect();
        let (answering, answers) = mpsc::channel();
        let (last, _) = watch::channel(None);
        let waiting = Some((routes, Arc::new(read) as Read));
        Exporter { names, waiting, last, answers, answering: Some(answering) }
    }

    /// The run holds what it needs, so that no other one tells of the same pipeline.
    pub fn begin(&mut self) -> Result<()> {
        let (Some((routes, read)), Some(answering)) = (self.waiting.take(), self.answering.take())
        else {
            return Ok(());
        };
        if routes.is_empty() {
            return Ok(());
        }
        let failed =
            |cause| Error::local_io("cannot start the thread that tells of the run", cause);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let last = self.last.subscribe();
        std::thread::Builder::new()
            .name("export".to_string())
            .spawn(move || drive(runtime, routes, read, &last, &answering))
            .map_err(failed)?;
        Ok(())
    }

    /// Tells of the end, and waits for that up to `allowance`, or until `is_let_go`.
    pub fn finish(
        mut self,
        end: RunEnd,
        allowance: Duration,
        is_let_go: impl Fn() -> bool,
    ) -> Vec<RouteReport> {
        let since = Instant::now();
        let deadline = since + allowance;
        self.last.send_replace(Some(Arc::new(Last { end, since, deadline })));
        // One that was refused has not begun, and has nothing to tell but its end.
        if let Err(error) = self.begin() {
            return self.all(&error.to_string());
        }
        let mut answers: Vec<Option<Option<Result<()>>>> =
            self.names.iter().map(|_| None).collect();
        let mut why_missing = "it broke off".to_string();
        while answers.iter().any(Option::is_none) {
            match self.answers.recv_timeout(LOOK_EVERY) {
                Ok((index, answer)) => answers[index] = Some(answer),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if is_let_go() => {
                    why_missing = "a second signal ended it".to_string();
                    break;
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() > deadline + LOOK_EVERY => {
                    why_missing = too_late(allowance);
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let reports = self.names.iter().zip(answers).filter_map(|(route, answer)| {
            let reason = match answer {
                None => Some(why_missing.clone()),
                Some(None) => return None,
                Some(Some(answer)) => answer.err().map(|error| error.to_string()),
            };
            Some(route.report(reason))
        });
        reports.collect()
    }

    fn all(&self, reason: &str) -> Vec<RouteReport> {
        self.names.iter().map(|route| route.report(Some(reason.to_string()))).collect()
    }
}

impl RouteName {
    fn report(&self, reason: Option<String>) -> RouteReport {
        RouteReport { route: self.name, aim: self.aim.clone(), reason }
    }
}

fn too_late(allowance: Duration) -> String {
    format!("it was not done within {:.0} s", allowance.as_secs_f64())
}

fn drive(
    runtime: Runtime,
    routes: Vec<Box<dyn Route>>,
    read: Read,
    last: &LastWord,
    answering: &Sender<Answer>,
) {
    runtime.block_on(async {
        let mut under_way = JoinSet::new();
        for (index, route) in routes.into_iter().enumerate() {
            let (read, last, answering) = (Arc::clone(&read), last.clone(), answering.clone());
            under_way.spawn(async move {
                let answer = travel(route, read, last).await;
                // Nobody waits any more where it took too long.
                let _ = answering.send((index, answer));
            });
        }
        while under_way.join_next().await.is_some() {}
    });
    // A disk may hang.
    runtime.shutdown_background();
}

async fn travel(mut route: Box<dyn Route>, read: Read, mut last: LastWord) -> Option<Result<()>> {
    let (at_once, period) = match route.rhythm() {
        Rhythm::AtTheEnd => (false, None),
        Rhythm::Every(period) => (false, Some(period)),
        Rhythm::AtOnceAndEvery(period) => (true, Some(period)),
    };
    // As it was when the end came, where something was under way.
    let mut patience = None;
    if let Some(period) = period {
        let mut voice = Voice { aim: route.aim(), period, is_failing: false };
        let mut is_first = at_once;
        loop {
            if !is_first {
                tokio::select! {
                    biased;
                    () = came(&mut last) => break,
                    () = sleep(period) => {}
                }
            }
            let grace = route.grace(is_first);
            let before = route.patience();
            let moment = read();
            let told = async {
                match std::mem::take(&mut is_first) {
                    true => route.begin().await,
                    false => route.refresh(&moment).await,
                }
            };
            tokio::select! {
                biased;
                () = passed(&mut last, grace) => {}
                answer = told => voice.heard(answer),
            }
            if is_over(&mut last) {
                patience = Some(before);
                break;
            }
        }
    }
    came(&mut last).await;
    // None of a run that was let go of.
    let last = last.borrow().clone()?;
    if !route.is_wanted(&last.end) {
        return None;
    }
    let patience = patience.unwrap_or_else(|| route.patience());
    Some(tell_the_end(&mut *route, &last, patience).await)
}

/// The end, or that nobody will tell of one.
async fn came(last: &mut LastWord) {
    let _ = last.wait_for(Option::is_some).await;
}

/// The end is known, or nobody will tell of one.
fn is_over(last: &mut LastWord) -> bool {
    last.borrow_and_update().is_some() || last.has_changed().is_err()
}

/// So long after the end.
async fn passed(last: &mut LastWord, grace: Duration) {
    came(last).await;
    if !grace.is_zero() {
        sleep(grace).await;
    }
}

async fn tell_the_end(route: &mut dyn Route, last: &Last, patience: Duration) -> Result<()> {
    let mut pause = PAUSE;
    let mut tries = 0;
    let mut told = Err(Error::new(
        Kind::Unavailable,
        ErrorType::Timeout,
        format!("'{}' did not answer in time", route.aim()),
    ));
    let deadline = match last.since.checked_add(patience) {
        Some(patient) => last.deadline.min(patient),
        None => last.deadline,
    };
    while let Ok(answer) = timeout_at(deadline, route.end(&last.end)).await {
        tries += 1;
        told = answer;
        let Err(error) = &told else { break };
        let may_be_again = match error.kind {
            Kind::Unavailable | Kind::Overloaded => true,
            Kind::Unknown => route.is_repeatable(),
            _ => false,
        };
        let wait = pause.mul_f64(0.5 + chance() / 2.0);
        let wait = error.wait_min().unwrap_or_default().max(wait);
        // Whoever is told may name a time that no clock reaches.
        let left = deadline.saturating_duration_since(Instant::now());
        if !may_be_again || tries == TRIES_MAX || wait >= left {
            break;
        }
        sleep(wait).await;
        pause *= 2;
    }
    told
}

/// Says when something on the way begins to fail, and when it is over.
struct Voice {
    aim: String,
    period: Duration,
    is_failing: bool,
}

impl Voice {
    fn heard(&mut self, answer: Result<()>) {
        match &answer {
            Ok(()) if self.is_failing => tracing::info!("'{}' takes the numbers again", self.aim),
            Err(error) if !self.is_failing => {
                let every = self.period.as_secs_f64();
                tracing::warn!("the numbers did not arrive: {error}; tried again every {every} s");
            }
            Ok(()) | Err(_) => {}
        }
        self.is_failing = answer.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Later;
    use crate::observe::metrics::tests::metrics;
    use crate::outcome::Outcome;
    use crate::report::{OutputKind, Report};

    const PATIENCE: Duration = Duration::from_secs(3);

    /// Once it has begun.
    struct Hanging {
        is_repeatable: bool,
    }

    impl Route for Hanging {
        fn name(&self) -> &'static str {
            "hanging"
        }

        fn aim(&self) -> String {
            "nowhere".to_string()
        }

        fn rhythm(&self) -> Rhythm {
            Rhythm::AtOnceAndEvery(Duration::from_secs(1))
        }

        fn patience(&self) -> Duration {
            PATIENCE
        }

        fn is_repeatable(&self) -> bool {
            self.is_repeatable
        }

        fn refresh<'a>(&'a mut self, _: &'a Moment) -> Later<'a, Result<()>> {
            Box::pin(std::future::pending())
        }

        fn end<'a>(&'a mut self, _: &'a RunEnd) -> Later<'a, Result<()>> {
            Box::pin(std::future::pending())
        }
    }

    /// By a clock that does not wait.
    #[tokio::test(start_paused = true)]
    async fn what_hangs_when_the_end_comes_has_the_time_of_the_end_and_no_more() {
        let end = Duration::from_millis(1500);
        for (is_repeatable, expected) in [(true, end), (false, end + PATIENCE)] {
            let (sender, last) = watch::channel(None);
            let (_stats, metrics) = metrics();
            let begun = Instant::now();
            tokio::spawn(async move {
                sleep(end).await;
                drop(sender);
            });
            let route = Box::new(Hanging { is_repeatable });
            let travelled = travel(route, Arc::new(move || metrics.moment()), last);
            let answer = tokio::time::timeout(Duration::from_secs(60), travelled).await;
            assert!(answer.is_ok_and(|answer| answer.is_none()));
            let late = begun.elapsed().saturating_sub(expected);
            assert!(late < Duration::from_millis(10), "{is_repeatable}: {late:?}");
        }
    }

    /// Everything takes it 3 s, and the end has 4 s once it has begun.
    struct Slow {
        has_begun: bool,
    }

    impl Slow {
        const TIME: Duration = Duration::from_secs(3);
    }

    impl Route for Slow {
        fn name(&self) -> &'static str {
            "slow"
        }

        fn aim(&self) -> String {
            "far away".to_string()
        }

        fn rhythm(&self) -> Rhythm {
            Rhythm::AtOnceAndEvery(Duration::from_secs(15))
        }

        fn patience(&self) -> Duration {
            Duration::from_secs(if self.has_begun { 4 } else { 8 })
        }

        fn grace(&self, _: bool) -> Duration {
            Duration::from_secs(4)
        }

        fn begin(&mut self) -> Later<'_, Result<()>> {
            Box::pin(async {
                sleep(Slow::TIME).await;
                self.has_begun = true;
                Ok(())
            })
        }

        fn end<'a>(&'a mut self, _: &'a RunEnd) -> Later<'a, Result<()>> {
            Box::pin(async {
                sleep(Slow::TIME).await;
                Ok(())
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_beginning_that_takes_its_time_leaves_the_end_its_own() {
        let (stats, metrics) = metrics();
        let report = Report {
            pipeline_id: String::new(),
            run_id: String::new(),
            started_at_seconds: 0.0,
            ended_at_seconds: None,
            outcome: Outcome::Complete,
            error: None,
            published: None,
            source: "",
            sink: "",
            output: OutputKind::File,
            rejects: None,
            rejects_lost: 0,
            restore: None,
            unclear: 0,
            log_lines_dropped: 0,
            has_idle_cores: false,
            reads_pipe: false,
            reports: Vec::new(),
            requires_reports: false,
            requires_ledger: false,
            run: stats.numbers(),
        };
        let moment = metrics.moment();
        let end = RunEnd { moment, report, outcome_before: None, is_file_apart: true };
        let since = Instant::now();
        let deadline = since + Duration::from_secs(60);
        let (_sender, last) = watch::channel(Some(Arc::new(Last { end, since, deadline })));
        let route = Box::new(Slow { has_begun: false });
        let answer = travel(route, Arc::new(move || metrics.moment()), last).await;
        assert!(matches!(answer, Some(Ok(()))), "{answer:?}");
        assert_eq!(since.elapsed(), 2 * Slow::TIME);
    }
}
