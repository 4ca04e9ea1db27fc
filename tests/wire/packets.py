"""Packets built by hand, layer by layer: `ethernet(vlan(ipv4(udp(stun_request()))))`.

Lower layers take what is inside as their first argument and, where one is needed, find out its EtherType from the
first nibble unless told otherwise.
"""

import ipaddress
from struct import pack

A, B = "192.0.2.1", "198.51.100.2"
A6, B6 = "2001:db8::1", "2001:db8:1::2"
OUTER_A, OUTER_B = "203.0.113.1", "203.0.113.2"
OUTER_A6, OUTER_B6 = "2001:db8:f::1", "2001:db8:f::2"
SPORT, DPORT = 50000, 40000
MAC_A, MAC_B = bytes.fromhex("020000000001"), bytes.fromhex("02000000000b")
ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")


# Payloads


def stun_request(body=b"\0\x06\0\x03a:b\0", id=ID, kind=1, trailing=b""):
    return pack(">HHI", kind, len(body), 0x2112A442) + id + body + trailing


def rtp(size=160, sequence=1, first=0x80, kind=111):
    return pack(">BBHII", first, kind, sequence, 960, 7) + bytes(size)


def rtcp(kind=200):
    return pack(">BBHI", 0x80, kind, 6, 7) + bytes(20)


def dtls(kind=22, epoch=0, size=40, version=0xFEFD):
    return pack(">BHHHIH", kind, version, epoch, 0, 1, size) + bytes(size)


def channel_data(inside=b"x" * 9, number=0x4001, pad=False):
    return pack(">HH", number, len(inside)) + inside + (bytes(-len(inside) % 4) if pad else b"")


# Transport


def udp(payload=None, sport=SPORT, dport=DPORT, length=None, checksum=0):
    payload = stun_request() if payload is None else payload
    return pack(">HHHH", sport, dport, 8 + len(payload) if length is None else length, checksum) + payload


def udplite(payload=None, coverage=8, src=A, dst=B):
    """With a checksum, which UDP-Lite must have and tshark wants to see."""
    payload = stun_request() if payload is None else payload
    header = pack(">HHHH", SPORT, DPORT, coverage, 0)
    covered = (header + payload)[: coverage or None]
    addresses = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    check = checksum(addresses + pack(">HH", 136, len(header + payload)) + covered)
    return pack(">HHHH", SPORT, DPORT, coverage, check) + payload


