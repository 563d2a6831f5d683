use super::*;
use crate::formats::pkcs7::Pkcs7Error;
use crate::keys::sample;

/// 2026-01-01.
const TIME: u64 = 1_767_225_600;

fn update(variable: Variable) -> Vec<u8> {
    let list = signature_list(&[sample::certificate()], &owner(&sample::certificate()));
    let signature = sample::rsa_signature(&to_sign(variable, TIME, &list).unwrap());
    auth(TIME, &list, &sample::certificate(), &signature).unwrap()
}

#[test]
fn a_list_has_an_entry_of_its_own_for_each_certificate() {
    let (one, two) = (sample::certificate(), sample::foreign_certificate());
    let owner = owner(&one);
    let list = signature_list(&[one.clone(), two.clone()], &owner);
    assert_eq!(list.len(), 2 * 44 + one.der.len() + two.der.len());
    assert_eq!(list[16..20], (44 + one.der.len() as u32).to_le_bytes());
    assert_eq!(list[24..28], (16 + one.der.len() as u32).to_le_bytes());
    assert_eq!(list[28..44], owner.to_bytes_le());
    assert!(list.ends_with(&two.der));
}

#[test]
fn an_update_is_for_its_variable_and_its_owner_only() {
    let bytes = update(Variable::Db);
    let list = read_auth(Variable::Db, &bytes, &sample::certificate()).unwrap();
    assert!(list.ends_with(&sample::certificate().der));
    assert_eq!(bytes[..8], [0xea, 7, 1, 1, 0, 0, 0, 0]);
    let other = read_auth(Variable::Kek, &bytes, &sample::certificate());
    assert_eq!(other, Err(AuthError::Signature(Pkcs7Error::Signature)));
    let foreign = read_auth(Variable::Db, &bytes, &sample::foreign_certificate());
    assert!(matches!(foreign, Err(AuthError::Signature(Pkcs7Error::Stranger { .. }))), "{foreign:?}");
    for end in 0..bytes.len() {
        assert!(read_auth(Variable::Db, &bytes[..end], &sample::certificate()).is_err(), "cut at {end}");
    }
}
