//! [`Hold`]: where a test stops a request, looks around, and lets it go on.

use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

/// What ordering a fault returns: says how often it struck, and lets go of what it holds.
///
/// It needs no runtime: the holding side awaits [`Hold::released`], the test waits with a timeout.
#[derive(Clone, Debug, Default)]
pub struct Hold(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    struck: usize,
    held: usize,
    released: bool,
    waiting: Vec<Waker>,
}

impl Hold {
    /// How often the fault has struck.
    pub fn struck(&self) -> usize {
        self.lock().struck
    }

    /// Waits until a request is held, and says whether one is.
    pub fn wait_until_held(&self, timeout: Duration) -> bool {
        self.wait(timeout, |state| state.held > 0)
    }

    /// Waits until the fault has struck, and says whether it has.
    pub fn wait_until_struck(&self, timeout: Duration) -> bool {
        self.wait(timeout, |state| state.struck > 0)
    }

    /// Lets go of everything that is held, and of all that would be.
    pub fn release(&self) {
        let mut state = self.lock();
        state.released = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.0.changed.notify_all();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Comes to its end when the test lets go. For the code that carries the request.
    pub async fn released(&self) {
        self.lock().held += 1;
        self.0.changed.notify_all();
        poll_fn(|context| {
            let mut state = self.lock();
            if state.released {
                return Poll::Ready(());
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
        self.lock().held -= 1;
    }

    pub(crate) fn count(&self) {
        self.lock().struck += 1;
        self.0.changed.notify_all();
    }

    fn wait(&self, timeout: Duration, until: impl Fn(&State) -> bool) -> bool {
        let waited = self.0.changed.wait_timeout_while(self.lock(), timeout, |state| !until(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        until(&state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
