"""Whether messages are who they say they are from: MESSAGE-INTEGRITY checked with passwords the user supplies.

A check is keyed with the password of the agent that is asked (RFC 8445 section 7.2.2), a request to a server with the
user's password and the realm (RFC 8489 section 9.2), and a response with the key of its request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from stunpcap.ice.sessions import split_username
from stunpcap.ice.transactions import Correlated
from stunpcap.schema import INTEGRITY
from stunpcap.stun.integrity import check_integrity, long_term_key, short_term_key
from stunpcap.table import Table

ABSENT, PRESENT, VALID, INVALID = range(len(INTEGRITY))


def verify(
    messages: Table, correlated: Correlated, bytes_of: Callable[[int], bytes], passwords: Mapping[str, str]
) -> None:
    """Set the `integrity` of all messages whose password is known.

    Parameters
    ----------
    bytes_of
        Gives the bytes of the message in a row.
    passwords
        By ufrag (ICE) or user name (TURN).
    """
    texts = messages.pools.texts.values
    transaction_keys: dict[int, list[bytes]] = {}
    integrity = messages["integrity"].copy()
    requests_first = np.argsort(messages["class"], kind="stable")
    for row in requests_first[integrity[requests_first] == PRESENT].tolist():
        transaction = int(correlated.of_message[row])
        keys = transaction_keys.get(transaction, [])
        if messages["username"][row] >= 0:
            realm = int(messages["realm"][row])
            keys = _keys(texts[messages["username"][row]], texts[realm] if realm >= 0 else None, passwords)
            if transaction >= 0:
                transaction_keys[transaction] = keys
        if keys:
            data = bytes_of(row)
            integrity[row] = VALID if any(check_integrity(data, key) == "valid" for key in keys) else INVALID
    messages["integrity"] = integrity


def _keys(username: str, realm: str | None, passwords: Mapping[str, str]) -> list[bytes]:
    """The keys that a message with this USERNAME may have been made with."""
    if realm is not None:
        password = passwords.get(username)
        if password is None:
            return []
        return [long_term_key(username, realm, password, "MD5"), long_term_key(username, realm, password, "SHA-256")]
    ufrags = split_username(username)
    password = passwords.get(ufrags[0]) if ufrags else None
    if password is None:
        password = passwords.get(username)
    return [] if password is None else [short_term_key(password)]