def tcp(payload=b"", sport=SPORT, dport=DPORT, options=b""):
    offset = 5 + len(options) // 4
    return pack(">HHIIBBHHH", sport, dport, 1, 2, offset << 4, 0x18, 1000, 0, 0) + options + payload


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(data[i] << 8 | data[i + 1] for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp(quote, kind=3, code=3, rest=b"\0\0\0\0"):
    return pack(">BBH", kind, code, checksum(pack(">BBH", kind, code, 0) + rest + quote)) + rest + quote


# Network


def ipv4(payload, src=A, dst=B, protocol=17, ttl=64, options=b"", total=None, id=1, more=False, at=0):
    options += bytes(-len(options) % 4)
    size = 20 + len(options)
    total = size + len(payload) if total is None else total
    word = more << 13 | at // 8
    addresses = ipaddress.IPv4Address(src).packed + ipaddress.IPv4Address(dst).packed
    head = pack(">BBHHHBBH", 0x40 | size // 4, 0, total, id, word, ttl, protocol, 0) + addresses + options
    return head[:10] + pack(">H", checksum(head)) + head[12:] + payload


def ipv6(payload, src=A6, dst=B6, protocol=17, hops=64, length=None):
    length = len(payload) if length is None else length
    addresses = ipaddress.IPv6Address(src).packed + ipaddress.IPv6Address(dst).packed
    return pack(">IHBB", 6 << 28, length, protocol, hops) + addresses + payload


def extension(payload, following=17, content=bytes(6)):
    """Hop-by-hop options, routing or destination options; six or 8n+6 bytes of content (zeros are Pad1)."""
    return bytes([following, (len(content) - 6) // 8]) + content + payload


def fragment6(payload, following=17, at=0, more=False, id=1):
    return pack(">BBHI", following, 0, at | more, id) + payload


def ah(payload, following=17, icv=bytes(12)):
    return pack(">BBHII", following, (12 + len(icv)) // 4 - 2, 0, 256, 1) + icv + payload


def fragments(payload, size=64, v6=False, **header):
    """A packet's fragments, in order."""
    found = []
    for at in range(0, len(payload), size):
        piece, more = payload[at : at + size], at + size < len(payload)
        if v6:
            number = header.get("id", 1)
            rest = {key: value for key, value in header.items() if key != "id"}
            found.append(ipv6(fragment6(piece, at=at, more=more, id=number), protocol=44, **rest))
        else:
            found.append(ipv4(piece, more=more, at=at, **header))
    return found


# Link


def kind_of(packet):
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def ethernet(packet, kind=None, pad=False):
    frame = MAC_B + MAC_A + pack(">H", kind_of(packet) if kind is None else kind) + packet
    return frame + bytes(max(0, 60 - len(frame))) if pad else frame


def tagged(packet, *tags, kind=None):
    """EtherType and content of VLAN tags around a packet: give both to `ethernet`."""
    kind = kind_of(packet) if kind is None else kind
    for number, tag in enumerate(reversed(tags)):
        packet = pack(">HH", 100 + number, kind) + packet
        kind = tag
    return packet, kind


def mpls(packet, *labels):
    stack = [pack(">I", label << 12 | (number == len(labels) - 1) << 8 | 64) for number, label in enumerate(labels)]
    return b"".join(stack) + packet


def ppp(packet, framed=True, compressed=False, protocol=None):
    protocol = (0x57 if packet[0] >> 4 == 6 else 0x21) if protocol is None else protocol
    return b"\xff\x03" * framed + protocol.to_bytes(1 if compressed else 2) + packet


def pppoe(content, code=0, session=7):
    return pack(">BBHH", 0x11, code, session, len(content)) + content


def snap(packet, kind=None, vendor=b"\0\0\0"):
    return b"\xaa\xaa\x03" + vendor + pack(">H", kind_of(packet) if kind is None else kind) + packet


def ieee8023(content):
    return MAC_B + MAC_A + pack(">H", len(content)) + content


def sll(packet, toward=0, kind=None):
    return pack(">HHH8sH", toward, 1, 6, MAC_A, kind_of(packet) if kind is None else kind) + packet


def sll2(packet, toward=0, kind=None):
    return pack(">HHIHBB8s", kind_of(packet) if kind is None else kind, 0, 3, 1, toward, 6, MAC_A) + packet


def null(packet, family=None, order=">"):
    family = (30 if packet[0] >> 4 == 6 else 2) if family is None else family
    return pack(order + "I", family) + packet


def hdlc(packet, address=0x0F, kind=None):
    return pack(">BBH", address, 0, kind_of(packet) if kind is None else kind) + packet


def wifi(content, to_ds=True, from_ds=False, qos=None, ht=False, protected=False, pad=False, more=False, piece=0):
    """A data frame around LLC or, if `qos` says so, around A-MSDU subframes."""
    flags = to_ds | from_ds << 1 | more << 2 | protected << 6 | ht << 7
    frame = pack("<BBH6s6s6sH", 0x08 if qos is None else 0x88, flags, 0, MAC_A, MAC_B, MAC_A, 1 << 4 | piece)
    frame += MAC_B if to_ds and from_ds else b""
    frame += b"" if qos is None else pack("<H", qos)
    frame += bytes(4) if ht else b""
    frame += bytes(-len(frame) % 4) if pad else b""
    return frame + content


def subframe(content, last=False):
    frame = MAC_B + MAC_A + pack(">H", len(content)) + content
    return frame if last else frame + bytes(-len(frame) % 4)


def radiotap(frame, flags=None, tsft=False, words=0):
    present = tsft << 0 | (flags is not None) << 1
    masks = [present | 0x80000000] + [0x80000000] * (words - 1) + [0] if words else [present]
    head = b"".join(pack("<I", mask) for mask in masks)
    if tsft:
        head += bytes(-(4 + len(head)) % 8) + bytes(8)
    if flags is not None:
        head += bytes([flags])
    return pack("<BBH", 0, 0, 4 + len(head)) + head + frame


def avs(frame):
    return pack(">II", 0x80211001, 64) + bytes(56) + frame


def prism(frame, order="<"):
    return pack(order + "II16s", 0x44, 144, b"wlan0") + bytes(120) + frame


def ppi(frame, dlt=105, fields=b""):
    return pack("<BBHI", 0, 0, 8 + len(fields), dlt) + fields + frame


def pktap(frame, dlt=1, flags=1, order="<", kind=1, length=108):
    """Apple's own, as `bsd/net/pktap.h` has it."""
    head = pack(order + "III24sIIIIi17s", length, kind, dlt, b"en0", flags, 2, 14, 0, 4711, b"Safari")
    return head + bytes(length - len(head)) + frame


def nflog(packet, hook=None, order="<", family=None):
    def attribute(kind, value):
        return pack(order + "HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)

    head = pack(">BBH", (10 if packet[0] >> 4 == 6 else 2) if family is None else family, 0, 5)
    head += b"" if hook is None else attribute(1, pack(">HBB", kind_of(packet), hook, 0))
    return head + attribute(10, b"prefix\0") + attribute(4, pack(">I", 2)) + attribute(9, packet)


def slip(packet, sent=0):
    return bytes([sent, 0x40]) + bytes(14) + packet


def frame_relay(packet, address=b"\x18\x41", nlpid=None, pad=False):
    nlpid = (0x8E if packet[0] >> 4 == 6 else 0xCC) if nlpid is None else nlpid
    return address + b"\x03" + bytes(pad) + bytes([nlpid]) + packet


# Tunnels


def gre(content, kind=0x0800, checksum=None, key=None, sequence=None, ack=None, version=0):
    flags = version | (checksum is not None) << 15 | (key is not None) << 13 | (sequence is not None) << 12
    head = pack(">HH", flags | (ack is not None) << 7, kind)
    head += b"" if checksum is None else pack(">HH", checksum, 0)
    for word in (key, sequence, ack):
        head += b"" if word is None else pack(">I", word)
    return head + content


def outer(content, protocol=47):
    return ipv4(content, OUTER_A, OUTER_B, protocol, ttl=9)


def outer6(content, protocol=47):
    return ipv6(content, OUTER_A6, OUTER_B6, protocol, hops=9)


def tunnel(header, dport, content, sport=33333):
    return outer(udp(header + content, sport, dport), 17)


def vxlan(frame, **ports):
    return tunnel(pack(">II", 0x08000000, 77 << 8), ports.get("dport", 4789), frame)


def vxlan_gpe(content, kind):
    return tunnel(pack(">BBBBI", 0x0C, 0, 0, kind, 77 << 8), 4790, content)


def geneve(content, kind=0x6558, options=b""):
    return tunnel(pack(">BBHI", len(options) // 4, 0, kind, 77 << 8) + options, 6081, content)


def gtp(packet, flags=0, extensions=(), sequence=b"\0\1"):
    """GTP-U; `extensions` are (type, content of 4n - 2 bytes)."""
    optional = b""
    if flags or extensions:
        kinds = [kind for kind, _ in extensions] + [0]
        optional = sequence + b"\0" + bytes(kinds[:1])
        for (_, content), following in zip(extensions, kinds[1:], strict=True):
            optional += bytes([(len(content) + 2) // 4]) + content + bytes([following])
    flags |= 0x04 if extensions else 0
    head = pack(">BBHI", 0x30 | flags, 255, len(optional) + len(packet), 0xCAFE)
    return tunnel(head + optional, 2152, packet, 2152)


def teredo(packet, authentication=b"", origin=b""):
    return tunnel(authentication + origin, 3544, packet)


def erspan1(frame):
    return outer(gre(frame, 0x88BE))


def erspan2(frame):
    return outer(gre(pack(">II", 1 << 28 | 5, 0) + frame, 0x88BE, sequence=1))


def erspan3(content, subheader=False, frame_type=0):
    head = pack(">HHIHBB", 2 << 12, 5, 0, 0, frame_type << 2, subheader)
    return outer(gre(head + bytes(8 * subheader) + content, 0x22EB, sequence=1))
