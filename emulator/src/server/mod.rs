//! The thin layer between sockets and the [switchboard](crate::Switchboard): one listener a service, on
//! loopback, on a thread of its own.

mod certificate;
mod connection;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

pub(crate) use self::certificate::Authority;
use crate::services::Service;
use crate::switchboard::Switchboard;

/// What every connection shares.
#[derive(Debug)]
pub(crate) struct Shared {
    switchboard: Mutex<Switchboard>,
    /// How far the services' clock is from the machine's.
    ahead: Mutex<SignedDuration>,
}

impl Shared {
    pub(crate) fn new(switchboard: Switchboard, ahead: SignedDuration) -> Self {
        Self { switchboard: Mutex::new(switchboard), ahead: Mutex::new(ahead) }
    }

    /// The services. A test that failed while it held them does not take them from the others.
    pub(crate) fn switchboard(&self) -> MutexGuard<'_, Switchboard> {
        self.switchboard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The services' now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

/// The listeners, for as long as they are wanted.
#[derive(Debug)]
pub(crate) struct Server {
    addresses: HashMap<Service, SocketAddr>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// How a service is offered.
pub(crate) struct Offer {
    pub(crate) service: Service,
    pub(crate) tls: bool,
    /// Port 0 for any that is free.
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(shared: &Arc<Shared>, offers: &[Offer], authority: &Authority) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let acceptor = TlsAcceptor::from(authority.server_config());
        let mut addresses = HashMap::new();
        for offer in offers {
            let listener = runtime.block_on(TcpListener::bind(offer.address))?;
            addresses.insert(offer.service, listener.local_addr()?);
            let acceptor = offer.tls.then(|| acceptor.clone());
            runtime.spawn(connection::accept(listener, offer.service, acceptor, Arc::clone(shared)));
        }
        let thread = std::thread::Builder::new().name("adopat-emulator".to_owned()).spawn(move || {
            let mut stopped = stopped;
            // An error says that the sender is gone, which means the same.
            let _ = runtime.block_on(stopped.wait_for(|&stop| stop));
            runtime.shutdown_background();
        })?;
        Ok(Self { addresses, stop, thread: Some(thread) })
    }

    pub(crate) fn address(&self, service: Service) -> SocketAddr {
        self.addresses[&service]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
