//! `EFI_VARIABLE_AUTHENTICATION_2`: a new content of a key variable, signed by the key above it.

use x509_cert::der::{DateTime, Encode};

use crate::formats::pkcs7::{Content, Form, Pkcs7Error, Signed, write_signed_data};
use crate::formats::x509::Certificate;

/// `EFI_GLOBAL_VARIABLE` and `EFI_IMAGE_SECURITY_DATABASE_GUID`.
const GLOBAL: uuid::Uuid = uuid::uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
const SECURITY_DATABASE: uuid::Uuid = uuid::uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
/// `EFI_CERT_TYPE_PKCS7_GUID`
const PKCS7: uuid::Uuid = uuid::uuid!("4aafd29d-68df-49ee-8aa9-347d375665a7");
/// Non-volatile, for boot and run time, with a time-based signature.
const ATTRIBUTES: u32 = 0x27;
const REVISION: u16 = 0x0200;
const WIN_CERT_TYPE_EFI_GUID: u16 = 0x0ef1;
/// Bytes of `EFI_TIME`.
const TIME: usize = 16;
/// Bytes before the signed data: time, length, revision, type, GUID.
const HEAD: usize = TIME + 8 + 16;

/// A key variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Variable {
    Pk,
    Kek,
    Db,
    Dbx,
}

/// Why an update is not one for that variable by that key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not an update.
    #[error("not a signed update of a firmware variable: {0}")]
    Format(&'static str),
    /// Not by the owner's key.
    #[error("the update is not for this owner's machines: {0}")]
    Signature(#[from] Pkcs7Error),
}

impl Variable {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Variable::Pk => "PK",
            Variable::Kek => "KEK",
            Variable::Db => "db",
            Variable::Dbx => "dbx",
        }
    }

    const fn vendor(self) -> uuid::Uuid {
        match self {
            Variable::Pk | Variable::Kek => GLOBAL,
            Variable::Db | Variable::Dbx => SECURITY_DATABASE,
        }
    }
}

/// What the key above signs: name, vendor, attributes, time, content.
pub fn to_sign(variable: Variable, time: u64, list: &[u8]) -> anyhow::Result<Vec<u8>> {
    Ok(message(variable, &efi_time(time)?, list))
}

/// The signed update. Firmware takes none that is older than the variable it has.
pub fn auth(time: u64, list: &[u8], by: &Certificate, signature: &[u8]) -> anyhow::Result<Vec<u8>> {
    // Firmware takes the signed data itself; not every one takes a content info around it.
    let form = Form { content: Content::Detached, attributes: None, with_certificate: true };
    let data = write_signed_data(form, by, signature)?.to_der()?;
    let mut bytes = efi_time(time)?.to_vec();
    let length = u32::try_from(HEAD - TIME + data.len())?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&REVISION.to_le_bytes());
    bytes.extend_from_slice(&WIN_CERT_TYPE_EFI_GUID.to_le_bytes());
    bytes.extend_from_slice(&PKCS7.to_bytes_le());
    bytes.extend_from_slice(&data);
    bytes.extend_from_slice(list);
    Ok(bytes)
}

/// The content of an update, once it is found to be for this variable and by this key.
pub fn read_auth<'b>(variable: Variable, bytes: &'b [u8], by: &Certificate) -> Result<&'b [u8], AuthError> {
    let (head, rest) = bytes.split_at_checked(HEAD).ok_or(AuthError::Format("it is cut short"))?;
    let length = u32::from_le_bytes([head[16], head[17], head[18], head[19]]) as usize;
    if head[20..24] != [0, 2, 0xf1, 0x0e] || head[24..] != PKCS7.to_bytes_le() {
        return Err(AuthError::Format("another revision or kind"));
    }
    let (data, list) = length
        .checked_sub(HEAD - TIME)
        .and_then(|length| rest.split_at_checked(length))
        .ok_or(AuthError::Format("its signature is cut short"))?;
    let signed = Signed::parse_signed_data(data)?;
    signed.signed_by(&message(variable, &head[..TIME], list), std::slice::from_ref(by))?;
    Ok(list)
}

fn message(variable: Variable, time: &[u8], list: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = variable.name().encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.extend_from_slice(&variable.vendor().to_bytes_le());
    bytes.extend_from_slice(&ATTRIBUTES.to_le_bytes());
    bytes.extend_from_slice(time);
    bytes.extend_from_slice(list);
    bytes
}

/// `EFI_TIME`, without parts of a second and without a zone.
fn efi_time(seconds: u64) -> anyhow::Result<[u8; TIME]> {
    let time = DateTime::from_unix_duration(std::time::Duration::from_secs(seconds))?;
    let mut bytes = [0; TIME];
    bytes[..2].copy_from_slice(&time.year().to_le_bytes());
    bytes[2..7].copy_from_slice(&[time.month(), time.day(), time.hour(), time.minutes(), time.seconds()]);
    Ok(bytes)
}
