//! The tests that need the whole program, a process or a real server, in one binary.
//!
//! `tests/run` prepares what they need and runs them; `cargo test` alone also works, and says which
//! tests did not run. Tests of pure code stand beside that code in `src`.

// All of this crate is test code, also where no `#[test]` stands above a function.
#![allow(clippy::unwrap_used)]

// A work directory, the program as a command, an HTTP client, real servers.
mod support;

mod suite {
    // Files that are not as they should be: empty, cut, changed under us, not ours to write.
    mod bad_input;

    // Records and values that are not as they should be: taken as documented, or rejected.
    mod bad_records;

    // Every option of CSV, and every way in and out, by one small example.
    mod dialects;

    // Elasticsearch and OpenSearch of all kinds, read back document by document.
    mod elastic;
    // Documents of real search servers that are hostile, changed, or not kept.
    mod elastic_documents;
    // A search server that fails on its way, and what a run makes of it.
    mod elastic_faults;
    // From a real search server into a real database, by the user's own command.
    mod elastic_to_mysql;
    // A real search server with TLS and users.
    mod elastic_secure;
    // What a search server is asked: credentials, snapshots, pages that fit.
    mod elastic_requests;

    // The harness itself: that it sees output, exit codes and signals, and cleans up.
    mod harness;
    // What may be built into the program: licences, one TLS stack at most, no unsafe code.
    mod licences;
    // What a scrape of a run says, and what the metrics server does to the run: nothing.
    mod metrics;
    // Connections that are killed, locks of others, servers that go, runs that are killed or come twice.
    mod mysql_faults;
    // Servers set as nobody would wish them, and every way to log in or not to.
    mod mysql_servers;
    // What may happen on the wire: a reply to COMMIT that is lost, servers that lie or say nothing.
    mod mysql_wire;
    // What the modes of the sink mysql leave in the table: what a load one row at a time would.
    mod mysql_missing;
    mod mysql_modes;
    // What a careful reader feared: refusals taken for duplicates, triggers, transactions that end.
    mod mysql_review;
    // Columns of days and times.
    mod mysql_times;
    // What columns do beside holding a value: defaults, NOT NULL, numbers of their own; and properties.
    mod mysql_columns;
    // Values that a server would take for other ones.
    mod mysql_exact;
    // Every type of column with what just fits into it and what does not.
    mod mysql_values;
    // What Prometheus says of our metrics, rules and example configuration. Needs prometheus.
    mod promtool;
    // CSV to JSON lines and back, through the library.
    mod round_trip;

    // What holds for every run that comes to its end.
    mod running;

    // Where settings come from, which of them wins, and how mistakes in them are said.
    mod settings;

    // Runs that end before their end: by a signal, killed, beside another run, without a reader.
    mod stopping;

    // What a table is beside its columns: keys, checks, versions, and what is altered in the middle.
    mod mysql_tables;

    // Objects in objects as columns: missing, deep, and written with dots in their names.
    mod flatten;

    // What mappings say of documents, and what is said of mappings.
    mod mappings;

    // Dates by the format of their mapping, by what the user says, or not at all.
    mod dates;
    // Formats of dates, read as real search servers read them.
    mod date_formats;

    // The pages that are held against the code.
    mod reference;
    // Who may import whom in `src`.
    mod tidy;
    // How much a search server may answer, how long it may take, and what of its words is shown.
    mod elastic_limits;
    // Several nodes of a search server, some of which fail.
    mod elastic_nodes;

    // How an index is read: the time of day, documents that are no JSON, order, what is left open.
    mod elastic_reading;
    // A search server whose answers and documents are wrong at random.
    mod elastic_hostile;

    // Random tables and records against a load of one record at a time.
    mod soak_mysql;

    // Standard error and standard output that are full, closed, stopped or gone; panics.
    mod hostile_terminal;
    // The same at random, against a run with a good terminal; signals at random moments.
    mod soak_terminal;
    // Records that are rejected beyond --max-errors: judged exactly, counted, kept and named.
    mod max_errors;
    // Mistakes in settings: empty, unknown, twice, no UTF-8, and how they are said.
    mod mistakes;
    // Names and values that a terminal would obey.
    mod shown;
    // Which files are read, what they are packed in, and names: of files, of columns, of fields.
    mod inputs;
    // Random CSV files of all dialects, held against a plain reader of its own.
    mod soak_csv;
    // Memory and work that follow what rows need, however wide they are.
    mod memory;
    // A disk that fails at random.
    mod soak_disk;
    // That a run writes its own files only, and says before it what cannot be written.
    mod files_written;
    // The summary for programs: before, at and after the end of a run.
    mod summaries;
    // Backups of indices, and what is restored from them.
    mod backup;
    // Columns for fields that the table has none for.
    mod mysql_new_fields;
    // Configuration files: all pipelines of one, paths, variables.
    mod config_files;
    // Rejected records of a run stay where they are.
    mod reject_files;
    // Empty drop folders, patterns that a shell replaced, a terminal as standard input.
    mod empty_inputs;
    // The JSON schema of configuration files, and options in the pages.
    mod documented;
    mod schema;
    // Help, versions, manual pages, completions and colours.
    mod command_line;
    // `check` as a gate.
    mod checking;
    // What a run into a table says of itself: its first line, its lock, its state tables.
    mod mysql_words;
    // Tables that --create-table makes of a sample, and what --types says of them.
    mod created_tables;
    // Data sets of many kinds, each into a table that is made for it, on two nights.
    mod data_sets;
    // The three jobs of the README, word for word.
    mod readme;
    // The history of runs: a row for every one, whatever becomes of it; the commands that look into it.
    mod ledger;
    // What the exporter serves of the ledger.
    mod exporter;
    mod notices;
    // A ledger that cannot be used, and runs that do not mind.
    mod ledger_faults;
    // What is said of a run while it runs and at its end: progress, silence, retries, the table.
    mod progress;
    // How few records a run may have before its output counts.
    mod fewest_records;
    // What machines read of a run: the log as JSON, the journal, the summary.
    mod machine_logs;
    // What the servers at both ends cost.
    mod server_costs;
    // The metrics server and its clients: silent ones, passwords, TLS, gzip.
    mod metrics_server;
    // The catalogue, alert rules and a scrape configuration, as they are printed.
    mod metrics_pages;
    // The numbers of a run that leave it, each way by itself, and all of them against each other.
    mod last_scrape;
    mod messages;
    mod pushgateway;
    mod remote_write;
    mod same_numbers;
    mod textfile;
    mod ways_out;
    // The dashboard for Grafana, as its schema has it and in a real Prometheus.
    mod dashboard;
    // The numbers and spans of a run in OpenTelemetry.
    mod otlp;
    // The alert rules in a real Prometheus.
    mod alerts_fire;
    // A search server that answers each question in a way it should not.
    mod elastic_answers;
    // The page of a run in a real browser. Needs chromium.
    mod page;
    // Runs that are on, in a terminal and printed once.
    mod top;
    // The files in deploy, each read by what it is for.
    mod deploy;
    // The trace of a run in a real Jaeger, its messages as the reference classes read them, and receivers that
    // answer as the specification of OTLP has it, or against it.
    mod otlp_answers;
    mod otlp_receivers;
    // Folder, data source, dashboard and alert rules in a Grafana.
    mod provision;
    // The same where it does not answer as it should.
    mod provision_answers;
    // What catalogues are told by OpenLineage.
    mod openlineage;
}
