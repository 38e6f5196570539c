//! Shows the progress of work while it runs on another thread.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use imprint_progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::console::ProgressStyle;
use crate::meter::Meter;
use crate::signals;

/// Often enough to look alive, seldom enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs work that writes: it is cancelled by a signal and tidies up.
pub(crate) fn watch<T>(style: ProgressStyle, work: impl FnOnce(&Progress) -> T) -> T {
    let progress = Arc::new(Progress::new());
    // Without the handler a signal ends the program as it ends any other: no reason not to work.
    let _without = signals::cancel_on_signal(&progress);
    show_while(style, &progress, work)
}

/// Runs work that only reads: a signal simply ends the program.
pub(crate) fn observe<T>(style: ProgressStyle, work: impl FnOnce(&Progress) -> T) -> T {
    show_while(style, &Progress::new(), work)
}

fn show_while<T>(
    style: ProgressStyle,
    progress: &Progress,
    work: impl FnOnce(&Progress) -> T,
) -> T {
    let Some(mut view) = View::new(style) else { return work(progress) };
    thread::scope(|scope| {
        let (done, wait) = mpsc::channel::<()>();
        scope.spawn(move || {
            let began = Instant::now();
            // The sender is dropped when the work is done, or has panicked.
            while wait.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                view.show(began.elapsed(), progress);
            }
            view.end(began.elapsed(), progress);
        });
        let result = work(progress);
        drop(done);
        result
    })
}

/// What is on the screen.
struct View {
    meter: Meter,
    /// `None` prints lines.
    bar: Option<Bar>,
}

/// A bar, and the line without one for phases whose end is not known.
struct Bar {
    shown: ProgressBar,
    with_share: indicatif::ProgressStyle,
    without: indicatif::ProgressStyle,
}

impl View {
    fn new(style: ProgressStyle) -> Option<Self> {
        let bar = match style {
            ProgressStyle::None => return None,
            ProgressStyle::Lines => None,
            ProgressStyle::Bar => Bar::new(),
        };
        Some(Self { meter: Meter::default(), bar })
    }

    fn show(&mut self, now: Duration, progress: &Progress) {
        let sight = self.meter.look(now, progress.snapshot(), progress.ended());
        match &self.bar {
            Some(bar) => bar.show(&self.meter, now, sight.ended.as_deref()),
            None => sight.ended.iter().chain(&sight.line).for_each(|line| print_line(line)),
        }
    }

    fn end(&mut self, now: Duration, progress: &Progress) {
        // Short work may end between two looks.
        self.show(now, progress);
        let line = self.meter.end_of_phase(now);
        match &self.bar {
            Some(bar) => {
                line.into_iter().for_each(|line| bar.shown.println(line));
                bar.shown.finish_and_clear();
            }
            None => line.iter().for_each(|line| print_line(line)),
        }
    }
}

impl Bar {
    fn new() -> Option<Self> {
        let style = |template| indicatif::ProgressStyle::with_template(template).ok();
        let target = ProgressDrawTarget::stderr();
        Some(Self {
            shown: ProgressBar::with_draw_target(Some(1000), target),
            with_share: style("{prefix} [{bar:24}] {msg}")?.progress_chars("=> "),
            without: style("{prefix} {msg}")?,
        })
    }

    fn show(&self, meter: &Meter, now: Duration, ended: Option<&str>) {
        if let Some(line) = ended {
            self.shown.println(line);
        }
        let share = meter.permille();
        let style = if share.is_some() { &self.with_share } else { &self.without };
        self.shown.set_style(style.clone());
        // In this order: each is drawn at once, and old amounts under a new name would mislead.
        self.shown.set_message(meter.standing(now));
        self.shown.set_prefix(meter.phase());
        self.shown.set_position(share.unwrap_or(0));
    }
}

fn print_line(line: &str) {
    // That progress cannot be shown is no reason to stop.
    let _ignored = writeln!(io::stderr().lock(), "{line}");
}
