//! Two stages of work on several threads, with ordered results.
//!
//! ```text
//!  jobs ──► first (any thread) ──► between (caller, in order) ──► second (any thread) ──► last (caller, in order)
//! ```
//!
//! `between` and `last` run on the calling thread and see results in the order of the jobs, so what
//! they decide and write does not depend on the number of threads. With one thread everything runs
//! inline: the serial twin used by tests.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use crossbeam_channel::{Receiver, Sender, select_biased, unbounded};

/// The work that threads do.
pub(crate) trait Stages: Sync {
    /// What `first` gets.
    type Job: Send;
    /// What `first` makes.
    type Read: Send;
    /// What `second` gets.
    type Ready: Send;
    /// What `second` makes.
    type Made: Send;
    /// What each thread owns (codecs, buffers).
    type Worker;

    fn worker(&self) -> Self::Worker;
    fn first(&self, worker: &mut Self::Worker, job: Self::Job) -> Self::Read;
    fn second(&self, worker: &mut Self::Worker, ready: Self::Ready) -> Self::Made;
}

/// What the calling thread does.
pub(crate) trait Coordinator<S: Stages> {
    type Error;

    /// Takes the result of a first stage; `None` means nothing is left to do for this job.
    fn between(&mut self, read: S::Read) -> Result<Option<S::Ready>, Self::Error>;
    /// Takes the result of a second stage.
    fn last(&mut self, made: S::Made) -> Result<(), Self::Error>;
}

/// A job and the bytes it holds while under way.
pub(crate) struct Weighed<J> {
    pub(crate) job: J,
    pub(crate) bytes: usize,
}

/// Runs all jobs. `budget` bounds the bytes of jobs under way at once (one job always may).
///
/// Stops at the first error of the coordinator; jobs under way are finished and dropped.
pub(crate) fn run<S: Stages, C: Coordinator<S>>(
    stages: &S,
    coordinator: &mut C,
    jobs: impl Iterator<Item = Weighed<S::Job>>,
    threads: NonZeroUsize,
    budget: usize,
) -> Result<(), C::Error> {
    if threads.get() == 1 {
        return run_inline(stages, coordinator, jobs);
    }
    std::thread::scope(|scope| {
        let (first_in, first_out) = unbounded();
        let (second_in, second_out) = unbounded();
        let (done_in, done_out) = unbounded();
        for _ in 0..threads.get() {
            let lane = Lane {
                first: first_out.clone(),
                second: second_out.clone(),
                done: done_in.clone(),
            };
            scope.spawn(move || lane.work(stages));
        }
        drop(done_in);
        let mut flow = Flow {
            first: first_in,
            second: second_in,
            done: done_out,
            reads: Ordered::new(),
            made: Ordered::new(),
            weights: VecDeque::new(),
            under_way: 0,
        };
        flow.drive(coordinator, jobs, budget)
    })
}

fn run_inline<S: Stages, C: Coordinator<S>>(
    stages: &S,
    coordinator: &mut C,
    jobs: impl Iterator<Item = Weighed<S::Job>>,
) -> Result<(), C::Error> {
    let mut worker = stages.worker();
    for weighed in jobs {
        let read = stages.first(&mut worker, weighed.job);
        if let Some(ready) = coordinator.between(read)? {
            let made = stages.second(&mut worker, ready);
            coordinator.last(made)?;
        }
    }
    Ok(())
}

/// A result on its way back, with the number of its job.
enum Done<S: Stages> {
    Read(usize, S::Read),
    Made(usize, S::Made),
    /// A thread panicked; the scope passes the panic on.
    Died,
}

/// What one thread sees.
struct Lane<S: Stages> {
    first: Receiver<(usize, S::Job)>,
    second: Receiver<(usize, S::Ready)>,
    done: Sender<Done<S>>,
}

impl<S: Stages> Lane<S> {
    fn work(self, stages: &S) {
        let mut worker = stages.worker();
        let _guard = DeathNotice { done: self.done.clone() };
        loop {
            // Second stages first: they free memory.
            let done = select_biased! {
                recv(self.second) -> task => match task {
                    Ok((number, ready)) => Done::Made(number, stages.second(&mut worker, ready)),
                    Err(_closed) => return,
                },
                recv(self.first) -> task => match task {
                    Ok((number, job)) => Done::Read(number, stages.first(&mut worker, job)),
                    Err(_closed) => return,
                },
            };
            if self.done.send(done).is_err() {
                return;
            }
        }
    }
}

/// Tells the coordinator when a thread panics, so that it does not wait for its result.
struct DeathNotice<S: Stages> {
    done: Sender<Done<S>>,
}

impl<S: Stages> Drop for DeathNotice<S> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A closed channel means that nobody waits any more.
            self.done.send(Done::Died).unwrap_or_default();
        }
    }
}

/// Results that arrive in any order and leave in the order of their numbers.
struct Ordered<T> {
    next: usize,
    waiting: VecDeque<Option<T>>,
}

impl<T> Ordered<T> {
    const fn new() -> Self {
        Self { next: 0, waiting: VecDeque::new() }
    }

