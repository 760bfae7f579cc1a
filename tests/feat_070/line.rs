//! A connection that can be cut: what a tunnel is to a daemon behind it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Forwards a port of its own to another one, until it is cut.
pub struct Line {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    to: u16,
    cut: AtomicBool,
    /// Tells the daemon of another version of the protocol than the client speaks.
    change: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

/// Where the version stands in the client's first message: length, kind, length and bytes of an id.
const VERSION: usize = 4 + 4 + 8 + 16;

impl Line {
    /// To this port.
    pub fn to(to: u16) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            to,
            cut: AtomicBool::new(false),
            change: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let own = shared.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                own.join(near);
            }
        });
        Line { port, shared }
    }

    /// Where it begins.
    pub fn addr(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// Ends every connection, and lets none through any more.
    pub fn cut(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.shared.cut.store(false, Ordering::SeqCst);
    }

    /// From now on the client seems to speak another version of the protocol.
    pub fn change_version(&mut self) {
        self.shared.change.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn join(self: &Arc<Shared>, near: TcpStream) {
        if self.cut.load(Ordering::SeqCst) {
            return;
        }
        let Ok(far) = TcpStream::connect(("127.0.0.1", self.to)) else { return };
        let copies = |stream: &TcpStream| stream.try_clone().unwrap();
        self.open.lock().unwrap().extend([copies(&near), copies(&far)]);
        let change = self.change.load(Ordering::SeqCst);
        let (one, other) = ((copies(&near), copies(&far)), (far, near));
        std::thread::spawn(move || pump(one.0, one.1, change));
        std::thread::spawn(move || pump(other.0, other.1, false));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, change: bool) {
    let (mut buffer, mut first) = ([0; 65536], change);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if std::mem::take(&mut first) && count > VERSION {
            buffer[VERSION] = 99;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
