//! A way to call off a wait on the caller's own thread. Whoever calls may set a hook; loops that wait ask it.
//!
//! The bindings use it for Ctrl-C while a write waits for room: the columns are borrowed, so the wait cannot move to
//! another thread. Without a hook nothing is asked and nothing is called off.

use std::cell::RefCell;
use std::time::{Duration, Instant};

/// How often a hook is asked at most.
const PERIOD: Duration = Duration::from_millis(50);

struct Hook {
    ask: Box<dyn FnMut() -> bool>,
    next: Instant,
    answer: bool,
}

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Runs `call` with a hook for its waits on this thread. `ask` returns true to call the wait off; it is then not asked
/// again. An outer hook is set aside and comes back afterwards.
pub fn with_hook<R>(ask: impl FnMut() -> bool + 'static, call: impl FnOnce() -> R) -> R {
    struct Restore(Option<Hook>);
    impl Drop for Restore {
        fn drop(&mut self) {
            HOOK.set(self.0.take());
        }
    }
    let hook = Hook { ask: Box::new(ask), next: Instant::now() + PERIOD, answer: false };
    let _restore = Restore(HOOK.replace(Some(hook)));
    call()
}

/// Whether the wait on this thread has been called off. Cheap enough for every turn of a loop that sleeps.
#[must_use]
pub fn requested() -> bool {
    // The hook leaves its place while it is asked, so that it may itself wait on something that asks.
    let Some(mut hook) = HOOK.take() else { return false };
    if !hook.answer && Instant::now() >= hook.next {
        hook.answer = (hook.ask)();
        hook.next = Instant::now() + PERIOD;
    }
    let answer = hook.answer;
    HOOK.set(Some(hook));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_hook_nothing_is_called_off() {
        assert!(!requested());
    }

    #[test]
    fn a_hook_is_asked_at_intervals_and_its_yes_stays() {
        let begin = Instant::now();
        let waited = with_hook(
            || true,
            || {
                while !requested() {
                    assert!(begin.elapsed() < Duration::from_secs(5), "the hook was not asked");
                    std::thread::sleep(Duration::from_millis(1));
                }
                assert!(requested());
                begin.elapsed()
            },
        );
        assert!(waited >= PERIOD);
        assert!(!requested(), "the hook must not outlive its call");
    }

    #[test]
    fn an_inner_hook_gives_way_to_the_outer_one_again() {
        with_hook(
            || true,
            || {
                std::thread::sleep(PERIOD * 2);
                with_hook(|| false, || assert!(!requested()));
                assert!(requested());
            },
        );
    }
}
