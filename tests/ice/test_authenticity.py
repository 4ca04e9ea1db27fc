"""MESSAGE-INTEGRITY checked with passwords (RFC 8445 section 7.2.2, RFC 8489 section 9)."""

from __future__ import annotations

from tests.ice.transcript import read

NAMES = """
    A = 10.0.0.1:1000
    B = 10.0.0.2:2000
    S = 192.0.2.10:3478
"""


def integrity(text, passwords):
    return list(read(NAMES + text, passwords=passwords).messages["integrity"])


CHECKS = """
    0.00  A > B  request t1 user=bbbb:aaaa prio=1 key=secret-b
    0.02  B > A  success t1 mapped=A key=secret-b
    0.03  B > A  request t2 user=aaaa:bbbb prio=1 key=secret-a
    0.05  A > B  success t2 mapped=B key=secret-a
"""


def test_a_check_has_the_password_of_who_is_asked_and_so_has_its_answer():
    assert integrity(CHECKS, {"aaaa": "secret-a", "bbbb": "secret-b"}) == ["valid"] * 4


def test_without_passwords_integrity_is_present():
    assert integrity(CHECKS, None) == ["present"] * 4


def test_a_password_of_one_side_checks_one_direction():
    assert integrity(CHECKS, {"bbbb": "secret-b"}) == ["valid", "valid", "present", "present"]


def test_a_wrong_password():
    assert integrity(CHECKS, {"bbbb": "secret-x"}) == ["invalid", "invalid", "present", "present"]


def test_an_answer_made_with_another_key():
    text = "0 A > B request t1 user=bbbb:aaaa prio=1 key=secret-b\n 0.1 B > A success t1 mapped=A key=secret-a"
    assert integrity(text, {"bbbb": "secret-b"}) == ["valid", "invalid"]


def test_an_answer_from_elsewhere_is_keyed_by_its_request():
    text = "0 A > B request t1 user=bbbb:aaaa prio=1 key=secret-b\n 0.1 S > A success t1 mapped=A key=secret-b"
    assert integrity(text, {"bbbb": "secret-b"}) == ["valid", "valid"]


def test_an_answer_whose_request_was_not_captured_cannot_be_checked():
    assert integrity("0 B > A success t1 mapped=A key=secret-b", {"bbbb": "secret-b"}) == ["present"]


def test_microsofts_username():
    text = "0 A > B request t1 user=bbbb:1:aaaa:1 prio=1 key=secret-b"
    assert integrity(text, {"bbbb": "secret-b"}) == ["valid"]


def test_no_integrity():
    assert integrity("0 A > S request t1\n 0.1 S > A success t1 mapped=A", {"x": "y"}) == ["absent", "absent"]


def test_long_term_credentials():
    """The key is MD5 of user, realm and password; the answer has no USERNAME and the same key."""
    text = """
        0.0  A > S  allocate request t1
        0.1  S > A  allocate error t1 code=401 realm=example.org
        0.2  A > S  allocate request t2 user=alice realm=example.org key=alice:example.org:pw
        0.3  S > A  allocate success t2 mapped=A key=alice:example.org:pw
    """
    assert integrity(text, {"alice": "pw"}) == ["absent", "absent", "valid", "valid"]
    assert integrity(text, {"alice": "no"}) == ["absent", "absent", "invalid", "invalid"]
    assert integrity(text, {"bob": "pw"}) == ["absent", "absent", "present", "present"]


def test_a_copied_answer_is_as_good_as_the_first():
    text = CHECKS.replace("0.03", "0.021 again\n 0.03")
    assert integrity(text, {"bbbb": "secret-b"}) == ["valid", "valid", "valid", "present", "present"]
