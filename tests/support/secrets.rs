//! What is never to be shown, and a certificate.

use std::process::Command;

use super::{Finished, Workdir};

pub const PASSWORD: &str = "pa55w0rd-of-the-gateway";
pub const TOKEN: &str = "t0ken-of-the-receiver";
pub const HEADER: &str = "k3y-in-a-header";
pub const PATH: &str = "s3cret-path";

/// Of `PASSWORD`, by bcrypt.
pub const HASH: &str = "$2b$04$Xqx9LuZaTqlleqLoH2Uhd.caCmwsMit.VAFKeZI282.SFK1hkUXaq";

/// A certificate of its own, for this machine.
pub fn certificate(workdir: &Workdir) {
    let words = "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=localhost\n\
                 [ext]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=IP:127.0.0.1\n";
    workdir.write("openssl.cnf", words);
    let args = "req -x509 -newkey rsa:2048 -nodes -days 30 -keyout key.pem -out cert.pem -config openssl.cnf";
    let made = Command::new("openssl").current_dir(workdir.root()).args(args.split(' ')).output();
    assert!(made.unwrap().status.success());
}

#[track_caller]
pub fn assert_no_secret(workdir: &Workdir, finished: &Finished) {
    let said = format!("{}{}{}", finished.stdout, finished.stderr, workdir.read("summary.json"));
    for secret in [PASSWORD, TOKEN, HEADER, PATH, "bWU6"] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}
