//! So many pieces of work at once, begun in their order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;

/// Works on each piece, at most `at_once` of them at a time; what came of each, in the order of the pieces.
pub(super) async fn side_by_side<'a, P, T, F>(
    at_once: usize,
    pieces: &'a [P],
    work: impl Fn(&'a P) -> F,
) -> Vec<T>
where
    F: Future<Output = T>,
{
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<T>>> = pieces.iter().map(|_| Mutex::default()).collect();
    let hands = (0..at_once.min(pieces.len())).map(|_| async {
        while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|it| *it < pieces.len()) {
            let outcome = work(&pieces[index]).await;
            *done[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        }
    });
    join_all(hands).await;
    let done = done.into_iter().map(|done| done.into_inner().unwrap_or_else(PoisonError::into_inner));
    done.map(|done| done.expect("every piece was worked on")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    #[allow(clippy::redundant_closure, reason = "an asynchronous closure is no function of every lifetime")]
    async fn so_many_are_worked_on_at_once_and_begun_in_their_order() {
        let (under_way, most, begun) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
        let pieces: Vec<u64> = (0..20).rev().collect();
        let work = async |piece: &u64| {
            begun.lock().expect("not poisoned").push(*piece);
            most.fetch_max(under_way.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(*piece)).await;
            under_way.fetch_sub(1, Ordering::Relaxed);
            piece * 2
        };
        let done = side_by_side(3, &pieces, |piece| work(piece)).await;
        assert_eq!(done, pieces.iter().map(|piece| piece * 2).collect::<Vec<_>>());
        assert_eq!(most.load(Ordering::Relaxed), 3);
        assert_eq!(*begun.lock().expect("not poisoned"), pieces);
        assert!(side_by_side(3, &[], |piece| work(piece)).await.is_empty());
    }
}
