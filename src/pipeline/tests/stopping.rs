//! The transitions of a run that stops before its end, each with a source and a sink that are told what
//! to do. The table of phases and causes itself is tested beside `Stop`.

use super::*;

#[test]
fn a_worker_that_breaks_ends_the_run() {
    let text = format!("*\n{}", "line\n".repeat(500));
    let played = real!(Scene::new(&[&text]).play());
    played.assert_outcome(Outcome::Internal, false);
}

#[test]
fn a_reader_that_breaks_ends_the_run() {
    let played = real!(Scene::new(&["a\nb\n**\nc\n"]).play());
    played.assert_outcome(Outcome::Internal, false);
    played.assert_lines(&["a", "b"]);
}

#[test]
fn one_split_that_fails_stops_the_others() {
    let long = "x\n".repeat(10_000);
    let mut scene = Scene::new(&[&long, "a\n?\n"]);
    scene.source = MemorySource::new(&[&long, "a\nb\n?\n"], 2);
    scene.source.readers = 2;
    let played = real!(scene.play());
    played.assert_outcome(Outcome::Data, false);
    assert_eq!(played.count("split failed"), 1);
    assert_eq!(played.count("failed other"), 1);
}

/// One lane fails for good while another waits for its answer: that answer still counts.
#[test]
fn what_other_lanes_have_under_way_is_settled_when_one_fails() {
    let scene = Scene { sink: MemorySink::new(2), ..long() };
    let played = real!(play_at_gates(scene, [Fault::Hold, DISK_FAILS], async |stop, gates| {
        gates[1].released.notify_one();
        stop.halting().await;
        gates[0].released.notify_one();
    }));
    played.assert_outcome(Outcome::LocalIo, false);
    // Others that were let through may have been written, too.
    let inserted = played.ending.totals.inserted;
    assert_eq!(inserted, played.stored.lines().len() as u64);
    assert_ne!(inserted, 0);
}

/// The same where not a lane but a worker finds that the run cannot go on; it may be there before the
/// lane is.
#[test]
fn what_lanes_have_under_way_is_settled_when_a_worker_ends_the_run() {
    let scene = Scene::new(&["a\nb\n#\nc\n"]);
    let played = real!(play_at_gates(scene, [Fault::Hold], async |stop, gates| {
        stop.halting().await;
        gates[0].released.notify_one();
    }));
    played.assert_outcome(Outcome::Data, false);
    assert_eq!(played.ending.totals.inserted, played.stored.lines().len() as u64);
}

#[test]
fn a_final_error_is_not_tried_again() {
    let scene = Scene::new(&["a\n"]).sink(|sink| sink.fault(0, Fault::Refuse(Kind::LocalIo)));
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::LocalIo, false);
    assert_eq!(played.count("retry 1"), 0);
    assert_eq!(played.events.last().unwrap(), "ended local_io");
}

#[test]
fn a_source_that_fails_leaves_what_it_read_written_and_unpublished() {
    let played = real!(Scene::new(&["a\nb\n?\n"]).play());
    played.assert_outcome(Outcome::Data, false);
    played.assert_lines(&["a", "b"]);
    assert_eq!(played.count("split failed"), 1);
}

#[test]
fn a_balance_that_does_not_close_fails_the_run() {
    let mut scene = Scene::new(&["a\nb\n"]);
    scene.source.miscount = 1;
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Data, false);
    let error = played.ending.error.unwrap().to_string();
    assert!(error.starts_with("the balance does not close: 3 records were read and 2"), "{error}");
    assert_eq!(played.events.iter().filter(|event| *event == "failed protocol").count(), 1);
}

/// Stops a run whose first segment stands at a gate while more is to be read than the path can
/// hold, so that neither the lane nor the reader is at its end.
async fn stop_at_the_gate(signals: usize, is_released: bool) -> Played {
    let gate = Arc::new(Gate::default());
    let text = "line\n".repeat(1000);
    let scene = Scene::new(&[&text]).sink(|sink| sink.fault(0, Fault::Hold(Arc::clone(&gate))));
    let stop = Arc::new(Stop::default());
    let played = scene.play_until(&stop);
    let stopping = async {
        gate.reached.notified().await;
        for _ in 0..signals {
            stop.signal(Signal::Terminate);
        }
        if is_released {
            gate.released.notify_one();
        }
    };
    tokio::join!(played, stopping).0
}

