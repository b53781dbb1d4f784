//! The stream of a page: what the run looks like now, and again whenever it was looked at, as server-sent
//! events. Everybody is sent the same bytes, and who takes them slowly is sent fewer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::watch;
use tokio::time::timeout;

/// A line now and then keeps those on the way from closing what looks idle.
const SILENT_MAX: Duration = Duration::from_secs(15);

/// What a page is made of at one moment, as an event.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Of the run and the reading: `Last-Event-ID` of who has it.
    pub id: String,
    pub is_final: bool,
    pub event: Bytes,
}

impl Picture {
    pub fn new(id: String, is_final: bool, document: &str) -> Picture {
        // A browser tries again after so many milliseconds. The document is one line.
        let event = format!("retry: 2000\nid: {id}\ndata: {document}\n\n");
        Picture { id, is_final, event: Bytes::from(event) }
    }
}

type Pictures = watch::Receiver<Picture>;
type Next = Pin<Box<dyn Future<Output = (Pictures, Option<Picture>)> + Send>>;

/// Ends with the last picture.
pub struct EventStream {
    next: Option<Next>,
}

impl EventStream {
    /// The first event is the picture of now, unless it is known already.
    pub fn new(mut pictures: Pictures, known: Option<&str>) -> EventStream {
        let is_known = known == Some(pictures.borrow().id.as_str());
        match is_known {
            true => pictures.mark_unchanged(),
            false => pictures.mark_changed(),
        }
        EventStream { next: Some(Box::pin(next(pictures))) }
    }
}

/// The next picture, or none where there is nothing new.
async fn next(mut pictures: Pictures) -> (Pictures, Option<Picture>) {
    let is_new = matches!(timeout(SILENT_MAX, pictures.changed()).await, Ok(Ok(())));
    let picture = is_new.then(|| pictures.borrow_and_update().clone());
    (pictures, picture)
}

impl Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(waiting) = &mut self.next else { return Poll::Ready(None) };
        let (pictures, picture) = ready!(waiting.as_mut().poll(context));
        let is_last = picture.as_ref().is_some_and(|picture| picture.is_final);
        self.next = (!is_last).then(|| Box::pin(next(pictures)) as Next);
        let bytes = picture.map_or(Bytes::from_static(b":\n\n"), |picture| picture.event);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn picture(number: u64, is_final: bool) -> Picture {
        Picture::new(format!("run.{number}"), is_final, "{}")
    }

    async fn read(stream: &mut EventStream) -> Option<String> {
        let frame = stream.frame().await?.unwrap().into_data().unwrap();
        Some(String::from_utf8(frame.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_has_the_picture_of_now_and_ends_with_the_last() {
        let (sender, pictures) = watch::channel(picture(1, false));
        let mut stream = EventStream::new(pictures.clone(), Some("run.0"));
        let first = read(&mut stream).await.unwrap();
        assert_eq!(first, "retry: 2000\nid: run.1\ndata: {}\n\n");
        // Whoever is slow is sent what is there by then.
        (2..5).for_each(|number| drop(sender.send(picture(number, false))));
        assert!(read(&mut stream).await.unwrap().contains("id: run.4\n"));
        assert_eq!(read(&mut stream).await.unwrap(), ":\n\n");
        drop(sender.send(picture(5, true)));
        assert!(read(&mut stream).await.unwrap().contains("id: run.5\n"));
        assert_eq!(read(&mut stream).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_not_sent_again() {
        let (sender, pictures) = watch::channel(picture(7, false));
        let mut stream = EventStream::new(pictures, Some("run.7"));
        assert_eq!(read(&mut stream).await.unwrap(), ":\n\n");
        drop(sender.send(picture(8, false)));
        assert!(read(&mut stream).await.unwrap().contains("id: run.8\n"));
    }
}
