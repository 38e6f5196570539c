//! Runs programs and measures them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use imprint_testkit::tools;

use crate::world::World;

/// Runs programs one after the other and tells what each took. The most memory a program had is
/// known only to whoever waits for it, and the standard library does not ask.
pub(crate) struct Meter {
    child: Child,
    jobs: Option<ChildStdin>,
    results: BufReader<ChildStdout>,
}

const METER: &str = r#"
import json, os, subprocess, sys, tempfile, threading
for line in sys.stdin:
    words = json.loads(line)
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        timer = threading.Timer(60, child.kill)
        timer.start()
        _, status, used = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read(20000).decode(errors="replace")
    print(json.dumps([child.returncode, used.ru_maxrss, text]), flush=True)
"#;

/// What a program did: status (negative: killed by this signal), most memory in KiB, all it said.
#[derive(Debug)]
pub(crate) struct Did {
    pub(crate) status: i64,
    pub(crate) memory: u64,
    pub(crate) said: String,
}

impl Meter {
    pub(crate) fn new(world: &World) -> Self {
        let mut child = Command::new(tools::require("python3"))
            .args(["-c", METER])
            .current_dir(world.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let jobs = child.stdin.take();
        let results = BufReader::new(child.stdout.take().unwrap());
        Self { child, jobs, results }
    }

    pub(crate) fn imprint(&mut self, words: &[&str]) -> Did {
        let program = [env!("CARGO_BIN_EXE_imprint")];
        self.run(&[&program[..], words].concat())
    }

    /// Runs any program.
    pub(crate) fn run(&mut self, words: &[&str]) -> Did {
        let line = serde_json::to_string(words).unwrap();
        writeln!(self.jobs.as_mut().unwrap(), "{line}").unwrap();
        let mut result = String::new();
        self.results.read_line(&mut result).unwrap();
        let (status, memory, said) = serde_json::from_str(&result).unwrap();
        Did { status, memory, said }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let ended = self.child.wait();
        assert!(ended.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}