#[test]
fn a_signal_lets_what_is_under_way_finish_and_publishes_nothing() {
    let played = real!(stop_at_the_gate(1, true));
    played.assert_outcome(Outcome::Interrupted(Signal::Terminate), false);
    played.assert_events(&["draining", "stopped", "ended terminated"]);
    // All that was read, what the reader was waiting with included.
    let fetched = played.events.iter().filter_map(|event| event.strip_prefix("fetched "));
    let fetched: u64 = fetched.map(|records| records.parse::<u64>().unwrap()).sum();
    assert_eq!(played.ending.totals.inserted, fetched);
    assert!(fetched < 1000, "{fetched}");
}

#[test]
fn a_second_signal_lets_go_at_once() {
    let played = real!(stop_at_the_gate(2, false));
    played.assert_outcome(Outcome::Interrupted(Signal::Terminate), false);
    played.assert_lines(&[]);
}

/// What was stored while nobody heard the answer is asked for; what was not is not in the books.
#[test]
fn what_is_let_go_of_amid_a_commit_counts_where_it_is_public() {
    for (fault, is_public, inserted) in [
        (Fault::DoAndHold as fn(Arc<Gate>) -> Fault, true, 2),
        (Fault::DoAndHold, false, 0),
        (Fault::Hold, true, 0),
    ] {
        let played = real!(async {
            let gate = Arc::new(Gate::default());
            let text = "line\n".repeat(1000);
            let scene = Scene::new(&[&text])
                .sink(|sink| MemorySink { is_public, ..sink }.fault(0, fault(Arc::clone(&gate))));
            let stop = Arc::new(Stop::default());
            let played = scene.play_until(&stop);
            let stopping = async {
                gate.reached.notified().await;
                stop.signal(Signal::Terminate);
                stop.signal(Signal::Terminate);
            };
            tokio::join!(played, stopping).0
        });
        played.assert_outcome(Outcome::Interrupted(Signal::Terminate), false);
        assert_eq!((played.ending.totals.inserted, played.ending.unclear), (inserted, 0));
        assert_eq!(played.count("settled 2 failed 0") as u64, inserted / 2);
    }
}

/// The clock of the test runs ahead when everybody waits: nobody waits for twenty seconds.
#[test]
fn a_drain_has_a_deadline() {
    let played = paused!(stop_at_the_gate(1, false));
    played.assert_outcome(Outcome::Interrupted(Signal::Terminate), false);
    played.assert_lines(&[]);
}

/// A run whose first segments stand at a gate each, where they do what `faults` say. When all are there
/// it is the turn of `meanwhile`, which opens them.
async fn play_at_gates<const GATES: usize>(
    mut scene: Scene,
    faults: [fn(Arc<Gate>) -> Fault; GATES],
    meanwhile: impl AsyncFnOnce(&Stop, &[Arc<Gate>; GATES]),
) -> Played {
    let gates: [Arc<Gate>; GATES] = std::array::from_fn(|_| Arc::default());
    for (ticket, fault) in faults.into_iter().enumerate() {
        scene.sink = scene.sink.fault(ticket as u64, fault(Arc::clone(&gates[ticket])));
    }
    let stop = Arc::new(Stop::default());
    let rest = async {
        for gate in &gates {
            gate.reached.notified().await;
        }
        meanwhile(&stop, &gates).await;
        std::future::pending().await
    };
    tokio::select! {
        played = scene.play_until(&stop) => played,
        never = rest => never,
    }
}

fn long() -> Scene {
    Scene::new(&[&"line\n".repeat(1000)])
}

const DISK_FAILS: fn(Arc<Gate>) -> Fault = |gate| Fault::HoldAndRefuse(gate, Kind::LocalIo);

