//! The stages of a run alone, and the whole path from memory to memory. Numbers are bytes of source
//! a second. `benches/compare` measures whole processes against other tools.

// Bench code, like test code, may stop at what cannot be.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use flowgauge::parts::{
    Boundaries, Compression, CsvDialect, CsvSettings, CsvSource, Encoding, Event, FileSettings,
    FileSink, Format, HeaderNames, IfExists, InvalidText, MarkPolicy, MaxErrors, MemoryRejects,
    MemorySink, MemorySource, Minimum, Observer, Onlooker, OutputTarget, Ragged, Rejected,
    RetryPolicy, Rows, Run, Segment, SegmentLimit, Sink, Source, Stats, Stop, StreamSettings,
    Typing, Vitals, Wanted, run_pipeline,
};
use flowgauge::program::Outcome;

const LIMIT: SegmentLimit = SegmentLimit { records: 50_000, bytes: 1 << 20, record_bytes: 1 << 24 };

/// A table like TPC-H's `lineitem`: sixteen narrow columns, a quoted comment at the end.
fn table(bytes: usize) -> String {
    let mut table = String::from(
        "orderkey,partkey,suppkey,linenumber,quantity,extendedprice,discount,tax,returnflag,linestatus,shipdate,commitdate,receiptdate,shipinstruct,shipmode,comment\n",
    );
    let mut row: u64 = 0;
    while table.len() < bytes {
        let noise = row.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        table.push_str(&format!(
            "{row},{noise},{},{},{},{}.{:02},0.0{},0.0{},N,O,1996-03-{:02},1996-02-12,1996-03-22,DELIVER IN PERSON,TRUCK,\"egular courts above the {noise}\"\n",
            noise % 10_000, row % 7 + 1, noise % 50, noise % 90_000, noise % 100, noise % 10, row % 9, row % 28 + 1,
        ));
        row += 1;
    }
    table
}

fn source(file: &std::path::Path) -> CsvSource {
    CsvSource::open(CsvSettings {
        files: vec![file.display().to_string()],
        written: Vec::new(),
        dialect: CsvDialect::default(),
        is_delimiter_sure: true,
        has_header: true,
        columns: None,
        header_names: HeaderNames::Strict,
        null: None,
        ragged: Ragged::Reject,
        invalid_text: InvalidText::Reject,
        allow_empty: false,
        typing: Typing::default(),
        stream: StreamSettings {
            encoding: Encoding::Auto,
            encoding_flag: "csv-encoding",
            expansion_max: 0,
        },
        limit: LIMIT,
    })
    .unwrap()
}

fn first_segment(source: &CsvSource) -> Segment {
    source.open(0, LIMIT).unwrap().next(Vec::new(), &mut Onlooker).unwrap().unwrap()
}

fn sink(source: &CsvSource, format: Format) -> FileSink {
    let settings = FileSettings {
        path: None,
        format,
        compression: Compression::None,
        if_exists: IfExists::Replace,
        null: String::new(),
    };
    let shape = source.decoder(&Wanted::Everything).unwrap().shape();
    let names = Rows::new(shape.clone()).columns().to_vec();
    FileSink::open(&settings, OutputTarget::Nowhere, &shape, &names)
}

fn stages(criterion: &mut Criterion) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(table(2 << 20).as_bytes()).unwrap();
    let source = source(file.path());
    let segment = first_segment(&source);
    let decoder = source.decoder(&Wanted::Everything).unwrap();
    let mut rows = Rows::new(decoder.shape());
    let mut group = criterion.benchmark_group("stage");
    group.throughput(Throughput::Bytes(segment.bytes.len() as u64));
    group.bench_function("scan", |bencher| {
        bencher.iter(|| CsvDialect::default().scan(black_box(&segment.bytes), false, u64::MAX));
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            rows.clear();
            decoder.decode(black_box(&segment), &mut rows).unwrap();
        });
    });
    for format in [Format::JsonLines, Format::Csv] {
        let sink = sink(&source, format);
        let mut buffer = Vec::new();
        group.bench_function(format!("encode {}", format.as_str()), |bencher| {
            bencher.iter(|| {
                let mut reused = std::mem::take(&mut buffer);
                reused.clear();
                let refused = &mut Vec::new();
                let payload = sink.prepare(black_box(&rows), reused, refused).unwrap();
                buffer = payload.bytes.into();
            });
        });
    }
    group.finish();
}

struct Deaf;

impl Observer for Deaf {
    fn notice(&self, _event: &Event) {}
}

/// The path without I/O, with and without somebody who counts.
fn path(criterion: &mut Criterion) {
    let text: String = (0..200_000).map(|line| format!("record number {line}\n")).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("path");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(text.len() as u64));
    for (name, is_counted) in [("counted", true), ("not counted", false)] {
        for batch in [100, 10_000] {
            group.bench_function(format!("{name}, {batch} records a segment"), |bencher| {
                let scene = || {
                    let vitals = Arc::new(Vitals::sized(2, 1, 1 << 28));
                    let observer: Arc<dyn Observer> = match is_counted {
                        true => Arc::new(Stats::new(Arc::clone(&vitals))),
                        false => Arc::new(Deaf),
                    };
                    let source = MemorySource::new(&[&text], batch);
                    Arc::new(Run {
                        decoder: source.decoder(&Wanted::Everything).unwrap(),
                        rows_per_second_max: None,
                        source: Arc::new(source),
                        sink: Arc::new(MemorySink::new(1)),
                        observer,
                        on_rejected: Arc::new(|_: &Rejected| {}),
                        vitals,
                        stop: Arc::new(Stop::default()),
                        limit: LIMIT,
                        max_errors: MaxErrors::Count(0),
                        minimum: Minimum::default(),
                        retry: RetryPolicy::default(),
                        mark: MarkPolicy { bytes: u64::MAX, age: Duration::from_secs(1) },
                        drain_timeout: Duration::from_secs(20),
                    })
                };
                bencher.iter_batched(
                    scene,
                    |run| {
                        let rejects = Box::new(MemoryRejects::default());
                        let ending = runtime.block_on(run_pipeline(run, rejects));
                        assert_eq!(ending.outcome, Outcome::Complete);
                    },
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, stages, path);
criterion_main!(benches);
