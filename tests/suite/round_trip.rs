//! CSV to JSON lines and back, through the library: the values survive.

use std::fs;
use std::path::Path;

use flowgauge::parts::{
    Compression, CsvDialect, CsvSettings, CsvSource, Encoding, FileSettings, FileSink, Format,
    HeaderNames, IfExists, InvalidText, JsonlSettings, JsonlSource, Onlooker, Others, OutputTarget,
    Ragged, Rows, SegmentLimit, Sink, Source, StreamSettings, Wanted,
};
use proptest::prelude::*;

use crate::support::{Workdir, workdir};

const STREAM: StreamSettings =
    StreamSettings { encoding: Encoding::Auto, encoding_flag: "csv-encoding", expansion_max: 0 };

/// Few records and bytes a segment, so that segments end everywhere.
const LIMIT: SegmentLimit = SegmentLimit { records: 3, bytes: 40, record_bytes: 1 << 20 };

fn csv_source(path: &Path) -> CsvSource {
    CsvSource::open(CsvSettings {
        files: vec![path.display().to_string()],
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
        typing: Default::default(),
        stream: STREAM,
        limit: LIMIT,
    })
    .unwrap()
}

fn jsonl_source(path: &Path) -> JsonlSource {
    JsonlSource::open(JsonlSettings {
        allow_empty: false,
        files: vec![path.display().to_string()],
        written: Vec::new(),
        stream: STREAM,
        limit: LIMIT,
        flatten: false,
        separator: None,
        dates: Vec::new(),
        types: Vec::new(),
        asked: Vec::new(),
    })
    .unwrap()
}

/// All that a source holds, as a sink would write it, without what a CSV file begins with.
fn convert(source: &dyn Source, format: Format, names: &[String]) -> Vec<u8> {
    let wanted = Wanted::Fields { names: names.to_vec(), others: Others::Ignore };
    let settings = FileSettings {
        path: None,
        format,
        compression: Compression::None,
        if_exists: IfExists::Replace,
        null: String::new(),
    };
    let decoder = source.decoder(&wanted).unwrap();
    let sink = FileSink::open(&settings, OutputTarget::Nowhere, &decoder.shape(), names);
    let mut rows = Rows::new(decoder.shape());
    let mut cursor = source.open(0, LIMIT).unwrap();
    let mut written = Vec::new();
    while let Some(segment) = cursor.next(Vec::new(), &mut Onlooker).unwrap() {
        rows.clear();
        decoder.decode(&segment, &mut rows).unwrap();
        assert!(rows.rejected.is_empty(), "{:?}", rows.rejected);
        assert_eq!(rows.len() as u64, segment.records);
        written.extend(sink.prepare(&rows, Vec::new(), &mut Vec::new()).unwrap().bytes);
    }
    written
}

/// The table as another hand would write it: with every field quoted, or where it must be.
fn written_by_csv(table: &[Vec<String>], quote_style: csv::QuoteStyle) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().quote_style(quote_style).from_writer(Vec::new());
    table.iter().for_each(|record| writer.write_record(record).unwrap());
    writer.into_inner().unwrap()
}

fn there_and_back(workdir: &Workdir, table: &[Vec<String>], style: csv::QuoteStyle) -> Vec<u8> {
    let names = &table[0];
    let first = workdir.write("first.csv", written_by_csv(table, style));
    let json = convert(&csv_source(&first), Format::JsonLines, names);
    let json = workdir.write("between.jsonl", json);
    let header = written_by_csv(&table[..1], style);
    let rest = convert(&jsonl_source(&json), Format::Csv, names);
    fs::remove_file(first).unwrap();
    [header, rest].concat()
}

fn tables() -> impl Strategy<Value = Vec<Vec<String>>> {
    let value = prop_oneof![
        4 => "[a-z0-9 ]{0,5}",
        2 => "[\\PC,\"\\\\\n\r\t\\x00]{0,6}",
        1 => Just("\u{feff}x".to_owned()),
        1 => "[a-z]{50,90}",
    ];
    (1..5_usize).prop_flat_map(move |width| {
        let records = prop::collection::vec(prop::collection::vec(value.clone(), width), 0..12);
        records.prop_map(move |mut records| {
            records.insert(0, (0..width).map(|column| format!("n\"{column},")).collect());
            records
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_survive_the_way_there_and_back(table in tables(), is_all_quoted in any::<bool>()) {
        let workdir = workdir!();
        let style = match is_all_quoted {
            true => csv::QuoteStyle::Always,
            false => csv::QuoteStyle::Necessary,
        };
        let back = there_and_back(&workdir, &table, style);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&back[..]);
        let found: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.unwrap().iter().map(String::from).collect())
            .collect();
        prop_assert_eq!(found, table);
    }
}