async fn until_all_is_read(stop: &Stop) {
    while !stop.is_read() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_failure_after_a_signal_is_told_and_the_outcome_is_the_signals() {
    let played = real!(play_at_gates(long(), [DISK_FAILS], async |stop, gates| {
        stop.signal(Signal::Interrupt);
        gates[0].released.notify_one();
    }));
    played.assert_outcome(Outcome::Interrupted(Signal::Interrupt), false);
    assert_eq!(played.ending.error.unwrap().kind, Kind::LocalIo);
}

#[test]
fn a_signal_after_a_failure_changes_nothing() {
    let scene = Scene { sink: MemorySink::new(2), ..long() };
    let played = real!(play_at_gates(scene, [Fault::Hold, DISK_FAILS], async |stop, gates| {
        gates[1].released.notify_one();
        stop.halting().await;
        stop.signal(Signal::Terminate);
        gates[0].released.notify_one();
    }));
    played.assert_outcome(Outcome::LocalIo, false);
}

#[test]
fn of_two_failures_the_first_is_told() {
    let refused: fn(Arc<Gate>) -> Fault = |gate| Fault::HoldAndRefuse(gate, Kind::Data);
    let scene = Scene { sink: MemorySink::new(2), ..long() };
    let played = real!(play_at_gates(scene, [DISK_FAILS, refused], async |stop, gates| {
        gates[1].released.notify_one();
        stop.halting().await;
        gates[0].released.notify_one();
    }));
    played.assert_outcome(Outcome::Data, false);
}

/// There is nothing left to stop but the writing of what was read.
#[test]
fn a_signal_when_all_was_read_lets_the_run_complete() {
    for (fault, outcome) in
        [(Fault::Hold as fn(Arc<Gate>) -> Fault, Outcome::Complete), (DISK_FAILS, Outcome::LocalIo)]
    {
        let scene = Scene::new(&["a\nb\n"]);
        let played = real!(play_at_gates(scene, [fault], async |stop, gates| {
            until_all_is_read(stop).await;
            stop.signal(Signal::Terminate);
            gates[0].released.notify_one();
        }));
        played.assert_outcome(outcome, outcome == Outcome::Complete);
    }
}

#[test]
fn a_second_signal_lets_go_of_a_run_that_has_read_all() {
    let scene = Scene::new(&["a\n"]);
    let played = real!(play_at_gates(scene, [Fault::Hold], async |stop, _| {
        until_all_is_read(stop).await;
        stop.signal(Signal::Terminate);
        stop.signal(Signal::Interrupt);
    }));
    played.assert_outcome(Outcome::Interrupted(Signal::Terminate), false);
    played.assert_lines(&[]);
}

/// The reader is ahead: what comes of the records before its failure counts for more than it, and a
/// signal after it for less.
#[test]
fn a_source_that_fails_stands_behind_what_it_read() {
    for (max_errors, has_signal, told) in
        [(0, false, "split 0, line 3"), (1, true, "split 1: the split fails here")]
    {
        let scene = Scene::new(&["a\nb\n!c\n", "?\n"]).max_errors(max_errors);
        let played = real!(play_at_gates(scene, [Fault::Hold], async |stop, gates| {
            stop.draining().await;
            if has_signal {
                stop.signal(Signal::Terminate);
            }
            gates[0].released.notify_one();
        }));
        played.assert_outcome(Outcome::Data, false);
        let error = played.ending.error.unwrap().to_string();
        assert!(error.starts_with(told), "{error}");
    }
}

/// Time in which the other side wanted to be left alone is not time in which it failed.
#[test]
fn the_first_failure_after_a_long_throttle_is_tried_again() {
    let held_back = 2 * 2 * RetryPolicy::default().elapsed_max.as_secs() as usize;
    let scene = Scene::new(&["a\n"]).sink(|_| {
        let held_back = held_back.into();
        MemorySink { held_back, throttle_fails: true.into(), ..MemorySink::new(1) }
            .fault(0, Fault::Refuse(Kind::Unavailable))
    });
    let played = paused!(scene.play());
    played.assert_outcome(Outcome::Complete, true);
    assert_eq!(played.count("retry 1"), 2);
}

#[test]
fn a_signal_is_heard_while_lanes_are_opened() {
    let played = real!(async {
        let gate = Arc::new(Gate::default());
        let sink = MemorySink { opening: Some(Arc::clone(&gate)), ..MemorySink::new(1) };
        let stop = Arc::new(Stop::default());
        let played = Scene::new(&["a\n"]).sink(|_| sink).play_until(&stop);
        let signal = async {
            gate.reached.notified().await;
            stop.signal(Signal::Hangup);
        };
        tokio::join!(played, signal).0
    });
    played.assert_outcome(Outcome::Interrupted(Signal::Hangup), false);
    assert_eq!(played.count("running"), 0);
}

#[test]
fn publishing_that_fails_or_hangs_publishes_nothing() {
    for (signals, outcome) in [(0, Outcome::LocalIo), (2, Outcome::Interrupted(Signal::Terminate))]
    {
        let played = real!(async {
            let gate = Arc::new(Gate::default());
            let sink = MemorySink { publishing: Some(Arc::clone(&gate)), ..MemorySink::new(1) };
            let stop = Arc::new(Stop::default());
            let played = Scene::new(&["a\n"]).sink(|_| sink).play_until(&stop);
            let rest = async {
                gate.reached.notified().await;
                match signals {
                    0 => gate.released.notify_one(),
                    _ => (0..signals).for_each(|_| {
                        stop.signal(Signal::Terminate);
                    }),
                }
            };
            tokio::join!(played, rest).0
        });
        played.assert_outcome(outcome, false);
    }
}

/// Every segment has a rejected record, and none can be kept: the disk is what is told, whichever room
/// finds out, and the books have what the table has.
#[test]
fn a_disk_too_full_for_rejected_records_ends_the_run_as_that() {
    let text = "a\n!b\n".repeat(200);
    let scene = Scene::new(&[&text])
        .max_errors(1000)
        .sink(|_| MemorySink { is_public: true, ..MemorySink::new(2) });
    let rejects = MemoryRejects { room: Some(3), ..MemoryRejects::default() };
    let played = real!(scene.play_with(&Arc::default(), rejects));
    played.assert_outcome(Outcome::LocalIo, false);
    assert_eq!(played.rejected.len(), 3);
    assert_eq!(played.ending.totals.inserted, played.stored.lines().len() as u64);
}

/// A disk for rejected records that hangs, whoever waits for it, keeps no signal from being heard.
#[test]
fn a_disk_that_hangs_keeps_no_signal_from_being_heard() {
    let interrupted = Outcome::Interrupted(Signal::Terminate);
    for (max_errors, is_public, outcome) in [(0, false, Outcome::Data), (1000, true, interrupted)] {
        let reached = Arc::new(tokio::sync::Notify::new());
        let (release, released) = std::sync::mpsc::channel();
        let hang = Hang { reached: Arc::clone(&reached), released };
        let text = "a\n!b\n".repeat(200);
        let scene = Scene::new(&[&text])
            .max_errors(max_errors)
            .sink(|_| MemorySink { is_public, ..MemorySink::new(2) });
        let stop = Arc::new(Stop::default());
        let played = real!(async {
            let rejects = MemoryRejects { hang: Some(hang), ..MemoryRejects::default() };
            let played = scene.play_with(&stop, rejects);
            let signals = async {
                reached.notified().await;
                stop.signal(Signal::Terminate);
                stop.signal(Signal::Terminate);
            };
            let played = tokio::join!(played, signals).0;
            drop(release);
            played
        });
        assert_eq!(played.ending.outcome, outcome);
    }
}

/// Those of the segment that was too much come behind the others, whoever is faster.
#[test]
fn rejected_records_are_kept_in_the_order_of_the_source() {
    let text = "a\n!b\n".repeat(50);
    let played = real!(Scene::new(&[&text]).max_errors(9).play());
    played.assert_outcome(Outcome::Data, false);
    let records: Vec<_> = played.rejected.iter().map(|rejected| rejected.place.record).collect();
    assert_eq!(records, (1..=10).map(|segment| Some(2 * segment)).collect::<Vec<_>>());
}
