//! Messages: their length in four bytes, the highest first, then JSON.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::Value;

/// More is no message.
const MOST: u32 = 16_777_216;

/// Sends a message.
pub fn send(stream: &mut impl Write, message: &Value) -> std::io::Result<()> {
    let text = message.to_string();
    let length = u32::try_from(text.len()).map_err(std::io::Error::other)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(text.as_bytes())
}

/// Receives one, or says why not.
pub fn receive(stream: &mut impl Read) -> Result<Value, String> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).map_err(|error| format!("IO error: {error}"))?;
    let length = u32::from_be_bytes(length);
    if length > MOST {
        return Err(format!("Message too large: {length} bytes (max {MOST})"));
    }
    let mut text = vec![0; length as usize];
    stream.read_exact(&mut text).map_err(|error| format!("IO error: {error}"))?;
    serde_json::from_slice(&text).map_err(|error| format!("Deserialization error: {error}"))
}

/// A connection of either kind.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Connects, or gives what fugue's programs say.
pub fn connect(addr: Option<&str>) -> Result<Box<dyn Stream>, String> {
    let failed = |place: &str, error: std::io::Error| {
        format!("Connection failed: Failed to connect to {place}: {error}")
    };
    if let Some(url) = addr.filter(|addr| addr.starts_with("tcp://")) {
        let place = &url["tcp://".len()..];
        if place.starts_with(':') {
            return Err(format!("Connection failed: Invalid TCP URL '{url}': empty host"));
        }
        if place.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            return Err("Connection failed: Missing port in TCP URL".into());
        }
        let stream = TcpStream::connect(place).map_err(|error| failed(place, error))?;
        return Ok(Box::new(stream));
    }
    let path = match addr {
        Some(addr) => PathBuf::from(addr.strip_prefix("unix://").unwrap_or(addr)),
        None => super::default_socket(),
    };
    if !path.exists() {
        return Err(format!("Server not running at {}", path.display()));
    }
    let stream = UnixStream::connect(&path).map_err(|error| failed(&path.display().to_string(), error))?;
    Ok(Box::new(stream))
}
