//! Authority files: the cookie that opens a display (`Xauthority(5)`, `MIT-MAGIC-COOKIE-1`).

use std::path::Path;

use super::X11Error;
use crate::files::{self, Folder, Readers};

/// The only authorisation protocol used here.
pub(super) const COOKIE_NAME: &[u8] = b"MIT-MAGIC-COOKIE-1";
/// Matches every address (`FamilyWild` of `Xauth.h`).
const FAMILY_WILD: u16 = 65535;
/// Clients on the machine of that name (`FamilyLocal` of `Xauth.h`).
const FAMILY_LOCAL: u16 = 256;
/// An authority file of ours has two entries of about 50 bytes each; nothing sensible is larger than this.
const MAX_FILE: u64 = 64 * 1024;

/// Writes an authority file with one new random cookie that is good for every display number. It takes the place of what
/// has its name. `machine`: what clients take for the name of the machine that they are on; python-xlib asks for an entry
/// of that, and knows of none for every address.
///
/// # Errors
/// The file cannot be written, or the system gives no random bytes.
pub fn create_authority(folder: &Folder, name: &str, machine: &str, readers: Readers) -> Result<(), X11Error> {
    let mut cookie = [0; 16];
    getrandom::fill(&mut cookie).map_err(|error| X11Error::Authority(error.to_string()))?;
    folder
        .write(name, &entries(machine, &cookie), readers)
        .map_err(X11Error::io("write the authority file"))
}

/// The cookie for display `number` in an authority file.
///
/// # Errors
/// The file cannot be read or holds no such cookie.
pub(super) fn read_cookie(path: &Path, number: u32) -> Result<Vec<u8>, X11Error> {
    let bytes = files::read(path, MAX_FILE).map_err(X11Error::io("read the authority file"))?;
    find_cookie(&bytes, number).ok_or_else(|| X11Error::Authority(format!("no cookie for display {number}")))
}

fn entries(machine: &str, cookie: &[u8]) -> Vec<u8> {
    let local = entry(FAMILY_LOCAL, machine.as_bytes(), cookie);
    [local, entry(FAMILY_WILD, b"", cookie)].concat()
}

/// One entry: family, then address, display number, protocol name and data, each with its length (all big endian).
fn entry(family: u16, address: &[u8], cookie: &[u8]) -> Vec<u8> {
    let mut out = family.to_be_bytes().to_vec();
    // No number: the file is made before the X server has chosen its display number.
    for field in [address, b"", COOKIE_NAME, cookie] {
        let length = u16::try_from(field.len()).unwrap_or(0);
        out.extend(length.to_be_bytes());
        out.extend(field);
    }
    out
}

fn find_cookie(mut bytes: &[u8], number: u32) -> Option<Vec<u8>> {
    fn field<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
        let length = usize::from(u16::from_be_bytes(*bytes.split_first_chunk::<2>()?.0));
        let value = bytes.get(2..2 + length)?;
        *bytes = &bytes[2 + length..];
        Some(value)
    }
    let wanted = number.to_string();
    loop {
        bytes = bytes.split_first_chunk::<2>()?.1;
        let _address = field(&mut bytes)?;
        let number = field(&mut bytes)?;
        let name = field(&mut bytes)?;
        let data = field(&mut bytes)?;
        if name == COOKIE_NAME && (number.is_empty() || number == wanted.as_bytes()) {
            return Some(data.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_new_authority_file_is_private_and_opens_any_display() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth");
        let create =
            || create_authority(&Folder::open(folder.path()).unwrap(), "auth", "host", Readers::Nobody).unwrap();
        create();
        let first = read_cookie(&path, 7).unwrap();
        assert_eq!(first.len(), 16);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        create();
        assert_ne!(read_cookie(&path, 99).unwrap(), first);
    }

    #[test]
    fn a_cookie_for_another_display_is_passed_over() {
        let mut bytes = vec![1, 0];
        for field in [b"host".as_slice(), b"5", COOKIE_NAME, b"other"] {
            bytes.extend(u16::try_from(field.len()).unwrap().to_be_bytes());
            bytes.extend(field);
        }
        bytes.extend(entry(FAMILY_WILD, b"", b"ours"));
        assert_eq!(find_cookie(&bytes, 5).unwrap(), b"other");
        assert_eq!(find_cookie(&bytes, 6).unwrap(), b"ours");
    }

    #[test]
    fn a_client_that_asks_by_the_name_of_its_machine_finds_the_same_cookie() {
        let bytes = entries("heliostat", b"0123456789abcdef");
        let local = b"\x01\x00\x00\x09heliostat\x00\x00\x00\x12MIT-MAGIC-COOKIE-1\x00\x100123456789abcdef";
        let wild = b"\xff\xff\x00\x00\x00\x00\x00\x12MIT-MAGIC-COOKIE-1\x00\x100123456789abcdef";
        assert_eq!(bytes, [&local[..], &wild[..]].concat());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find_cookie(&bytes, 1);
        }
    }
}
