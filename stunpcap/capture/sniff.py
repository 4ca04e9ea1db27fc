"""What a file looks like that is no capture."""


def looks_like(head: bytes) -> str:
    return "is neither pcap nor pcapng"
