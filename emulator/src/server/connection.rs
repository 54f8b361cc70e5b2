//! One connection: carries requests to the switchboard, and their answers back, or not.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::Shared;
use crate::fault::Delivery;
use crate::log::Outcome;
use crate::services::Service;

/// How long what was sent of a body may take to arrive before the connection is closed.
const BEFORE_CUTTING: Duration = Duration::from_millis(50);

/// Takes connections for as long as the runtime lives.
pub(super) async fn accept(
    listener: TcpListener,
    service: Service,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(serve(stream, service, acceptor.clone(), Arc::clone(&shared)));
    }
}

async fn serve(stream: TcpStream, service: Service, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let stream = Resettable { stream, reset: Arc::clone(&reset) };
    match acceptor {
        None => speak(stream, service, reset, shared).await,
        // A client that does not trust the certificate says so here, and is gone.
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                speak(stream, service, reset, shared).await;
            }
        }
    }
}

async fn speak<S>(stream: S, service: Service, reset: Arc<AtomicBool>, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handler = service_fn(move |request: Request<Incoming>| {
        let (shared, reset) = (Arc::clone(&shared), Arc::clone(&reset));
        async move {
            // The service goes on with a request whose client has hung up: only the answer is lost then.
            let (answering, answer) = oneshot::channel();
            tokio::spawn(carry(request, service, shared, answering));
            match answer.await {
                Ok(Answering::With(answer)) => Ok(answer),
                Ok(Answering::Reset) => {
                    reset.store(true, Ordering::SeqCst);
                    Err(HangUp)
                }
                Ok(Answering::Close) | Err(_) => Err(HangUp),
            }
        }
    });
    let connection =
        http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), handler);
    // It ends in an error whenever a fault or the client wants it to.
    let _ = connection.await;
}

/// What is said to the client.
enum Answering {
    With(Response<UnsyncBoxBody<Bytes, HangUp>>),
    Reset,
    Close,
}

/// The connection ends here.
#[derive(Debug)]
struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is ended on purpose")
    }
}

impl std::error::Error for HangUp {}

impl From<Infallible> for HangUp {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn carry(
    request: Request<Incoming>,
    service: Service,
    shared: Arc<Shared>,
    answering: oneshot::Sender<Answering>,
) {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return };
    let request = Request::from_parts(head, body.to_bytes());
    let (number, course) = shared.switchboard().arrive(service, &request, shared.now());

    if let Some(hold) = &course.hold_before {
        hold.released().await;
    }
    pass(course.delay_before).await;
    let late = course.late.map(|late| (late, request.clone()));
    let answer = shared.switchboard().act(service, request, &course, shared.now());
    let status = answer.as_ref().map(Response::status);
    pass(course.delay_after).await;
    if let Some(hold) = &course.hold_after {
        hold.released().await;
    }

    let (said, outcome) = match (answer, course.delivery) {
        (_, Delivery::Closed) => (Answering::Close, Outcome::Lost(status)),
        (None, _) | (Some(_), Delivery::Reset) => (Answering::Reset, Outcome::Lost(status)),
        (Some(answer), Delivery::Whole) => {
            let outcome = Outcome::Answered(answer.status());
            (
                Answering::With(answer.map(|body| Full::new(body).map_err(HangUp::from).boxed_unsync())),
                outcome,
            )
        }
        // There is nothing to cut: it is cut all the same.
        (Some(answer), Delivery::CutAfter(_)) if answer.body().is_empty() => {
            (Answering::Close, Outcome::Lost(status))
        }
        (Some(answer), Delivery::CutAfter(bytes)) => {
            (Answering::With(cut(answer, bytes)), Outcome::Lost(status))
        }
    };
    // Written down before it is said, so that a client that has read the answer finds it in the log.
    shared.switchboard().settle(number, outcome);
    if answering.send(said).is_err() {
        shared.switchboard().settle(number, Outcome::Lost(status));
    }
    if let Some((late, request)) = late {
        pass(late).await;
        shared.switchboard().act_late(service, request, shared.now());
    }
}

/// Lets so much time pass, exactly: tokio's own timers round up to a whole millisecond, and no time at all is one,
/// so that a client's measurements would include them.
async fn pass(time: Duration) {
    if !time.is_zero() {
        let _ = tokio::task::spawn_blocking(move || std::thread::sleep(time)).await;
    }
}

/// The answer promises its whole length, and breaks off.
fn cut(mut answer: Response<Bytes>, bytes: usize) -> Response<UnsyncBoxBody<Bytes, HangUp>> {
    let whole = answer.body().len();
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(whole));
    answer.map(|body| {
        let sent = body.slice(..bytes.min(whole.saturating_sub(1)));
        CutBody { sent: Some(sent), end: Box::pin(tokio::time::sleep(BEFORE_CUTTING)) }.boxed_unsync()
    })
}

struct CutBody {
    sent: Option<Bytes>,
    end: Pin<Box<tokio::time::Sleep>>,
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = HangUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HangUp>>> {
        if let Some(sent) = self.sent.take().filter(|sent| !sent.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(sent))));
        }
        self.end.as_mut().poll(context).map(|()| Some(Err(HangUp)))
    }
}

/// A connection that can end with a reset in place of an orderly close.
struct Resettable {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.reset.load(Ordering::SeqCst) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
