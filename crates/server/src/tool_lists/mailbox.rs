//! News that wait for a stream to be read.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

/// The news that a stream is yet to be told. Newer ones take the place of older ones, which say the same.
#[derive(Debug)]
pub(crate) struct Mailbox<T>(Mutex<Post<T>>);

#[derive(Debug)]
struct Post<T> {
    news: Option<T>,
    reader: Option<Waker>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self(Mutex::new(Post {
            news: None,
            reader: None,
        }))
    }
}

impl<T> Mailbox<T> {
    /// Puts news in, and wakes the reader.
    pub(crate) fn put(&self, news: T) {
        let mut post = self.post();
        post.news = Some(news);
        if let Some(reader) = post.reader.take() {
            reader.wake();
        }
    }

    /// Takes the news out, as soon as there are some.
    pub(crate) fn poll_take(&self, context: &Context<'_>) -> Poll<T> {
        let mut post = self.post();
        if let Some(news) = post.news.take() {
            return Poll::Ready(news);
        }
        match &mut post.reader {
            Some(reader) => reader.clone_from(context.waker()),
            reader => *reader = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    fn post(&self) -> MutexGuard<'_, Post<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
