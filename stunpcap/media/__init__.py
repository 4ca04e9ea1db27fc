"""What came after ICE: DTLS handshakes, streams of media and data, activity, names asked over mDNS."""