    fn put(&mut self, number: usize, value: T) {
        let index = number - self.next;
        if self.waiting.len() <= index {
            self.waiting.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.waiting.get_mut(index) {
            *slot = Some(value);
        }
    }

    fn take(&mut self) -> Option<T> {
        let value = self.waiting.front_mut()?.take()?;
        self.waiting.pop_front();
        self.next += 1;
        Some(value)
    }
}

/// The coordinator's side of the channels.
struct Flow<S: Stages> {
    first: Sender<(usize, S::Job)>,
    second: Sender<(usize, S::Ready)>,
    done: Receiver<Done<S>>,
    reads: Ordered<S::Read>,
    /// `None`: the job ended after its first stage.
    made: Ordered<Option<S::Made>>,
    weights: VecDeque<usize>,
    under_way: usize,
}

impl<S: Stages> Flow<S> {
    fn drive<C: Coordinator<S>>(
        &mut self,
        coordinator: &mut C,
        jobs: impl Iterator<Item = Weighed<S::Job>>,
        budget: usize,
    ) -> Result<(), C::Error> {
        let mut jobs = jobs.enumerate().peekable();
        let mut decided = 0;
        loop {
            while let Some((_, weighed)) = jobs.peek()
                && (self.weights.is_empty() || self.under_way + weighed.bytes <= budget)
                && let Some((number, weighed)) = jobs.next()
            {
                self.under_way += weighed.bytes;
                self.weights.push_back(weighed.bytes);
                if self.first.send((number, weighed.job)).is_err() {
                    return Ok(());
                }
            }
            if self.weights.is_empty() {
                return Ok(());
            }
            match self.done.recv() {
                Ok(Done::Read(number, read)) => self.reads.put(number, read),
                Ok(Done::Made(number, made)) => self.made.put(number, Some(made)),
                // The panic itself comes out of the scope.
                Ok(Done::Died) | Err(_) => return Ok(()),
            }
            while let Some(read) = self.reads.take() {
                match coordinator.between(read)? {
                    Some(ready) => {
                        if self.second.send((decided, ready)).is_err() {
                            return Ok(());
                        }
                    }
                    None => self.made.put(decided, None),
                }
                decided += 1;
            }
            while let Some(made) = self.made.take() {
                self.under_way -= self.weights.pop_front().unwrap_or_default();
                if let Some(made) = made {
                    coordinator.last(made)?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Squares odd numbers; even ones end after the first stage.
    struct Squares;

    impl Stages for Squares {
        type Job = u64;
        type Read = u64;
        type Ready = u64;
        type Made = u64;
        type Worker = ();

        fn worker(&self) {}

        fn first(&self, (): &mut (), job: u64) -> u64 {
            // Uneven work, so that results overtake each other.
            (0..job % 7 * 10_000).fold(job, |sum, n| std::hint::black_box(sum + n) - n)
        }

        fn second(&self, (): &mut (), ready: u64) -> u64 {
            assert_ne!(ready, 666, "the thread dies");
            (0..ready % 5 * 10_000).fold(ready, |sum, n| std::hint::black_box(sum + n) - n) * ready
        }
    }

    #[derive(Default)]
    struct Collect {
        between: Vec<u64>,
        last: Vec<u64>,
        fail_at: Option<u64>,
    }

    impl Coordinator<Squares> for Collect {
        type Error = u64;

        fn between(&mut self, read: u64) -> Result<Option<u64>, u64> {
            self.between.push(read);
            if self.fail_at == Some(read) {
                return Err(read);
            }
            Ok((read % 2 == 1 || read == 666).then_some(read))
        }

        fn last(&mut self, made: u64) -> Result<(), u64> {
            self.last.push(made);
            Ok(())
        }
    }

    fn run_squares(
        threads: usize,
        budget: usize,
        end: u64,
        collect: &mut Collect,
    ) -> Result<(), u64> {
        let jobs = (0..end).map(|job| Weighed { job, bytes: 10 });
        run(&Squares, collect, jobs, NonZeroUsize::new(threads).unwrap(), budget)
    }

    #[test]
    fn results_are_ordered_whatever_the_threads_and_the_budget() {
        for (threads, budget) in [(1, 0), (2, 0), (3, 25), (4, 10_000)] {
            let mut collect = Collect::default();
            assert_eq!(run_squares(threads, budget, 300, &mut collect), Ok(()));
            assert_eq!(collect.between, (0..300).collect::<Vec<_>>());
            let odd_squares: Vec<_> = (0..300).filter(|n| n % 2 == 1).map(|n| n * n).collect();
            assert_eq!(collect.last, odd_squares);
        }
    }

    #[test]
    fn the_first_error_stops_the_work() {
        for threads in [1, 3] {
            let mut collect = Collect { fail_at: Some(20), ..Collect::default() };
            assert_eq!(run_squares(threads, 100, 1_000_000, &mut collect), Err(20));
        }
    }

    #[test]
    #[should_panic(expected = "thread panicked")]
    fn a_dying_thread_does_not_leave_the_caller_waiting() {
        let mut collect = Collect::default();
        run_squares(2, 100, 1_000, &mut collect).unwrap_or_default();
    }
}
