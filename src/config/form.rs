//! From the text of one value to what it means. Each function answers with the form that it expected.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use super::{Listen, LogFormat};

/// What was expected instead.
pub(super) type Expected = String;

/// A path that is not empty.
pub(super) fn path(text: &str) -> Result<PathBuf, Expected> {
    if text.is_empty() || text.contains('\0') {
        return Err("a path".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// `HOST:PORT`, `[IPv6]:PORT`.
pub(super) fn listen(text: &str) -> Result<Listen, Expected> {
    let expected = || "HOST:PORT, such as 127.0.0.1:4580 or [::1]:4580".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = |host: &str| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    let host = match bracketed {
        Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
        None if !host.is_empty() && is_host(host) => host,
        _ => return Err(expected()),
    };
    let port = port.parse().map_err(|_| expected())?;
    Ok(Listen { host: host.to_owned(), port })
}

/// `HOST[:PORT]` with place holders.
pub(super) fn public_host(text: &str) -> Result<String, Expected> {
    let expected =
        || "HOST[:PORT] without a scheme or path, in which {account} and {region} may stand".to_owned();
    let example = text.replace("{account}", "123456789012").replace("{region}", "eu-central-1");
    let (host, port) = match example.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (example.as_str(), None),
    };
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |number| number == 0)) {
        return Err(expected());
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    if is_bracketed || host.split('.').all(is_label) { Ok(text.to_owned()) } else { Err(expected()) }
}

/// `true` or `false`.
pub(super) fn truth(text: &str) -> Result<bool, Expected> {
    text.parse().map_err(|_| "true or false".to_owned())
}

/// `http` or `https`; out: whether it is `https`.
pub(super) fn scheme(text: &str) -> Result<bool, Expected> {
    match text {
        "http" => Ok(false),
        "https" => Ok(true),
        _ => Err("http or https".to_owned()),
    }
}

/// `human` or `json`.
pub(super) fn self_signed(text: &str) -> Result<(), Expected> {
    if text == "self-signed" { Ok(()) } else { Err("self-signed".to_owned()) }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Expected> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err("human or json".to_owned()),
    }
}

/// A level or directives of `tracing_subscriber`.
pub(super) fn log_filter(text: &str) -> Result<String, Expected> {
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("error, warn, info, debug, trace or directives".to_owned()),
    }
}

/// Networks with commas between them; a bare address is a network of one.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, Expected> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| part.parse().or_else(|_| part.parse::<std::net::IpAddr>().map(IpNet::from)))
        .collect::<Result<_, _>>()
        .map_err(|_| "networks such as 10.0.0.0/8,fd00::/8".to_owned())
}

/// A whole number from `least` to `most`.
pub(super) fn number<T>(least: T, most: T) -> impl FnOnce(&str) -> Result<T, Expected>
where
    T: FromStr + PartialOrd + std::fmt::Display + Copy,
{
    move |text| {
        let plain = text.replace('_', "");
        let inside = plain.parse::<T>().ok().filter(|number| (least..=most).contains(number));
        inside.ok_or_else(|| format!("a whole number from {least} to {most}"))
    }
}

/// A number of seconds.
pub(super) fn seconds(least: u64, most: u64) -> impl FnOnce(&str) -> Result<Duration, Expected> {
    move |text| number(least, most)(text).map(Duration::from_secs)
}

/// An access key id of the operator's choice.
pub(super) fn access_key_id(text: &str) -> Result<String, Expected> {
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if (16..=128).contains(&text.len()) && is_word {
        return Ok(text.to_owned());
    }
    Err("16 to 128 letters, digits or underscores".to_owned())
}

/// Its secret: short ones can be guessed from one recorded signature.
pub(super) fn secret(text: &str) -> Result<zeroize::Zeroizing<String>, Expected> {
    if (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(zeroize::Zeroizing::new(text.to_owned()));
    }
    Err("16 to 128 printable characters without spaces".to_owned())
}
